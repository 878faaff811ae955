"""What all architectures share, and the checks of what they promise."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from vae_cli.config.architecture import ArchitectureConfig
from vae_cli.errors import ConfigError
from vae_cli.models.ladder_sizes import LadderNetworks

Shape = tuple[int, int, int]


class Architecture:
    """Base: what an encoder and a decoder are built by.

    Args:
        config: its options.
    """

    def __init__(self, config: ArchitectureConfig) -> None:
        self.config: Any = config

    def encoder(self, image_shape: Shape, latent_dim: int) -> keras.Model:
        """Return image [B, H, W, C] -> dict of `mean`, `log_var` [B, latent_dim]."""
        raise TypeError(f"{type(self).__name__} has no encoder")

    def decoder(self, output_shape: Shape, latent_dim: int) -> keras.Model:
        """Return z [B, latent_dim] -> what the likelihood takes, [B, *output_shape]."""
        raise TypeError(f"{type(self).__name__} has no decoder")

    def ladder(self, image_shape: Shape) -> LadderNetworks:
        """Return the networks of hierarchy=ladder, where its config `takes_ladder`."""
        raise TypeError(f"{type(self).__name__} has no ladder")

    def grid_features(self, image: Any, channels: int) -> Any:
        """Return what a spatial code is made of, [B, h, w, channels].

        h and w are those of the options' `grid`; options without one have no such
        features, and their codes are groups of a flat encoder's outputs.

        Args:
            image: a Keras tensor, float32 [B, H, W, C] in [0, 1].
            channels: for each position.
        """
        raise TypeError(f"{type(self).__name__} has no grid")

    def decoder_from_grid(self, grid: Any, output_shape: Shape) -> Any:
        """Return what the likelihood takes, [B, *output_shape].

        Args:
            grid: a Keras tensor, float32 [B, h, w, D].
            output_shape: (H, W, C * outputs_per_channel).
        """
        raise TypeError(f"{type(self).__name__} has no grid")

    def checked_encoder(self, image_shape: Shape, latent_dim: int) -> keras.Model:
        """Return the encoder.

        Raises:
            ConfigError: it is not what `vae_cli.models.architectures` describes.
        """
        encoder = self.encoder(image_shape, latent_dim)
        self._check_model(encoder, "encoder")
        outputs = encoder.output
        if not isinstance(outputs, dict) or not {"mean", "log_var"} <= outputs.keys():
            raise self._broken("encoder's outputs", "a dict of mean and log_var")
        for name in ("mean", "log_var"):
            if tuple(outputs[name].shape) != (None, latent_dim):
                wanted = (
                    f"{_shape((None, latent_dim))}, got {_shape(outputs[name].shape)}"
                )
                raise self._broken(f"encoder's {name}", wanted)
        return encoder

    def checked_decoder(self, output_shape: Shape, latent_dim: int) -> keras.Model:
        """Return the decoder.

        Raises:
            ConfigError: it is not what `vae_cli.models.architectures` describes.
        """
        decoder = self.decoder(output_shape, latent_dim)
        self._check_model(decoder, "decoder")
        for name, shape, wanted in (
            ("input", decoder.input_shape, (None, latent_dim)),
            ("output", decoder.output_shape, (None, *output_shape)),
        ):
            if shape != wanted:
                raise self._broken(
                    f"decoder's {name}", f"{_shape(wanted)}, got {_shape(shape)}"
                )
        return decoder

    def check_layer_options(self, *networks: keras.Model) -> None:
        """Refuse options of layers that no layer of the networks applies.

        Raises:
            ConfigError: naming the key.
        """
        layers = [x for n in networks for x in n._flatten_layers(include_self=False)]
        norms = keras.layers.BatchNormalization, keras.layers.LayerNormalization
        applied = {
            "dropout": any(isinstance(x, keras.layers.Dropout) for x in layers),
            "l2": any(getattr(x, "kernel_regularizer", None) for x in layers),
            "normalization": any(isinstance(x, norms) for x in layers),
        }
        for key, is_applied in applied.items():
            value = getattr(self.config, key)
            if value not in (0, "none") and not is_applied:
                raise ConfigError(
                    f"architecture.{key}={value}: no layer of "
                    f"architecture={self.config.name} applies it.",
                    "vae_cli.models.layers.hidden(x, layer, self.config) applies "
                    "activation, normalization and dropout, regularizer(self.config) "
                    "the l2 penalty",
                )

    def _check_model(self, network: Any, what: str) -> None:
        if not isinstance(network, keras.Model):
            kind = type(network).__name__
            raise self._broken(what, f"a functional keras.Model, got {kind}")

    def _broken(self, what: str, wanted: str) -> ConfigError:
        return ConfigError(
            f"architecture={self.config.name}: the {what} must be {wanted}.",
            "vae_cli/models/architectures/__init__.py says what networks must offer",
        )


def _shape(shape: Any) -> str:
    """Return a shape for a message, `[B, 28, 28, 1]`; several where there are."""
    if (
        shape
        and isinstance(shape, (list, tuple, dict))
        and not isinstance(next(iter(shape)), (int, type(None)))
    ):
        return f"{len(shape)} arrays"
    return f"float32 [B, {', '.join(map(str, shape[1:]))}]"


def posterior(image: Any, x: Any, latent_dim: int) -> keras.Model:
    """Return an encoder from its input and its last hidden layer."""
    outputs = {
        "mean": keras.layers.Dense(latent_dim, name="mean")(x),
        "log_var": keras.layers.Dense(latent_dim, name="log_var")(x),
    }
    return keras.Model(image, outputs, name="encoder")


def with_features(
    encoder: keras.Model,
    name: str,
    needed_by: str,
    layer: keras.layers.Layer | None = None,
) -> keras.Model:
    """Return an architecture's encoder with its last hidden layer as one more output.

    Args:
        encoder: image -> dict of `mean`, `log_var` and others.
        name: of the output.
        needed_by: the option, for the message.
        layer: applied to the last hidden layer first, where given.

    Raises:
        ConfigError: the encoder has no layer named `mean`.
    """
    if "mean" not in [x.name for x in encoder.layers]:
        raise ConfigError(
            f"{needed_by} needs the encoder's features, which are what enters "
            "its layer named mean; this architecture has no such layer.",
            f"name the layer, or leave out {needed_by}",
        )
    features = encoder.get_layer("mean").input
    outputs = {**encoder.output, name: layer(features) if layer else features}
    return keras.Model(encoder.input, outputs, name="encoder")


def sizes(image_shape: Shape, strides: list[int]) -> list[tuple[int, int]]:
    """Return height and width before and after each stride, rounded up."""
    shapes = [image_shape[:2]]
    for stride in strides:
        height, width = shapes[-1]
        shapes.append((math.ceil(height / stride), math.ceil(width / stride)))
    return shapes


def crop(x: Any, size: tuple[int, int], name: str) -> Any:
    """Cut rows below and columns to the right that rounding up has added."""
    below, right = x.shape[1] - size[0], x.shape[2] - size[1]
    if not below and not right:
        return x
    return keras.layers.Cropping2D(((0, below), (0, right)), name=name)(x)


def start_at_mean(
    decoder: keras.Model,
    pixel_mean: np.ndarray,
    outputs_of: Callable[[np.ndarray], np.ndarray | None],
) -> None:
    """Set the output biases so that the decoder's mean is the training mean.

    The first epoch then needn't learn that most pixels are dark. A dense decoder has
    a bias per pixel, a convolutional one a bias per channel, one before depth becomes
    space a bias for each of the 4 pixels of a channel.

    Args:
        decoder: without a layer named `outputs` that has a bias it is left as it is.
        pixel_mean: float32 [H, W, C], as the model gets pixels.
        outputs_of: `Likelihood.starting_outputs`: the outputs that have a mean.
    """
    named = {layer.name: layer for layer in decoder._flatten_layers()}
    outputs = named.get("outputs")
    if outputs is None or getattr(outputs, "bias", None) is None:
        return
    bias, dense = outputs.bias, isinstance(outputs, keras.layers.Dense)
    start = outputs_of(pixel_mean if dense else pixel_mean.mean((0, 1)))
    if start is not None:
        bias.assign(np.resize(start.reshape(-1), bias.shape))
