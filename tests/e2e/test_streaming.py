"""A set that is streamed from its file, beside the same set in memory.

Fewer images than are shuffled together keep the same order and noise, so that both
train alike but for rounding; every command then finds the same.
"""

import csv
import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.conftest import Finished, train_here, vae

TRAIN = (
    "batch_size=64",
    "epochs=2",
    "dataset.validation_size=100",
    "latent_dim=3",
)
DENSE = ("architecture=dense", "architecture.hidden_units=[16]")
CLOCK = ("seconds", "images_per_second")
CONV = (
    "architecture=conv",
    "architecture.filters=[2,3]",
    "architecture.dense_units=[]",
)
LABEL = ("conditioning=label", "conditioning.learned_prior=true")
CASES = {
    "dense": (),
    "conv": CONV,
    "residual": (
        "architecture=residual_conv",
        "architecture.filters=[2,3]",
        "architecture.dense_units=8",
    ),
    "threshold": ("dataset.binarize=threshold",),
    "static": ("dataset.binarize=static", "prior=mog", "prior.components=3"),
    "dynamic": ("dataset.binarize=dynamic",),
    "without validation": ("dataset.validation_size=0",),
    "labels": LABEL,
    "noise": ("corruption=gaussian_noise",),
    "missing data": ("corruption=random_mask", "corruption.loss_on=observed"),
    "inpainting": (
        "corruption=quadrants",
        "corruption.loss_on=missing",
        "conditioning=observed",
        "conditioning.hidden_units=[8]",
    ),
    "bfloat16": ("precision=mixed_bfloat16",),
    "pseudo-inputs": ("prior=vamp", "prior.components=3", "prior.initialization=data"),
    "perceptual": ("objective=perceptual",),
    "one batch a call": ("steps_per_execution=1",),
}
USED = ("dense", "conv", "labels", "inpainting", "missing data")
"""Cases that every command is run for; the others only differ in training."""
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in CASES if name != "dense"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,400 images of 32 x 32: 1.3 MiB of training images, more than `memory_mb=1`."""
    rng = np.random.default_rng(0)
    labels = np.arange(1400) % 3
    images = rng.integers(0, 40, (1400, 32, 32), dtype=np.uint8)
    for label in range(3):
        images[labels == label, 9 * label : 9 * label + 12, 4:28] += 180
    file = tmp_path_factory.mktemp("data") / "images.npz"
    np.savez(
        file,
        x_train=images[:1340],
        y_train=labels[:1340],
        x_test=images[1340:],
        y_test=labels[1340:],
    )
    return file


def overrides(data: Path, streamed: bool, *own: str) -> list[str]:
    memory = "dataset.memory_mb=1" if streamed else "dataset.memory_mb=100"
    if not any(word.startswith("architecture=") for word in own):
        own = (*DENSE, *own)
    return ["dataset=npz", f"dataset.path={data}", memory, *TRAIN, *own]


def figures(run: Path) -> dict[str, np.ndarray]:
    """Return the columns of `metrics.csv` but those that a clock decides."""
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    columns = [name for name in rows[0] if name not in CLOCK and rows[0][name]]
    return {name: np.array([float(row[name]) for row in rows]) for name in columns}


def weights(run: Path) -> dict[str, np.ndarray]:
    found = {}

    def keep(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    with h5py.File(run / "checkpoints" / "last.weights.h5") as file:
        file.visititems(keep)
    return found


def same(one: dict, other: dict, **tolerance: float) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(one[name], other[name], **tolerance, err_msg=name)


def same_training(streamed: Path, held: Path) -> None:
    """Weights and figures are the same but for the last bits."""
    assert "are streamed from the file" in (streamed / "train.log").read_text()
    assert "are streamed" not in (held / "train.log").read_text()
    same(weights(streamed), weights(held), rtol=1e-3, atol=1e-5)
    same(figures(streamed), figures(held), rtol=1e-4, atol=1e-5)


def report(file: Path) -> dict:
    found = json.loads(file.read_text())
    for key in ("seconds", "run"):
        found.pop(key, None)
    found.get("protocol", {}).pop("weights_sha256", None)
    return found


def close(one: object, other: object, where: str) -> None:
    """Compare what JSON holds, numbers but for rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            close(one[key], other[key], f"{where} {key}")
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=2e-3, abs=1e-3), where
    else:
        assert isinstance(one, list) or one == other, where


def use(command, line: str, streamed: Path, held: Path) -> None:
    """Run a command on both runs, and compare the reports that it writes."""
    files = []
    for run in (streamed, held):
        done: Finished = command(*line.split(), f"run={run}")
        assert done.status == 0, f"{line}: {done.stderr}"
        # training before has printed its folder, too
        files.append([p for p in map(Path, done.stdout.split()) if p.is_file()])
        assert files[-1], line
    for one, other in zip(*files, strict=True):
        if one.suffix == ".json":
            close(report(one), report(other), line)


@pytest.mark.parametrize("name", ["dense", *SLOW])
def test_streamed_set_trains_and_is_used_as_the_one_in_memory(
    name: str, data: Path, tmp_path: Path, command
) -> None:
    own = CASES[name]
    streamed = train_here(tmp_path / "streamed", *overrides(data, True, *own))
    held = train_here(tmp_path / "held", *overrides(data, False, *own))
    same_training(streamed, held)
    lines = ["evaluate split=train num_images=200 importance_samples=5"]
    if name in USED:
        lines += [
            "evaluate generated_images=100 importance_samples=null",
            "plot-latent split=train",
            "anomaly split=train num_images=50",
            "reconstruct split=train num_images=50 corruption=half",
        ]
    if name in USED and name != "inpainting":
        label = " label=1" if name == "labels" else ""
        lines += [
            "generate",
            f"generate mode=traversal{label}",
            f"generate mode=interpolation{label}",
            "reconstruct split=train num_images=50 corruption=salt_and_pepper",
        ]
    for line in lines:
        use(command, line, streamed, held)


@pytest.mark.slow
def test_streamed_run_resumes_as_one_in_memory(
    data: Path, tmp_path: Path, command
) -> None:
    streamed = train_here(tmp_path / "streamed", *overrides(data, True, "epochs=1"))
    assert command("train", f"resume={streamed}", "epochs=2").status == 0
    held = train_here(tmp_path / "held", *overrides(data, False))
    same_training(streamed, held)


@pytest.mark.slow
def test_two_replicas_stream_as_they_hold(data: Path, tmp_path: Path) -> None:
    devices = ("distribution=mirrored", "distribution.devices=[CPU:0,CPU:1]")
    for streamed in (True, False):
        done = vae(
            "train",
            *overrides(data, streamed, *devices),
            f"run_dir={'streamed' if streamed else 'held'}",
            cwd=tmp_path,
        )
        assert done.status == 0, done.stderr
    runs = figures(tmp_path / "streamed"), figures(tmp_path / "held")
    same(*runs, rtol=1e-4)


@pytest.mark.slow
def test_set_without_test_images_is_streamed(data: Path, tmp_path: Path) -> None:
    with np.load(data) as arrays:
        np.savez(tmp_path / "bare.npz", x_train=arrays["x_train"])
    runs = [
        train_here(
            tmp_path / f"run{streamed}", *overrides(tmp_path / "bare.npz", streamed)
        )
        for streamed in (True, False)
    ]
    same_training(*runs)


@pytest.mark.slow
def test_more_images_than_are_shuffled_together_are_all_read_once(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "many.npz", x_train=rng.integers(0, 256, (17_000, 8, 8), np.uint8)
    )
    runs = [
        train_here(
            tmp_path / f"run{streamed}",
            *overrides(tmp_path / "many.npz", streamed, "batch_size=500", "epochs=1"),
        )
        for streamed in (True, False)
    ]
    one, other = (figures(run) for run in runs)
    assert one["loss"] == pytest.approx(other["loss"], rel=0.02)
