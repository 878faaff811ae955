"""How much memory a training takes, before it takes any; imports no TensorFlow.

An estimate within a factor of two over exact arithmetic: what is refused is far beyond
the machine, and what fits closely is left to try.
"""

import math

from vae_cli.config.train import TrainConfig
from vae_cli.memory import FLOAT, refuse_beyond


def check_training(
    config: TrainConfig, image_shape: tuple[int, ...], num_images: int
) -> None:
    """Refuse a model or a batch that can't be held; arguments are of `memory_estimate`.

    Raises:
        ConfigError: it takes more memory than there is.
    """
    parts = memory_estimate(config, image_shape, num_images)
    weights, activations = parts.values()
    refuse_beyond(parts, _keys(config, weights > activations))


def memory_estimate(
    config: TrainConfig, image_shape: tuple[int, ...], num_images: int
) -> dict[str, float]:
    """Return what training holds besides the images -> bytes.

    Args:
        config: all of the run's.
        image_shape: (H, W, C).
        num_images: training images; a batch holds no more.
    """
    latent_dim = config.latent_dim
    top_dim = config.hierarchy.top_size(latent_dim, config.architecture, image_shape)
    layers = [
        *config.hierarchy.network_layers(config.architecture, image_shape, latent_dim),
        *config.posterior.layers(top_dim),
        *config.prior.layers(top_dim),
        *config.conditioning.layers(image_shape),
    ]
    weights = sum(layer[0] for layer in layers)
    weights += config.prior.num_weights(image_shape, latent_dim)
    # gradients and two moments, the average where there is one, and what is saved
    weights *= FLOAT * (5 if config.optimizer.ema_decay else 4)
    batch = min(config.batch_size, num_images)
    samples = config.objective.posterior_samples
    per_image = sum(layer[1] for layer in layers)
    # each has a gradient
    activations = 2 * FLOAT * batch * samples * (per_image + math.prod(image_shape))
    activations += FLOAT * config.prior.encoded_images * per_image
    densities = batch * samples * config.prior.num_components
    activations += 2 * FLOAT * densities * latent_dim
    activations += 2 * FLOAT * batch**2 * config.objective.values_per_pair(latent_dim)
    # a prior of codes is trained when the autoencoder has been
    grid = config.architecture.grid(image_shape)
    prior = config.latent.layers_of_prior(grid)
    weights = max(weights, 4 * FLOAT * sum(layer[0] for layer in prior))
    of_prior = 2 * FLOAT * batch * sum(layer[1] for layer in prior)
    activations = max(activations, of_prior)
    return {
        "weights, gradients and the optimizer's moments": weights,
        f"activations of a batch of {batch:,} images": activations,
    }


def _keys(config: TrainConfig, by_weights: bool) -> str:
    """Return the keys that make a run smaller, for the message."""
    network = [f"architecture.{key}" for key in config.architecture.size_keys]
    keys = ["latent_dim"] if by_weights else ["batch_size"]
    keys += network or ["the layers of architecture"]
    if config.prior.num_components:
        keys.append("prior.components")
    if config.latent.layers_of_prior(None):
        keys += ["latent.prior_filters", "latent.prior_layers"]
    keys += [
        f"{group}.steps"
        for group in ("posterior", "prior")
        if getattr(config, group).layers(1)
    ]
    if config.objective.posterior_samples > 1 and not by_weights:
        keys.append("objective.importance_samples")
    if by_weights:
        keys += [f"hierarchy.{key}" for key in config.hierarchy.size_keys]
    if config.conditioning.layers((1,)) and by_weights:
        keys.append("conditioning.hidden_units")
    return ", ".join(keys[:-1]) + f" or {keys[-1]}"
