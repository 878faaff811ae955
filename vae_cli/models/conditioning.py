"""Conditioning: what encoder, decoder and prior get besides the image."""

from dataclasses import replace

import keras

from vae_cli.config.architecture import ArchitectureConfig
from vae_cli.config.conditioning import (
    ConditioningConfig,
    LabelConfig,
    ObservedConfig,
    UnconditionalConfig,
)
from vae_cli.config.prior import PriorConfig
from vae_cli.data_spec import DataSpec
from vae_cli.models.architectures import Architecture
from vae_cli.models.architectures.base import Shape
from vae_cli.models.layers import dense_stack
from vae_cli.models.prior import LabelPrior, ObservedPrior, Prior
from vae_cli.registry import build, builds


@builds(UnconditionalConfig)
class Conditioning:
    """Base: the image, and nothing besides.

    Args:
        config: its options.
        architecture: activation and normalization of a network that it adds.
        spec: shape of an image, number of labels.

    Attributes:
        num_labels: of a one-hot label that encoder and decoder get; 0 for none.
        network: observed pixels -> their embedding, or None.
        embedding_dim: of what the decoder gets besides z.
    """

    def __init__(
        self,
        config: ConditioningConfig,
        architecture: ArchitectureConfig,
        spec: DataSpec,
    ) -> None:
        self.num_labels = 0
        self.network: keras.Model | None = None
        self.embedding_dim = 0

    def encoder(
        self, architecture: Architecture, image_shape: Shape, latent_dim: int
    ) -> keras.Model:
        """Return the encoder of an image, before it gets anything besides."""
        return architecture.checked_encoder(image_shape, latent_dim)

    def joined(self, encoder: keras.Model, image_shape: Shape) -> keras.Model:
        """Return the encoder of an image and of what it gets besides."""
        return encoder

    def prior(self, config: PriorConfig, dim: int) -> Prior:
        """Return the prior of the top level of z."""
        prior: Prior = build(config, dim)
        return prior

    def _conditional(self, config: PriorConfig, dim: int) -> Prior:
        """Return a prior that depends on the embedding."""
        prior: Prior = build(config, dim, self.embedding_dim)
        return prior


@builds(LabelConfig)
class LabelConditioning(Conditioning):
    """The label enters the encoder as one more channel, and the decoder beside z."""

    def __init__(
        self, config: LabelConfig, architecture: ArchitectureConfig, spec: DataSpec
    ) -> None:
        super().__init__(config, architecture, spec)
        self._config = config
        self.num_labels = self.embedding_dim = spec.num_classes or 0

    def encoder(
        self, architecture: Architecture, image_shape: Shape, latent_dim: int
    ) -> keras.Model:
        """Return the encoder of images with a channel for the label."""
        height, width, channels = image_shape
        shape = (height, width, channels + 1) if self.num_labels else image_shape
        return super().encoder(architecture, shape, latent_dim)

    def joined(self, encoder: keras.Model, image_shape: Shape) -> keras.Model:
        """Return the encoder of an image and its one-hot label [B, num_labels]."""
        if not self.num_labels:
            return encoder
        height, width, _ = image_shape
        image = keras.Input(image_shape, name="image")
        label = keras.Input((self.num_labels,), name="label")
        drawn = keras.layers.Dense(height * width, use_bias=False, name="label_image")
        channel = keras.layers.Reshape((height, width, 1))(drawn(label))
        both = keras.layers.Concatenate(name="image_and_label")([image, channel])
        return keras.Model([image, label], encoder(both), name="encoder")

    def prior(self, config: PriorConfig, dim: int) -> Prior:
        """Return p(z|y) where configured: a Gaussian for each label, or a flow."""
        if not self._config.learned_prior:
            return super().prior(config, dim)
        if config.takes_condition:
            return self._conditional(config, dim)
        return LabelPrior(config, dim, self.num_labels)


@builds(ObservedConfig)
class ObservedConditioning(Conditioning):
    """Decoder and prior get an embedding of the observed pixels."""

    def __init__(
        self, config: ObservedConfig, architecture: ArchitectureConfig, spec: DataSpec
    ) -> None:
        super().__init__(config, architecture, spec)
        # decoder and prior each ask for it, and must get the same
        architecture = replace(architecture, dropout=0.0)
        observed = keras.Input(spec.image_shape, name="observed")
        x = keras.layers.Flatten(name="flatten_observed")(observed)
        x = dense_stack(x, config.hidden_units, architecture, "observed")
        self.network = keras.Model(observed, x, name="observed_network")
        self.embedding_dim = self.network.output_shape[-1]

    def prior(self, config: PriorConfig, dim: int) -> Prior:
        """Return a Gaussian that is linear in the embedding, or a flow that gets it."""
        if config.takes_condition:
            return self._conditional(config, dim)
        return ObservedPrior(config, dim, self.embedding_dim)
