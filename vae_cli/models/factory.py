"""The model factory: the only place where a model comes into being."""

from collections.abc import Callable

import keras

from vae_cli.config.schema import TrainConfig
from vae_cli.data_spec import DataSpec
from vae_cli.models.decoders import conv_decoder, dense_decoder, start_at_mean
from vae_cli.models.encoders import conv_encoder, dense_encoder
from vae_cli.models.likelihoods import LIKELIHOODS
from vae_cli.models.priors import StandardNormal
from vae_cli.models.vae import VAE

ARCHITECTURES: dict[str, tuple[Callable, Callable]] = {
    "conv": (conv_encoder, conv_decoder),
    "dense": (dense_encoder, dense_decoder),
}
"""Name -> (encoder builder, decoder builder)."""


def build_model(config: TrainConfig, spec: DataSpec) -> VAE:
    """Build the model that a config describes, its weights drawn by `config.seed`.

    Args:
        config: architecture, likelihood, latent_dim and seed are read.
        spec: image shape, and the training mean where output biases start.
    """
    keras.utils.set_random_seed(config.seed)
    make_encoder, make_decoder = ARCHITECTURES[config.architecture.name]
    shape = spec.image_shape
    decoder = make_decoder(config.architecture, shape, config.latent_dim)
    if spec.pixel_mean is not None:
        start_at_mean(decoder, spec.pixel_mean)
    return VAE(
        encoder=make_encoder(config.architecture, shape, config.latent_dim),
        decoder=decoder,
        likelihood=LIKELIHOODS[config.likelihood.name](config.likelihood),
        prior=StandardNormal(),
    )
