"""What a training is about, in three lines: images, model, duration."""

import numpy as np

from vae_cli.config.train import TrainConfig
from vae_cli.data.splits import ImageData
from vae_cli.data_spec import DataSpec
from vae_cli.models.objective import Elbo
from vae_cli.models.vae import VAE
from vae_cli.text import megabytes
from vae_cli.training.build import steps_per_epoch


def data_line(data: ImageData) -> str:
    """Return how many images there are, of which kind, and where they lie."""
    splits = {"train": data.train, "validation": data.validation, "test": data.test}
    having = {name: split for name, split in splits.items() if split}
    counts = " + ".join(f"{len(split):,}" for split in having.values())
    classes = len(data.spec.labels or ())
    words = [
        f"{counts} images ({', '.join(having)}) of "
        + " x ".join(map(str, data.spec.image_shape)),
        _pixels(data.spec),
        *([f"{classes:,} class{'' if classes == 1 else 'es'}"] if classes else []),
    ]
    size = sum(split.images.megabytes for split in having.values())
    place = "streamed from disk" if data.streamed else "in memory"
    return f"images: {', '.join(words)}; {place}, {megabytes(size)}"


def model_line(config: TrainConfig, vae: VAE, objective: Elbo) -> str:
    """Return what is trained, and how many parameters it has."""
    parts = parameters(vae, objective)
    networks = ", ".join(f"{name} {count:,}" for name, count in parts.items())
    options = [f"latent_dim={config.latent_dim}"]
    for group, usual in (
        ("likelihood", ""), ("latent", "continuous"), ("posterior", "gaussian"),
        ("prior", "standard"), ("hierarchy", "none"),
        ("conditioning", "none"), ("objective", "elbo"),
    ):  # fmt: skip
        name = getattr(config, group).name
        options += [f"{group}={name}"] if name != usual else []
    return (
        f"model: {config.architecture.name}, {sum(parts.values()):,} parameters "
        f"({networks}), {', '.join(options)}"
    )


def duration_line(config: TrainConfig, data: ImageData, done: int = 0) -> str:
    """Return how many steps an epoch has, and how many epochs there are.

    Args:
        config: of the run.
        data: the images.
        done: epochs that are trained already.
    """
    steps, left = steps_per_epoch(config, data), max(0, config.epochs - done)
    after = f" after {done}" if done else ""
    return (
        f"training: {steps:,} step{'' if steps == 1 else 's'} an epoch, "
        f"{min(config.batch_size, len(data.train)):,} images each, {left:,} "
        f"epoch{'' if left == 1 else 's'}{after}"
    )


def parameters(vae: VAE, objective: Elbo | None = None) -> dict[str, int]:
    """Return the parts of a model that have weights -> how many numbers these are.

    Args:
        vae: the model.
        objective: with a network that it trains, such as a discriminator.
    """
    parts: dict[str, int] = {}
    counted: set[int] = set()  # levels share networks
    weights = {layer.name: layer.weights for layer in vae.layers}
    if objective is not None:
        weights["objective"] = objective.trainable_variables
    for name, variables in weights.items():
        own = [variable for variable in variables if id(variable) not in counted]
        counted |= {id(variable) for variable in own}
        parts[name] = int(sum(np.prod(variable.shape) for variable in own))
    return {name: count for name, count in parts.items() if count}


def _pixels(spec: DataSpec) -> str:
    if spec.binary:
        return "pixels 0 or 1"
    return spec.pixels.dtype if spec.pixels.eight_bit else str(spec.pixels)
