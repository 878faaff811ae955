"""Facts about a training before it starts: model, memory, seconds an epoch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np

from vae_cli.config.train import TrainConfig
from vae_cli.data.inspection import named_splits
from vae_cli.data.splits import ImageData
from vae_cli.memory import available
from vae_cli.runtime import matrix_products, without_retracing_advice
from vae_cli.training.build import build_learner, steps_per_epoch
from vae_cli.training.distribution import Distribution, build_distribution
from vae_cli.training.measuring import Speed, measure_speed
from vae_cli.training.memory import memory_estimate
from vae_cli.training.summary import parameters


@dataclass(frozen=True)
class LayerFacts:
    """A layer of a network.

    Attributes:
        name: its own.
        kind: its class.
        output_shape: without the batch; of several outputs, that of the first.
        parameters: numbers in its weights.
    """

    name: str
    kind: str
    output_shape: tuple[int | None, ...]
    parameters: int


@dataclass(frozen=True)
class ModelReport:
    """What would be trained, and what it takes.

    Attributes:
        options: group or key -> what is chosen.
        chosen: settings that were null and are chosen by the images.
        parameters: part of the model -> numbers in its weights.
        layers: network -> its layers.
        memory: what is held -> bytes, about.
        free_memory: bytes that this process may still take.
        batch_size: images per step.
        steps_per_epoch: of training.
        epochs: of the run.
        speed: as measured; None where it wasn't.
        not_measured: why it wasn't; empty where it was.
    """

    options: dict[str, Any]
    chosen: list[str]
    parameters: dict[str, int]
    layers: dict[str, list[LayerFacts]]
    memory: dict[str, float]
    free_memory: float
    batch_size: int
    steps_per_epoch: int
    epochs: int
    speed: Speed | None
    not_measured: str

    @property
    def total_parameters(self) -> int:
        """Return how many numbers the weights of all parts are."""
        return sum(self.parameters.values())

    def to_json(self) -> dict[str, Any]:
        """Return them for a report."""
        return {
            **asdict(self),
            "total_parameters": self.total_parameters,
            "memory": {name: round(size) for name, size in self.memory.items()},
            "speed": None if self.speed is None else self.speed.to_json(),
        }


def inspect_model(
    config: TrainConfig,
    data: ImageData,
    measure: bool = True,
    chosen: Sequence[str] = (),
) -> ModelReport:
    """Build what would be trained, and time a few steps of it; no file is written.

    Starts TensorFlow.

    Args:
        config: of the run.
        data: the images, checked to fit the config.
        measure: whether to take training steps.
        chosen: settings that were null in the config.

    Raises:
        ConfigError: no such devices.
    """
    alone = config.distribution.has_workers  # the others aren't here
    distribution = (
        Distribution()
        if alone
        else build_distribution(config.distribution, config.batch_size)
    )
    learner = build_learner(config, data, distribution)
    vae = learner.vae
    speed, not_measured = None, "" if measure else "measure=false"
    if alone and measure:
        not_measured = f"distribution={config.distribution.name} needs its workers"
    if not not_measured:
        with matrix_products(config.tf32), without_retracing_advice():
            speed = measure_speed(config, data, learner, distribution)
    return ModelReport(
        options=_options(config),
        chosen=list(chosen),
        parameters=parameters(vae, learner.objective),
        layers={
            network.name: layer_table(network)
            for network in vae.layers
            if isinstance(network, keras.Model)
        },
        memory=_memory(config, data),
        free_memory=float(available()),
        batch_size=config.batch_size,
        steps_per_epoch=steps_per_epoch(config, data),
        epochs=config.epochs,
        speed=speed,
        not_measured=not_measured,
    )


def layer_table(network: keras.Model) -> list[LayerFacts]:
    """Return the layers of a network in their order, those of inner networks too."""
    rows = []
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            rows += layer_table(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            size = int(sum(np.prod(weight.shape) for weight in layer.weights))
            kind = type(layer).__name__
            rows.append(LayerFacts(layer.name, kind, _output_shape(layer), size))
    return rows


def _output_shape(layer: keras.layers.Layer) -> tuple[int | None, ...]:
    """Return a layer's output shape; empty where it is used more than once."""
    try:
        outputs = keras.tree.flatten(layer.output)
    except (AttributeError, ValueError):
        return ()
    return tuple(outputs[0].shape[1:]) if outputs else ()


def _options(config: TrainConfig) -> dict[str, Any]:
    groups = (
        "architecture", "likelihood", "prior", "hierarchy", "conditioning",
        "corruption", "objective", "kl_annealing", "optimizer",
    )  # fmt: skip
    chosen = {group: getattr(config, group).name for group in groups}
    return {"latent_dim": config.latent_dim, "beta": config.beta, **chosen}


def _memory(config: TrainConfig, data: ImageData) -> dict[str, float]:
    """Return what training holds -> bytes."""
    parts = memory_estimate(config, data.spec.image_shape, len(data.train))
    held = [
        split.images.megabytes * 2**20
        for split in named_splits(data).values()
        if not split.images.streamed
    ]
    return {"images": sum(held), **parts}
