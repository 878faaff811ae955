"""The model factory: the only place where a model comes into being."""

from typing import Any

import keras
import numpy as np

from vae_cli.config.train import TrainConfig
from vae_cli.data_spec import DataSpec
from vae_cli.models.architectures.base import start_at_mean
from vae_cli.models.generative import as_float32
from vae_cli.models.objective import Elbo, TrainingSetup
from vae_cli.models.vae import VAE
from vae_cli.randomness import seeded
from vae_cli.registry import build


def build_model(config: TrainConfig, spec: DataSpec, precision: str = "float32") -> VAE:
    """Build the model that a config describes, its weights drawn by `config.seed`.

    Args:
        config: architecture, likelihood, latent, posterior, prior, hierarchy,
            conditioning,
            latent_dim and seed are read.
        spec: image shape, number of labels, and the training mean where output biases
            start.
        precision: of the networks' arithmetic; weights, codes and logits are float32.
    """
    with seeded(config.seed):
        return _built(config, spec, precision)


def build_model_and_objective(
    config: TrainConfig,
    spec: DataSpec,
    setup: TrainingSetup,
    precision: str = "float32",
) -> tuple[VAE, Elbo]:
    """Build what is trained: as `build_model`, with the objective and its network.

    Args:
        config: of the run.
        spec: of the images.
        setup: of the training, for the objective.
        precision: of the model.
    """
    with seeded(config.seed):
        vae = _built(config, spec, precision)
        return vae, build(config.objective, setup)


def _built(config: TrainConfig, spec: DataSpec, precision: str) -> VAE:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        vae = _composed(config, spec)
    finally:
        keras.config.set_dtype_policy(before)
    if vae.num_labels and spec.labels is not None:
        vae.labels = np.array(spec.labels)
    return vae


def _composed(config: TrainConfig, spec: DataSpec) -> VAE:
    shape, latent_dim = spec.image_shape, config.latent_dim
    latent = build(config.latent, shape, config.architecture.grid(shape))
    architecture = latent.networks(build(config.architecture))
    conditioning = build(config.conditioning, config.architecture, spec)
    hierarchy = build(config.hierarchy, config.architecture, latent_dim, shape)
    architecture = hierarchy.networks(architecture)
    posterior = build(config.posterior, hierarchy.top_dim)
    likelihood = build(config.likelihood, spec.pixels)
    outputs = (*shape[:2], shape[2] * likelihood.outputs_per_channel)
    decoder = architecture.checked_decoder(
        outputs, latent_dim + conditioning.embedding_dim
    )
    # where pixels of training images are missing, the mean would give them away
    known = (
        spec.pixel_mean is not None
        and config.corruption.likelihood_pixels != "observed"
    )
    if known:
        mean = np.asarray(spec.pixel_mean)
        start_at_mean(decoder, mean, likelihood.starting_outputs)
    encoder = conditioning.encoder(architecture, shape, hierarchy.top_dim)
    architecture.check_layer_options(encoder, decoder)
    likelihood.check(config.likelihood.name, shape)
    encoder = posterior.encoder(hierarchy.encoder(encoder))
    encoder = conditioning.joined(encoder, shape)
    num_labels = conditioning.num_labels

    def top_posterior(*inputs: Any) -> tuple[Any, Any]:
        top = as_float32(encoder(list(inputs) if num_labels else inputs[0]))
        return top["mean"], top["log_var"]

    prior = conditioning.prior(config.prior, hierarchy.top_dim)
    prior = latent.prior(prior, config.prior, num_labels)
    prior.connect(top_posterior, shape, num_labels)
    vae: VAE = latent.assemble(
        hierarchy,
        encoder=encoder,
        decoder=decoder,
        likelihood=likelihood,
        prior=prior,
        num_labels=num_labels,
        observed_network=conditioning.network,
        posterior=posterior,
    )
    return vae
