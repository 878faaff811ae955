"""How much memory a training takes, before it takes any; imports no TensorFlow.

An estimate within a factor of two over exact arithmetic: what is refused is far beyond
the machine, and what fits closely is left to try.
"""

import itertools
import math
from collections.abc import Sequence

from vae_cli.config.parts import (
    ArchitectureConfig,
    ConvConfig,
    DenseConfig,
    IwaeConfig,
    MixtureConfig,
    ResidualConvConfig,
    SeenConfig,
    TwoLevelConfig,
    VampConfig,
)
from vae_cli.config.schema import SyntheticConfig, TrainConfig
from vae_cli.memory import FLOAT, refuse_beyond

Layers = list[tuple[float, float]]
"""(weights, activations an image) of each layer."""


def check_training(
    config: TrainConfig, image_shape: tuple[int, ...], num_images: int
) -> None:
    """Refuse a model or a batch that can't be held.

    Args:
        config: all of the run's.
        image_shape: (H, W, C).
        num_images: training images; a batch holds no more.

    Raises:
        ConfigError: it takes more memory than there is.
    """
    layers = _layers(config, image_shape)
    weights = sum(layer[0] for layer in layers) + _prior_weights(config, image_shape)
    # gradients and two moments, the average where there is one, and what is saved
    weights *= FLOAT * (5 if config.optimizer.ema_decay else 4)
    batch = min(config.batch_size, num_images)
    samples = (
        config.objective.samples if isinstance(config.objective, IwaeConfig) else 1
    )
    activations = sum(layer[1] for layer in layers) + math.prod(image_shape)
    # each has a gradient
    activations *= 2 * FLOAT * batch * samples
    if isinstance(config.prior, VampConfig):  # pseudo-inputs are encoded at each step
        activations += (
            FLOAT * config.prior.components * sum(layer[1] for layer in layers)
        )
    if isinstance(config.prior, MixtureConfig):  # log density of each component
        activations += (
            2 * FLOAT * batch * samples * config.prior.components * config.latent_dim
        )
    refuse_beyond(
        {
            "weights, gradients and the optimizer's moments": weights,
            f"activations of a batch of {batch:,} images": activations,
        },
        _keys(config, weights > activations),
    )


def check_synthetic(config: SyntheticConfig) -> None:
    """Refuse images that can't be held, before they are drawn.

    Raises:
        ConfigError: they take more memory than there is.
    """
    pixels = config.image_size**2 * config.channels
    # a fifth as many for testing; an image is drawn as floats
    images = 1.2 * config.num_images * pixels + 8 * 4 * pixels
    refuse_beyond(
        {f"{config.num_images:,} images of {pixels:,} values": 2 * images},
        "dataset.num_images or dataset.image_size",
    )


def _keys(config: TrainConfig, by_weights: bool) -> str:
    network = {
        "conv": "architecture.filters, architecture.kernel_sizes, "
        "architecture.dense_units",
        "dense": "architecture.hidden_units",
        "residual_conv": "architecture.filters, architecture.blocks, "
        "architecture.dense_units",
    }.get(config.architecture.name, "the layers of architecture")
    keys = ["latent_dim", network] if by_weights else ["batch_size", network]
    if isinstance(config.prior, MixtureConfig):
        keys.append("prior.components")
    if isinstance(config.objective, IwaeConfig) and not by_weights:
        keys.append("objective.samples")
    if isinstance(config.hierarchy, TwoLevelConfig) and by_weights:
        keys.append("hierarchy.hidden_units")
    if isinstance(config.conditioning, SeenConfig) and by_weights:
        keys.append("conditioning.hidden_units")
    return ", ".join(keys[:-1]) + f" or {keys[-1]}"


def _prior_weights(config: TrainConfig, image_shape: tuple[int, ...]) -> float:
    if isinstance(config.prior, VampConfig):
        return config.prior.components * math.prod(image_shape)
    if isinstance(config.prior, MixtureConfig):
        return 2 * config.prior.components * config.latent_dim
    return 0


def _layers(config: TrainConfig, image_shape: tuple[int, ...]) -> Layers:
    """Return the layers of encoder and decoder."""
    found = _network(config.architecture, image_shape, config.latent_dim)
    if isinstance(config.hierarchy, TwoLevelConfig):
        units = [config.latent_dim, *config.hierarchy.hidden_units, config.latent_dim]
        found += 2 * _dense(units)
    if isinstance(config.conditioning, SeenConfig):
        found += _dense([math.prod(image_shape), *config.conditioning.hidden_units])
    return found


def _network(
    config: ArchitectureConfig, image_shape: tuple[int, ...], latent_dim: int
) -> Layers:
    pixels = math.prod(image_shape)
    if isinstance(config, DenseConfig):
        width = 2 if config.gated else 1
        inner = _dense([pixels, *config.hidden_units], width)
        inner += _dense([latent_dim, *config.hidden_units[::-1]], width)
        ends = _dense([config.hidden_units[-1], 2 * latent_dim])
        return inner + ends + _dense([config.hidden_units[0], pixels])
    if isinstance(config, ConvConfig):
        count = len(config.filters)
        kernels, strides = (
            values * count if len(values) == 1 else values
            for values in (config.kernel_sizes, config.strides)
        )
        hidden, blocks = config.dense_units, 0
    elif isinstance(config, ResidualConvConfig):
        count = len(config.filters)
        kernels, strides = [config.kernel_size] * count, [2] * count
        hidden, blocks = [config.dense_units], config.blocks
    else:
        return []
    height, width, channels = image_shape
    found: Layers = []
    for filters, kernel, stride in zip(config.filters, kernels, strides, strict=True):
        decoded = height * width * channels
        height, width = math.ceil(height / stride), math.ceil(width / stride)
        encoded = height * width * filters
        # there and back; before and after the activation
        found.append((2 * kernel**2 * channels * filters, 2 * (encoded + decoded)))
        # two convolutions each, the second with a gate
        block = (3 * kernel**2 * filters**2, 6 * encoded)
        found += [block] * (2 * blocks)
        channels = filters
    grid = height * width * channels
    found += _dense([grid, *hidden, 2 * latent_dim])
    return found + _dense([latent_dim, *hidden[::-1], grid])


def _dense(units: Sequence[int], gates: int = 1) -> Layers:
    return [
        (gates * (before + 1) * after, 2 * gates * after)
        for before, after in itertools.pairwise(units)
    ]
