"""The prior of discrete codes: uniform, or a gated PixelCNN that was trained on codes.

Source: van den Oord et al., "Conditional image generation with PixelCNN decoders",
2016, figure 2: a vertical and a horizontal stack, without a blind spot.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from vae_cli.config.latent import DiscreteConfig, Grid
from vae_cli.config.prior import PriorConfig
from vae_cli.models.code_distributions import LearnedCodes, UniformCodes
from vae_cli.models.prior import Prior
from vae_cli.models.quantizers import Quantizer

ACROSS = 3
"""Width of the convolutions."""


class _Held:
    """What a layer refers to without owning its weights."""

    def __init__(self, value: Any = None) -> None:
        self.value = value


class CodePrior(Prior):
    """p(codes): uniform until a network is put in place.

    The network is trained after the autoencoder and kept in a file of its own; its
    weights are none of this layer's.

    Args:
        config: of the group `prior`, which discrete codes have no use for.
        latent: of the codes.
        quantizer: turns codes into vectors.
        num_labels: that the network is conditioned on; 0 for none.
    """

    def __init__(
        self,
        config: PriorConfig,
        latent: DiscreteConfig,
        quantizer: Quantizer,
        num_labels: int,
    ) -> None:
        super().__init__(config, quantizer.positions * quantizer.size)
        self._latent = _Held(latent)
        self._quantizer = _Held(quantizer)
        self._network = _Held()
        self._num_labels = num_labels

    @property
    def learned(self) -> keras.Model | None:
        """The network; None as long as the prior is uniform."""
        network: keras.Model | None = self._network.value
        return network

    @learned.setter
    def learned(self, network: keras.Model | None) -> None:
        self._network.value = network

    @property
    def has_second_stage(self) -> bool:  # type: ignore[override]
        """Whether a network is to be trained."""
        return bool(self._latent.value.learns_prior)

    @property
    def is_learned(self) -> bool:  # type: ignore[override]
        """Whether a network is in place."""
        return self.learned is not None

    @contextlib.contextmanager
    def uniformly(self) -> Iterator[None]:
        """Let the prior be uniform here."""
        learned, self.learned = self.learned, None
        try:
            yield
        finally:
            self.learned = learned

    def uniform(self) -> UniformCodes:
        """Return the uniform prior, whatever was learned."""
        quantizer = self._quantizer.value
        return UniformCodes(quantizer.positions, quantizer.num_codes, quantizer.vectors)

    @property
    def conditional(self) -> bool:  # type: ignore[override]
        """Whether its distribution depends on the condition."""
        return self.learned is not None and self._num_labels > 0

    def new_network(self) -> keras.Model:
        """Return a network of the configured size, its weights as Keras draws them."""
        quantizer, latent = self._quantizer.value, self._latent.value
        return pixelcnn(
            quantizer.grid,
            quantizer.num_codes,
            latent.prior_filters,
            latent.prior_layers,
            self._num_labels,
        )

    def distribution(self, embedding: Any = None) -> UniformCodes | LearnedCodes:
        """Return p(codes|y); `embedding` is the one-hot label where there is one."""
        quantizer = self._quantizer.value
        if self.learned is None:
            return self.uniform()
        return LearnedCodes(
            quantizer.grid,
            self.learned,
            embedding if self._num_labels else None,
            quantizer.vectors,
            quantizer.indices,
        )


def pixelcnn(
    grid: Grid, num_codes: int, filters: int, layers: int, num_labels: int = 0
) -> keras.Model:
    """Return a network that gives each position logits by the codes before it.

    Args:
        grid: rows and columns of positions.
        num_codes: K.
        filters: channels of each stack.
        layers: gated ones.
        num_labels: of a one-hot label that is a second input; 0 for none.

    Returns:
        codes int32 [B, h, w] -> logits [B, h, w, K]; row by row, those of a position
        depend on no code at it or after it.
    """
    codes = keras.Input(grid, name="codes", dtype="int32")
    label = keras.Input((num_labels,), name="label") if num_labels else None
    embedded = keras.layers.Embedding(num_codes, filters, name="embedding")(codes)
    vertical, horizontal = embedded, None
    for layer in range(layers):
        name = f"layer_{layer}"
        bias = None
        if label is not None:
            bias = keras.layers.Dense(2 * filters, name=f"{name}_label")(label)
            bias = keras.layers.Reshape((1, 1, 2 * filters))(bias)
        # of the rows above and this one; the horizontal stack gets it one row below
        above = _conv(vertical, (2, ACROSS), filters, f"{name}_vertical")
        passed = keras.layers.Conv2D(2 * filters, 1, name=f"{name}_down")(_down(above))
        inner = embedded if horizontal is None else horizontal
        before = _left(inner, filters, f"{name}_horizontal", horizontal is None)
        before = keras.layers.Add()([before, passed])
        vertical = _gate(above, bias)
        out = keras.layers.Conv2D(filters, 1, name=f"{name}_out")(_gate(before, bias))
        horizontal = (
            out if horizontal is None else keras.layers.Add()([horizontal, out])
        )
    x = keras.layers.Activation("relu")(horizontal)
    x = keras.layers.Conv2D(filters, 1, activation="relu", name="hidden")(x)
    logits = keras.layers.Conv2D(num_codes, 1, name="logits")(x)
    inputs = codes if label is None else [codes, label]
    return keras.Model(inputs, logits, name="code_prior")


def _conv(x: Any, kernel: tuple[int, int], filters: int, name: str) -> Any:
    """Convolve over the rows above and a position's own, all columns around it."""
    side = kernel[1] // 2
    x = keras.layers.ZeroPadding2D(((kernel[0] - 1, 0), (side, side)))(x)
    return keras.layers.Conv2D(2 * filters, kernel, name=name)(x)


def _down(x: Any) -> Any:
    """Move everything a row down: what a position gets is of the rows above it."""
    x = keras.layers.ZeroPadding2D(((1, 0), (0, 0)))(x)
    return keras.layers.Cropping2D(((0, 1), (0, 0)))(x)


def _left(x: Any, filters: int, name: str, strictly: bool) -> Any:
    """Convolve over what is left in the row; its own position only if not strictly."""
    x = keras.layers.ZeroPadding2D(((0, 0), (ACROSS - 1 + strictly, 0)))(x)
    if strictly:
        x = keras.layers.Cropping2D(((0, 0), (0, 1)))(x)
    return keras.layers.Conv2D(2 * filters, (1, ACROSS), name=name)(x)


def _gate(x: Any, bias: Any) -> Any:
    """Return tanh(a) * sigmoid(b), [a, b] = x plus the label's bias."""
    if bias is not None:
        x = keras.layers.Add()([x, bias])
    a, b = ops.split(x, 2, axis=-1)
    return ops.tanh(a) * ops.sigmoid(b)
