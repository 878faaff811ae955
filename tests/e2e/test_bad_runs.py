"""Every damaged run folder and bad request: one message and no traceback."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import SMALL, Finished, refused

Command = Callable[..., Finished]


@pytest.fixture
def damaged(trained: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


def test_truncated_weights_are_named(command: Command, damaged: Path) -> None:
    file = damaged / "checkpoints" / "best.weights.h5"
    file.write_bytes(file.read_bytes()[:2000])
    done = command("generate", f"run={damaged}")
    refused(done, str(file), "truncated", "checkpoint=last")


def test_weights_of_another_model_are_named(command: Command, damaged: Path) -> None:
    config = damaged / "config.yaml"
    config.write_text(config.read_text().replace("latent_dim: 3", "latent_dim: 5"))
    refused(command("generate", f"run={damaged}"), "doesn't fit", str(config))


def test_weights_with_too_few_layers_are_named(command: Command, damaged: Path) -> None:
    config = damaged / "config.yaml"
    config.write_text(config.read_text().replace("  - 4\n", "  - 4\n  - 4\n"))
    refused(command("generate", f"run={damaged}"), "doesn't fit", str(config))


@pytest.mark.parametrize("name", ["config.yaml", "data.json"])
def test_missing_file_is_named(command: Command, damaged: Path, name: str) -> None:
    (damaged / name).unlink()
    refused(command("generate", f"run={damaged}"), str(damaged), name)


def test_half_written_data_record_is_named(command: Command, damaged: Path) -> None:
    (damaged / "data.json").write_text('{"spec": {"image_sh')
    refused(command("generate", f"run={damaged}"), "data.json", "resume=")


def test_missing_checkpoint_says_how_to_get_one(
    command: Command, damaged: Path
) -> None:
    (damaged / "checkpoints" / "best.weights.h5").unlink()
    refused(command("generate", f"run={damaged}"), "best.weights.h5", "resume=")


def test_damaged_training_state_is_named(command: Command, damaged: Path) -> None:
    state = damaged / "checkpoints" / "training_state.npz"
    state.write_bytes(state.read_bytes()[:3000])
    done = command("train", f"resume={damaged}", "epochs=9")
    refused(done, str(state))


def test_unwritable_output_is_named(command: Command, trained: Path) -> None:
    output = trained / "config.yaml" / "grid.png"
    done = command("generate", f"run={trained}", f"output={output}")
    refused(done, "can't be written", "output=<file>")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("mode=manifold", "dims=[0,3]"), "outside the run's 3 latent dimensions"),
        (("mode=manifold", "dims=[1,1]"), "two different dimensions"),
        (("gif=x.gif",), "needs mode=interpolation"),
        (("mode=traversal", "num_images=3"), "needs mode=prior"),
        (("temperature=-1",), "temperature=-1 must be at least 0"),
    ],
)
def test_request_that_does_not_fit_is_refused(
    command: Command, trained: Path, arguments: tuple[str, ...], part: str
) -> None:
    refused(command("generate", f"run={trained}", *arguments), part)


def test_resume_with_other_images_is_refused(command: Command, tmp_path: Path) -> None:
    def write(seed: int) -> None:
        rng = np.random.default_rng(seed)
        images = rng.integers(0, 256, (40, 8, 8), dtype=np.uint8)
        np.savez(tmp_path / "own.npz", x_train=images)

    write(0)
    run = tmp_path / "run"
    done = command(
        "train", "dataset=npz", f"dataset.path={tmp_path / 'own.npz'}", "epochs=1",
        "dataset.validation_size=10", "architecture.filters=[2]", f"run_dir={run}",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    write(1)
    refused(command("train", f"resume={run}", "epochs=2"), "data, which have changed")


def test_bad_pixels_leave_no_folder(command: Command, tmp_path: Path) -> None:
    images = np.full((20, 8, 8), 0.5)
    images[3, 0, 0] = np.nan
    np.savez(tmp_path / "nan.npz", x_train=images)
    run = tmp_path / "run"
    done = command(
        "train", "dataset=npz", f"dataset.path={tmp_path / 'nan.npz'}",
        f"run_dir={run}",
    )  # fmt: skip
    refused(done, "NaN", "1 of 20 images")
    assert not run.exists()


def test_run_folder_that_holds_files_is_not_overwritten(
    command: Command, trained: Path
) -> None:
    before = (trained / "metrics.csv").read_bytes()
    done = command("train", *SMALL, f"run_dir={trained}")
    refused(done, "never share or overwrite", f"resume={trained}")
    assert (trained / "metrics.csv").read_bytes() == before
