from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.conftest import SMALL, TINY
from tests.helpers import sized
from vae_cli.config.train import TrainConfig
from vae_cli.data.prepare import load_data
from vae_cli.data.splits import ImageData
from vae_cli.models.factory import build_model, build_model_and_objective
from vae_cli.models.objective import TrainingSetup
from vae_cli.training.distribution import Distribution
from vae_cli.training.inspection import inspect_model, layer_table
from vae_cli.training.summary import data_line, duration_line, model_line

KINDS = {
    "plain": (),
    "conv": ("architecture=conv", "architecture.filters=[3,4]"),
    "labels": ("conditioning=label",),
    "two_level": ("hierarchy=two_level", "latent_dim=4", "hierarchy.hidden_units=[5]"),
    "vamp": ("prior=vamp", "prior.components=3"),
    "observed": (
        "conditioning=observed",
        "corruption=quadrants",
        "corruption.loss_on=missing",
        "conditioning.hidden_units=[5]",
    ),
    "gan": ("objective=vae_gan",),
}


def prepared(*overrides: str) -> tuple[TrainConfig, ImageData]:
    config = sized(*overrides)
    return config, load_data(config.dataset)


def of_kind(kind: str) -> tuple[TrainConfig, ImageData]:
    drop = "architecture" if kind == "conv" else "none"
    return prepared(*(o for o in SMALL if not o.startswith(drop)), *KINDS[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_are_all_weights_of_the_model_and_its_objective(kind: str) -> None:
    config, data = of_kind(kind)
    report = inspect_model(config, data, measure=False)
    vae, objective = build_model_and_objective(
        config, data.spec, TrainingSetup(data.spec.image_shape, 10)
    )
    variables = [*vae.weights, *objective.trainable_variables]
    assert report.total_parameters == sum(int(np.prod(v.shape)) for v in variables)
    assert report.parameters["encoder"] == vae.encoder.count_params()
    assert report.parameters["decoder"] == vae.decoder.count_params()
    assert ("objective" in report.parameters) == (kind == "gan")


@pytest.mark.parametrize("kind", KINDS)
def test_layers_of_a_network_hold_all_its_parameters(kind: str) -> None:
    config, data = of_kind(kind)
    vae = build_model(config, data.spec)
    for network in (vae.encoder, vae.decoder):
        table = layer_table(network)
        assert sum(row.parameters for row in table) == network.count_params()


def test_layer_table_has_the_shapes_of_a_forward_pass() -> None:
    config, data = of_kind("conv")
    vae = build_model(config, data.spec)
    table = layer_table(vae.decoder)
    assert [row.output_shape for row in table if row.kind == "Conv2DTranspose"][-1] == (
        12,
        12,
        1,
    )
    for row in table:
        inner = keras.Model(vae.decoder.input, vae.decoder.get_layer(row.name).output)
        assert inner(np.zeros((1, 2), np.float32)).shape[1:] == row.output_shape


def test_an_epoch_is_its_measured_steps_and_the_validation() -> None:
    config, data = prepared(*SMALL, "epochs=7")
    report = inspect_model(config, data)
    speed = report.speed
    assert speed is not None
    assert (report.steps_per_epoch, report.not_measured) == (8, "")
    assert speed.steps >= 4
    assert 0 < speed.seconds_per_validation < speed.seconds_per_epoch
    assert speed.seconds_per_epoch == pytest.approx(
        8 * speed.seconds_per_step + speed.seconds_per_validation
    )
    assert speed.images_per_second == pytest.approx(32 / speed.seconds_per_step)
    assert speed.hours == pytest.approx(7 * speed.seconds_per_epoch / 3600)


def slow(*overrides: str) -> Any:
    return pytest.param(overrides, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    "overrides",
    [
        ("dataset.binarize=dynamic", "optimizer.ema_decay=0.9"),
        slow("batch_size=500"),
        slow("dataset.validation_size=0"),
        slow("objective=perceptual"),
        slow("precision=mixed_float16"),
    ],
    ids=lambda overrides: overrides[0],
)
def test_every_kind_of_training_can_be_measured(overrides: tuple[str, ...]) -> None:
    config, data = prepared(*TINY, "architecture=dense", *overrides)
    speed = inspect_model(config, data).speed
    assert speed is not None
    assert speed.seconds_per_step > 0
    assert bool(speed.seconds_per_validation) == bool(len(data.validation))


@pytest.mark.slow
def test_streamed_training_can_be_measured(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (1500, 32, 32, 1), np.uint8)
    np.savez(tmp_path / "x.npz", x_train=images)
    config, data = prepared(
        "dataset=npz", f"dataset.path={tmp_path}/x.npz", "dataset.memory_mb=1",
        "architecture=dense", "architecture.hidden_units=[8]",
    )  # fmt: skip
    assert data.streamed
    report = inspect_model(config, data)
    assert report.speed is not None
    assert report.memory["images"] == 2 * 150 * 32 * 32  # the others are streamed


def test_memory_is_that_of_the_images_and_of_training() -> None:
    config, data = prepared(*SMALL)
    memory = inspect_model(config, data, measure=False).memory
    assert memory["images"] == 360 * 12 * 12
    weights = memory["weights, gradients and the optimizer's moments"]
    parameters = build_model(config, data.spec).count_params()
    assert weights == pytest.approx(16 * parameters, rel=0.1)


def test_workers_that_are_not_here_are_not_waited_for() -> None:
    config, data = prepared(*TINY, "distribution=multi_worker")
    report = inspect_model(config, data)
    assert report.speed is None
    assert report.not_measured == "distribution=multi_worker needs its workers"


def test_three_lines_say_what_training_is_about() -> None:
    config, data = prepared(*SMALL, "epochs=3", "prior=vamp", "prior.components=3")
    vae, objective = build_model_and_objective(config, data.spec, TrainingSetup())
    total = sum(int(np.prod(v.shape)) for v in vae.weights)
    assert data_line(data) == (
        "images: 240 + 60 + 60 images (train, validation, test) of 12 x 12 x 1, uint8, "
        "3 classes; in memory, 51 KiB"
    )
    line = model_line(config, vae, objective)
    assert line.startswith(f"model: dense, {total:,} parameters (encoder ")
    assert line.endswith("), latent_dim=2, likelihood=bernoulli, prior=vamp")
    assert duration_line(config, data) == (
        "training: 8 steps an epoch, 32 images each, 3 epochs"
    )
    assert duration_line(config, data, 2).endswith("1 epoch after 2")


def test_inspection_leaves_the_config_and_the_images_as_they_are() -> None:
    config, data = prepared(*TINY, "architecture=dense")
    before, pixels = repr(config), data.train.images[:].copy()
    inspect_model(config, data)
    assert repr(config) == before
    np.testing.assert_array_equal(data.train.images[:], pixels)
    assert Distribution().replicas == 1
