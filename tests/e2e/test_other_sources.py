"""Every kind of data file and collection: trained, resumed, evaluated, sampled."""

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from tests.conftest import Finished, evaluate_here, refused, train_here
from tests.e2e.runs import rows

Command = Callable[..., Finished]
OPTIONS = (
    "architecture=dense",
    "architecture.hidden_units=[8]",
    "latent_dim=2",
    "batch_size=50",
    "epochs=1",
)
COUNT = 600
LABELS = np.arange(COUNT) % 3
NAMES = ["cat", "dog", "emu"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAE_CACHE", str(tmp_path / "cache"))


def bright_bars(dtype: str, high: float) -> np.ndarray:
    """Images [600, 32, 32] of any type, a bar by class: 1.2 MB as uint16."""
    rng = np.random.default_rng(0)
    images = rng.random((COUNT, 32, 32)) * 0.3
    for label in range(3):
        images[label == LABELS, :, 10 * label : 10 * label + 8] += 0.7
    return (images * high).astype(dtype)


def generated(command: Command, run: Path) -> np.ndarray:
    """Return samples in the data's own range."""
    done = command(
        "generate", f"run={run}", "num_images=8", f"save_npz={run / 'own.npz'}"
    )
    assert done.status == 0, done.stderr
    with np.load(run / "own.npz") as file:
        return file["images"]


def streams(run: Path) -> bool:
    return "are streamed from the file" in (run / "train.log").read_text()


@pytest.mark.parametrize(
    "storage", ["gzip", pytest.param("contiguous", marks=pytest.mark.slow)]
)
def test_hdf5_larger_than_memory_is_trained_on_resumed_and_sampled_in_its_range(
    storage: str, tmp_path: Path, command: Command
) -> None:
    images = bright_bars(">u2", 4095)
    how = {"chunks": (7, 32, 16), "compression": "gzip"} if storage == "gzip" else {}
    with h5py.File(tmp_path / "cells.h5", "w") as file:
        file.create_dataset("images", data=images, **how)
        file["labels"] = [NAMES[label] for label in LABELS]
    run = tmp_path / "run"
    data = ("dataset=hdf5", f"dataset.path={tmp_path / 'cells.h5'}")
    done = command(
        "train", *data, "dataset.memory_mb=1", "dataset.validation_size=20",
        "dataset.test_size=20", *OPTIONS, f"run_dir={run}", "conditioning=label",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    assert streams(run)
    assert command("train", f"resume={run}", "epochs=2").status == 0
    held = train_here(
        tmp_path / "held", *data, "dataset.validation_size=20", "dataset.test_size=20",
        *OPTIONS, "conditioning=label", "epochs=2",
    )  # fmt: skip
    assert not streams(held)
    for one, other in zip(rows(run), rows(held), strict=True):
        assert float(one["loss"]) == pytest.approx(float(other["loss"]), rel=1e-4)
    spec = json.loads((run / "data.json").read_text())["spec"]
    assert spec["pixels"]["dtype"] == "uint16"
    assert spec["pixels"]["high"] == 4095
    assert spec["class_names"] == NAMES
    assert evaluate_here(run, "importance_samples=2")["num_images"] == 20
    samples = generated(command, run)
    assert samples.max() > 300 and samples.min() >= 0
    assert abs(samples.mean() / images.mean() - 1) < 0.5


def test_npy_of_real_numbers_is_trained_on_and_sampled_in_its_range(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = bright_bars("float64", 2) - 500
    np.save(tmp_path / "heights.npy", images)
    (tmp_path / "heights.csv").write_text("\n".join(NAMES[label] for label in LABELS))
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    done = command(
        "train", "dataset=npy", "dataset.path=heights.npy",
        "dataset.labels=heights.csv", "dataset.memory_mb=1", "likelihood=gaussian",
        *OPTIONS, f"run_dir={run}",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    assert streams(run)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")  # both files are found from there
    assert evaluate_here(run, "importance_samples=2")["num_images"] == 60
    samples = generated(command, run)
    assert samples.min() > -500.5 and samples.max() < -497.5


def test_large_array_is_resized_trained_on_and_resumed(
    tmp_path: Path, command: Command
) -> None:
    np.savez(tmp_path / "own.npz", photos=bright_bars("uint16", 65535))
    run = tmp_path / "run"
    done = command(
        "train", "dataset=npz", f"dataset.path={tmp_path / 'own.npz'}",
        "dataset.memory_mb=1", "dataset.image_size=40", *OPTIONS, f"run_dir={run}",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    assert streams(run)
    assert command("train", f"resume={run}", "epochs=2").status == 0
    assert generated(command, run).shape[1:3] == (40, 40)


def collection(kind: str, folder: Path) -> tuple[Path, str]:
    """Write 600 pictures of three classes; returns the folder and its data set."""
    pictures = bright_bars("uint8", 255)[..., None].repeat(3, axis=-1)
    if kind == "huggingface":
        datasets = pytest.importorskip("datasets")
        features = {"img": datasets.Image(), "y": datasets.ClassLabel(names=NAMES)}
        datasets.Dataset.from_dict(
            {"img": list(pictures), "y": LABELS}, features=datasets.Features(features)
        ).save_to_disk(str(folder / "set"))
        return folder / "set"
    tfds = pytest.importorskip("tensorflow_datasets")
    features = {
        "image": tfds.features.Image(shape=(32, 32, 3)),
        "label": tfds.features.ClassLabel(names=NAMES),
    }
    records = [
        (i, {"image": picture, "label": label})
        for i, (picture, label) in enumerate(zip(pictures, LABELS, strict=True))
    ]
    builder = tfds.dataset_builders.store_as_tfds_dataset(
        "own",
        "1.0.0",
        features=tfds.features.FeaturesDict(features),
        split_datasets={"train": records},
        data_dir=str(folder / "set"),
    )
    return Path(builder.data_dir)


@pytest.mark.parametrize("kind", ["huggingface", "tfds"])
def test_collection_is_trained_on_resumed_evaluated_and_sampled(
    kind: str, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = collection(kind, tmp_path)
    monkeypatch.chdir(path.parent)
    run = tmp_path / "run"
    done = command(
        "train", f"dataset={kind}", f"dataset.path={path.name}", "dataset.memory_mb=1",
        "conditioning=label", *OPTIONS, f"run_dir={run}",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    assert streams(run)
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["dataset"]["path"] == str(path)
    monkeypatch.chdir(tmp_path)
    assert command("train", f"resume={run}", "epochs=2").status == 0
    report = evaluate_here(run, "importance_samples=2")
    assert report["num_images"] == 60
    spec = json.loads((run / "data.json").read_text())["spec"]
    assert spec["class_names"] == NAMES
    samples = generated(command, run)
    assert samples.min() >= 0 and samples.max() <= 1
    path.rename(tmp_path / "moved")
    moved = (f"run={run}", f"dataset.path={tmp_path / 'moved'}", "importance_samples=2")
    refused(command("evaluate", *moved[::2]), "dataset.path=<file>")
    assert command("evaluate", *moved).status == 0


@pytest.mark.parametrize("kind", ["huggingface", "tfds"])
def test_name_that_is_no_local_path_stays_a_name(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vae_cli.config.compose import composed

    monkeypatch.chdir(tmp_path)
    own = composed("train", [f"dataset={kind}", "dataset.path=mnist"]).dataset
    own.make_absolute()
    assert own.path == "mnist"
    (tmp_path / "mnist").mkdir()
    own.make_absolute()
    assert own.path == str(tmp_path / "mnist")


def test_run_on_a_named_set_is_evaluated_from_anywhere(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection("tfds", tmp_path)
    monkeypatch.chdir(tmp_path)
    done = command(
        "train", "dataset=tfds", "dataset.path=own", "dataset.data_dir=set",
        *OPTIONS, "run_dir=run",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    run = tmp_path / "run"
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["dataset"]["path"] == "own"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert evaluate_here(run, "importance_samples=2")["num_images"] == 60
    (tmp_path / "set").rename(tmp_path / "gone")
    monkeypatch.setattr("vae_cli.data.tfds.PREPARE", "import sys; sys.exit('offline')")
    done = command("evaluate", f"run={run}", "importance_samples=2")
    refused(done, "make them available under this name again")
