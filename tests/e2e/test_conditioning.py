"""Models with labels: a label requested, and refused where there are none."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import SMALL, Finished, refused, train_here

Command = Callable[..., Finished]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on squares, discs and triangles, z = 2."""
    folder = tmp_path_factory.mktemp("conditioning") / "run"
    return train_here(
        folder, *SMALL, "dataset.num_images=1500", "epochs=4", "conditioning=label"
    )


def drawn(command: Command, run: Path, *options: str) -> dict[str, np.ndarray]:
    file = run / "drawn.npz"
    done = command("generate", f"run={run}", f"save_npz={file}", *options)
    assert done.status == 0, done.stderr
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def test_one_class_a_row_or_the_one_asked_for(run: Path, command: Command) -> None:
    found = drawn(command, run)
    assert found["labels"].tolist() == [0] * 10 + [1] * 10 + [2] * 10
    found = drawn(command, run, "label=2", "num_images=5")
    assert found["labels"].tolist() == [2] * 5


def test_classes_drawn_from_the_same_codes_differ(run: Path, command: Command) -> None:
    each = [
        drawn(command, run, f"label={label}", "num_images=50") for label in range(3)
    ]
    np.testing.assert_array_equal(each[0]["z"], each[1]["z"])
    assert np.abs(each[0]["images"] - each[2]["images"]).max() > 0.1


@pytest.mark.parametrize(
    "options",
    [
        ("mode=manifold", "label=1"),
        ("mode=traversal", "label=0"),
        ("mode=interpolation", "label=2"),
        ("mode=interpolation",),
    ],
)
def test_every_mode_draws(options: tuple[str, ...], run: Path, command: Command):
    assert np.isfinite(drawn(command, run, *options)["images"]).all()


def test_label_that_is_missing_or_unknown_is_refused(
    run: Path, trained: Path, command: Command
) -> None:
    done = command("generate", f"run={run}", "mode=manifold")
    refused(done, "needs a label", "label=2")
    refused(command("generate", f"run={run}", "label=3"), "label=3", "0 to 2")
    done = command("generate", f"run={trained}", "label=1")
    refused(done, "conditioning=none", "vae-train conditioning=label")


def test_images_without_labels_are_refused_before_a_folder_is_made(
    tmp_path: Path, command: Command
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "bare.npz", x_train=images)
    options = ("dataset=npz", f"dataset.path={tmp_path / 'bare.npz'}")
    size = "dataset.validation_size=10"
    done = command(
        "train", *options, size, "conditioning=label", f"run_dir={tmp_path / 'run'}"
    )
    refused(done, "y_train", "conditioning=none")
    assert not (tmp_path / "run").exists()


def test_labels_that_were_not_trained_on_are_not_drawn(
    tmp_path: Path, command: Command
) -> None:
    run = train_here(
        tmp_path / "run", *SMALL, "epochs=1", "conditioning=label",
        "dataset.classes=[2,0]",
    )  # fmt: skip
    found = drawn(command, run)
    assert found["labels"].tolist() == [0] * 10 + [2] * 10
    refused(command("generate", f"run={run}", "label=1"), "label=1", "one of: 0, 2")
