"""The model factory: the only place where a model comes into being."""

from collections.abc import Callable

import keras
import numpy as np

from vae_cli.config.parts import (
    FeatureConfig,
    ObjectiveConfig,
    SeenConfig,
    TwoLevelConfig,
    VaeGanConfig,
)
from vae_cli.config.schema import TrainConfig
from vae_cli.data_spec import DataSpec
from vae_cli.models.decoders import (
    conv_decoder,
    dense_decoder,
    residual_conv_decoder,
    start_at_mean,
)
from vae_cli.models.encoders import (
    conv_encoder,
    dense_encoder,
    residual_conv_encoder,
    seen_network,
    told_label,
)
from vae_cli.models.feature_objectives import Perceptual, VaeGan
from vae_cli.models.features import discriminator, feature_network
from vae_cli.models.hierarchy import (
    TwoLevelVAE,
    bottom_encoder,
    bottom_prior,
    top_encoder,
    two_level_decoder,
)
from vae_cli.models.likelihoods import LIKELIHOODS
from vae_cli.models.objectives import Elbo, Iwae
from vae_cli.models.priors import LabelPrior, Prior, SeenPrior, build_prior
from vae_cli.models.vae import VAE, as_float32

OBJECTIVES: dict[str, type[Elbo]] = {"elbo": Elbo, "iwae": Iwae}
"""Those without a network of their own."""
ARCHITECTURES: dict[str, tuple[Callable, Callable]] = {
    "conv": (conv_encoder, conv_decoder),
    "dense": (dense_encoder, dense_decoder),
    "residual_conv": (residual_conv_encoder, residual_conv_decoder),
}
"""Name -> (encoder builder, decoder builder)."""


def build_model(config: TrainConfig, spec: DataSpec, precision: str = "float32") -> VAE:
    """Build the model that a config describes, its weights drawn by `config.seed`.

    Args:
        config: architecture, likelihood, prior, hierarchy, conditioning, latent_dim
            and seed are read.
        spec: image shape, number of labels, and the training mean where output biases
            start.
        precision: of the networks' arithmetic; weights, codes and logits are float32.
    """
    keras.utils.set_random_seed(config.seed)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        vae = _composed(config, spec)
    finally:
        keras.config.set_dtype_policy(before)
    if vae.num_labels and spec.labels is not None:
        vae.labels = np.array(spec.labels)
    return vae


def build_objective(
    config: ObjectiveConfig, image_shape: tuple[int, int, int], num_classes: int
) -> Elbo:
    """Return a config's objective, with its network where it has one.

    Args:
        config: its options.
        image_shape: (H, W, C).
        num_classes: of what a network that is trained first is trained on.
    """
    if isinstance(config, VaeGanConfig):
        return VaeGan(config, discriminator(image_shape))
    if isinstance(config, FeatureConfig):
        return Perceptual(config, feature_network(image_shape, num_classes))
    return OBJECTIVES[config.name](config)


def _composed(config: TrainConfig, spec: DataSpec) -> VAE:
    make_encoder, make_decoder = ARCHITECTURES[config.architecture.name]
    shape, latent_dim = spec.image_shape, config.latent_dim
    labels = (spec.num_classes or 0) if config.conditioning.name == "label" else 0
    network = None
    if isinstance(config.conditioning, SeenConfig):
        network = seen_network(config.conditioning, config.architecture, shape)
    embedding_dim = network.output_shape[-1] if network else labels
    likelihood = LIKELIHOODS[config.likelihood.name](config.likelihood)
    outputs = (*shape[:2], shape[2] * likelihood.outputs_per_channel)
    decoder = make_decoder(config.architecture, outputs, latent_dim + embedding_dim)
    # where pixels are missing for good, the mean would tell of them
    unseen = getattr(config.corruption, "score", "all") == "seen"
    if spec.pixel_mean is not None and not unseen and outputs == shape:
        start_at_mean(decoder, spec.pixel_mean)
    levels, top_dim = config.hierarchy, latent_dim
    if isinstance(levels, TwoLevelConfig):
        top_dim = levels.top_dim or latent_dim // 2
    seen = (*shape[:2], shape[2] + 1) if labels else shape
    encoder = make_encoder(config.architecture, seen, top_dim)
    if isinstance(levels, TwoLevelConfig):
        encoder = top_encoder(encoder)
    if labels:
        encoder = told_label(encoder, shape, labels)

    def top_posterior(*inputs: object) -> tuple[object, object]:
        top = as_float32(encoder(list(inputs) if labels else inputs[0]))
        return top["mean"], top["log_var"]

    prior: Prior
    if network:
        prior = SeenPrior(config.prior, latent_dim, embedding_dim)
    elif getattr(config.conditioning, "learned_prior", False):
        prior = LabelPrior(config.prior, top_dim, labels)
    else:
        prior = build_prior(config.prior, top_dim, shape, top_posterior, labels)
    if not isinstance(levels, TwoLevelConfig):
        return VAE(encoder, decoder, likelihood, prior, labels, network)
    dims = (top_dim, latent_dim - top_dim)
    num_features = encoder.output["features"].shape[-1]
    below = bottom_prior(levels, config.architecture, *dims)
    return TwoLevelVAE(
        bottom_encoder(levels, config.architecture, num_features, *dims),
        bottom_prior=below,
        encoder=encoder,
        decoder=two_level_decoder(decoder, below),
        likelihood=likelihood,
        prior=prior,
        num_labels=labels,
    )
