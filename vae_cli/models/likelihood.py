"""Likelihoods p(x|z), given by the decoder's outputs.

Every likelihood maps decoder outputs to a log-density in nats per image, summed over
pixels and channels.
"""

import math
from typing import Any

import keras
import numpy as np
from keras import ops
from scipy.special import expit

from vae_cli.config.likelihood import (
    BernoulliConfig,
    ContinuousBernoulliConfig,
    GaussianConfig,
    LikelihoodConfig,
)
from vae_cli.data_spec import DataSpec
from vae_cli.errors import ConfigError
from vae_cli.pixels import EIGHT_BIT, Pixels
from vae_cli.registry import builds


class Likelihood(keras.layers.Layer):
    """Base: decoder outputs are logits, one for each channel.

    It is a Keras layer in float32, whatever the networks compute in. Weights of its own
    are made in `__init__` (`build` is not called), by `add_weight`. One with more
    outputs splits the last axis of its logits, [..., H, W, C * outputs_per_channel], in
    `log_prob_per_pixel` and `mean`.

    Args:
        config: its options.
        pixels: range and precision of the data.
    """

    outputs_per_channel = 1
    """What every decoder gives for each channel of a pixel."""
    elementwise = True
    """Whether `log_prob_per_pixel` takes pixels of any shape: they then come flat,
    [..., H * W * C], where there is one output per channel."""

    has_samples = False
    """Whether `sample` draws pixels: bounds on simulated images need it."""

    def __init__(self, config: LikelihoodConfig, pixels: Pixels = EIGHT_BIT) -> None:
        super().__init__(name="likelihood", dtype="float32")
        self.pixels = pixels
        self._sigmoid = keras.layers.Activation(
            "sigmoid", name="pixel_means", dtype="float32"
        )

    def log_prob(self, x: Any, logits: Any, weight: Any = None) -> Any:
        """Score images.

        Args:
            x: float32 [B, H, W, C] in [0, 1].
            logits: float32 [..., B, H, W, C], the decoder's outputs.
            weight: of each pixel, float32 [B, H, W, 1]; 1 if None.

        Returns:
            float32 [..., B], nats per image.
        """
        if weight is not None:
            return ops.sum(weight * self.log_prob_per_pixel(x, logits), (-3, -2, -1))
        if self.outputs_per_channel > 1 or not self.elementwise:
            return ops.sum(self.log_prob_per_pixel(x, logits), (-3, -2, -1))
        # flat pixels make longer loops
        x, logits = (ops.reshape(a, (*ops.shape(a)[:-3], -1)) for a in (x, logits))
        return ops.sum(self.log_prob_per_pixel(x, logits), axis=-1)

    def log_prob_per_pixel(self, x: Any, logits: Any) -> Any:
        """Return log p of each pixel and channel in nats, float32, of the shape of x.

        Args:
            x: float32 [..., H, W, C] in [0, 1], or flat (see `elementwise`).
            logits: likewise, with the decoder's outputs.
        """
        raise TypeError(f"{type(self).__name__} defines no log_prob_per_pixel")

    def mean(self, logits: Any) -> Any:
        """Return E[x|z], float32 [B, H, W, C] in [0, 1]; built-in operations only."""
        return self._sigmoid(logits)

    def sample(self, logits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw x ~ p(x|z), float [N, H, W, C], where `has_samples` says so.

        Args:
            logits: the decoder's outputs, float32 [N, H, W, C * outputs_per_channel].
            rng: of the draws.
        """
        raise TypeError(f"{type(self).__name__} draws no pixels")

    def starting_outputs(self, pixel_mean: np.ndarray) -> np.ndarray | None:
        """Return decoder outputs that give a mean; output biases start there.

        Pixels in [0, 1] are clipped to [0.001, 0.999] as in Burda et al.'s code, since
        one that is always 0 has no finite logit.

        Args:
            pixel_mean: of training images as the model gets them, float32 [..., C].

        Returns:
            float32 [..., C * outputs_per_channel]: here the logit of the mean, or the
            mean itself where the data are standardized; None leaves biases at 0.
        """
        if self.outputs_per_channel > 1:
            return None
        if not self.pixels.bounded:
            return pixel_mean
        mean = np.clip(pixel_mean, 0.001, 0.999)
        return np.log(mean / (1 - mean))

    def check(self, name: str, image_shape: tuple[int, ...]) -> None:
        """Refuse a likelihood whose results have another shape than images.

        Args:
            name: of the option.
            image_shape: (H, W, C).

        Raises:
            ConfigError: saying which method, and its shapes.
        """
        *size, channels = image_shape
        logits = ops.zeros((1, *size, channels * self.outputs_per_channel))
        x = ops.zeros((1, *image_shape))
        for method, values, wanted in (
            ("mean", lambda: self.mean(logits), (1, *image_shape)),
            ("log_prob", lambda: self.log_prob(x, logits), (1,)),
        ):
            try:
                shape: Any = tuple(values().shape)
            except Exception as error:  # whatever a class of the user's raises
                kind, text = type(error).__name__, str(error).partition("\n")[0]
                shape = f"{kind}: {text}"
            if shape != wanted:
                raise ConfigError(
                    f"likelihood={name}: {method} of one image must have the shape "
                    f"{wanted}, got {shape}.",
                    "log_prob sums log_prob_per_pixel, which takes x and logits of "
                    f"{'flat pixels' if self.elementwise else 'whole images'}: "
                    "elementwise=False asks for [..., H, W, C]",
                )

    def measure(self, spec: DataSpec) -> str:
        """Name what the reconstruction loss is on this data."""
        return "negative log-density"

    def is_likelihood(self, spec: DataSpec) -> bool:
        """Return whether log p(x|z) is one of such pixels.

        A density of pixels that are 0 or 1 has no bound, and says nothing.
        """
        return not spec.binary

    def is_discrete(self, spec: DataSpec) -> bool:
        """Return whether they are log-probabilities, which bits per dimension need."""
        return False


@builds(BernoulliConfig)
class Bernoulli(Likelihood):
    """Independent Bernoulli pixels.

    log p(x|z) = sum_i x_i l_i - softplus(l_i)

    A likelihood for x in {0, 1}. For grey x it is a cross-entropy, as the common
    tutorials use it: never below the entropy of the pixels themselves, and not
    comparable with likelihoods.
    """

    has_samples = True

    def sample(self, logits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw pixels that are 0 or 1."""
        return rng.random(logits.shape) < expit(logits.astype(np.float64))

    def log_prob_per_pixel(self, x: Any, logits: Any) -> Any:
        """Return log p of each pixel in nats, of the shape of x."""
        return x * logits - ops.softplus(logits)

    def measure(self, spec: DataSpec) -> str:
        """Name what the reconstruction loss is on this data."""
        return "negative log-likelihood" if spec.binary else "cross-entropy"

    def is_likelihood(self, spec: DataSpec) -> bool:
        """Return whether pixels are 0 or 1: the probabilities of grey don't add up."""
        return spec.binary

    def is_discrete(self, spec: DataSpec) -> bool:
        """Return whether the scores are log-probabilities."""
        return spec.binary


@builds(ContinuousBernoulliConfig)
class ContinuousBernoulli(Likelihood):
    """Density on [0, 1] whose shape is Bernoulli's, with its constant restored.

    log p(x|z) = sum_i x_i l_i - softplus(l_i) + log C(l_i),  C(l) = l / tanh(l / 2)

    Source: Loaiza-Ganem & Cunningham, "The continuous Bernoulli", 2019, eq. 4, with
    lambda = sigmoid(l).

    l is L tanh(logit / L), L = SOFT_LIMIT: the density of a pixel that is 0 or 1, as
    most of MNIST's are, grows with |l| without bound, and a model that follows it draws
    nothing that can be recognised.
    """

    SOFT_LIMIT = 16.0
    """Beyond it sigmoid(l) is 0 or 1 in float32."""
    has_samples = True

    def sample(self, logits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw pixels by the inverse of F(x) = (exp(l x) - 1) / (exp(l) - 1)."""
        wide = np.asarray(self.bounded(logits), np.float64)
        uniform = rng.random(wide.shape)
        safe = np.where(np.abs(wide) < 1e-6, 1.0, wide)
        drawn = np.log1p(uniform * np.expm1(safe)) / safe
        return np.where(np.abs(wide) < 1e-6, uniform, drawn)

    def log_prob_per_pixel(self, x: Any, logits: Any) -> Any:
        """Return log p of each pixel in nats, of the shape of x."""
        logits = self.bounded(logits)
        return x * logits - ops.softplus(logits) + self.log_constant(logits)

    @classmethod
    def bounded(cls, logits: Any) -> Any:
        """Return l, within (-SOFT_LIMIT, SOFT_LIMIT), for what the decoder gives."""
        return cls.SOFT_LIMIT * ops.tanh(logits / cls.SOFT_LIMIT)

    @staticmethod
    def log_constant(logits: Any) -> Any:
        """Return log C(l), finite everywhere: log 2 + l^2 / 12 near 0."""
        near = ops.abs(logits) < 0.05
        safe = ops.where(near, 1.0, logits)
        exact = ops.log(safe / ops.tanh(safe / 2))
        return ops.where(near, math.log(2) + logits**2 / 12, exact)

    def mean(self, logits: Any) -> Any:
        """Return E[x|z] = 1 / (1 - exp(-l)) - 1 / l, or 1/2 + l / 12 near 0."""
        logits = self.bounded(logits)
        near = ops.abs(logits) < 0.05
        # |l|, so that exp never overflows; the mean is antisymmetric about 1/2
        safe = ops.where(near, 1.0, ops.abs(logits))
        above_half = 1 / (1 - ops.exp(-safe)) - 1 / safe - 0.5
        offset = ops.where(near, logits / 12, ops.sign(logits) * above_half)
        return 0.5 + offset


@builds(GaussianConfig)
class Gaussian(Likelihood):
    """Normal pixels around m, with one scale s for the whole data set.

    log p(x|z) = -1/2 sum_i [ (x_i - m_i)^2 / s^2 + 2 log s + log 2 pi ]

    m is sigmoid(l), or l itself where the data are standardized.

    With a fixed scale the gradient is that of the squared error over 2 s^2: summed
    squared error is s = 0.707, half of it s = 1. A learned scale is calibrated to the
    residual (Rybkin et al., "Simple and effective VAE training with calibrated
    decoders", 2021).
    """

    def __init__(self, config: GaussianConfig, pixels: Pixels = EIGHT_BIT) -> None:
        super().__init__(config, pixels)
        self.log_std = self.add_weight(
            name="log_std",
            shape=(),
            initializer=keras.initializers.Constant(math.log(config.std)),
            trainable=config.learn_std,
            # a scale below a thousandth is 0 for 8-bit pixels
            constraint=lambda value: ops.maximum(value, math.log(1e-3)),
        )

    has_samples = True

    def sample(self, logits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw m + s * noise, which may lie outside [0, 1]."""
        noise = rng.standard_normal(logits.shape)
        return np.asarray(self.mean(logits)) + np.exp(float(self.log_std)) * noise

    def mean(self, logits: Any) -> Any:
        """Return m, float32 [B, H, W, C]."""
        return super().mean(logits) if self.pixels.bounded else logits

    def log_prob_per_pixel(self, x: Any, logits: Any) -> Any:
        """Return log p of each pixel in nats, of the shape of x."""
        standard = (x - self.mean(logits)) * ops.exp(-self.log_std)
        return -0.5 * standard**2 - self.log_std - 0.5 * math.log(2 * math.pi)
