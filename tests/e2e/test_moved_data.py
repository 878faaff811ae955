"""A run whose data file has moved, or whose data set has no test images."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.conftest import Finished, refused, train_here
from tests.helpers import grey_images

Command = Callable[..., Finished]
DATA = {"x_train": grey_images(40, 8, 8), "y_train": np.arange(40) % 2}
OPTIONS = (
    "dataset=npz",
    "dataset.validation_size=10",
    "dataset.test_size=0",
    "architecture=dense",
    "architecture.hidden_units=[8]",
    "latent_dim=2",
    "batch_size=10",
    "epochs=1",
)
QUICK = {
    "generate": ("mode=interpolation",),
    "plot-latent": (),
    "evaluate": ("importance_samples=2",),
    "reconstruct": ("num_images=4",),
    "anomaly": ("posterior_samples=1",),
    "encode": (),
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a run below outputs/ and its data in data/images.npz."""
    project = tmp_path_factory.mktemp("moved") / "project"
    (project / "data").mkdir(parents=True)
    file = project / "data" / "images.npz"
    np.savez(file, **DATA)
    train_here(project / "outputs" / "run", f"dataset.path={file}", *OPTIONS)
    return project


@pytest.fixture
def project(kept: Path, tmp_path: Path) -> Path:
    """The project at another place, and no data file where the run had it."""
    shutil.copytree(kept, tmp_path / "project")
    run = tmp_path / "project" / "outputs" / "run"
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["dataset"]["path"] = str(tmp_path / "gone" / "data" / "images.npz")
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    return tmp_path / "project"


def elsewhere(project: Path) -> Path:
    """Move the data file where nobody looks for it."""
    file = project / "data" / "images.npz"
    return file.rename(project / "data" / "renamed.npz")


@pytest.mark.parametrize("name", QUICK)
def test_every_command_takes_the_new_place(
    command: Command, project: Path, name: str
) -> None:
    run, file = project / "outputs" / "run", elsewhere(project)
    done = command(name, f"run={run}", *QUICK[name])
    refused(done, "does not exist", "dataset.path=<file>")
    done = command(name, f"run={run}", f"dataset.path={file}", *QUICK[name])
    assert done.status == 0, done.stderr


def test_other_images_at_the_new_place_are_refused(
    command: Command, project: Path
) -> None:
    np.savez(project / "other.npz", x_train=DATA["x_train"][::-1])
    done = command(
        "evaluate", f"run={project}/outputs/run", f"dataset.path={project}/other.npz"
    )
    refused(done, "doesn't fit its data")


def test_project_that_moved_as_a_whole_is_found(
    command: Command, project: Path
) -> None:
    done = command("plot-latent", f"run={project}/outputs/run")
    assert done.status == 0, done.stderr
    assert f"the images are read from {project}/data/images.npz" in done.stderr


def test_path_as_it_was_typed_is_found_from_the_current_folder(
    command: Command, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here" / "data").mkdir(parents=True)
    file = tmp_path / "here" / "data" / "images.npz"
    elsewhere(project).rename(file)
    monkeypatch.chdir(tmp_path / "here")
    done = command("plot-latent", f"run={project}/outputs/run")
    assert done.status == 0, done.stderr
    assert str(file) in done.stderr


def test_resumed_run_takes_the_new_place_and_keeps_it(
    command: Command, project: Path
) -> None:
    run, file = project / "outputs" / "run", elsewhere(project)
    done = command("train", f"resume={run}", "epochs=2", f"dataset.path={file}")
    assert done.status == 0, done.stderr
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert (config["epochs"], config["dataset"]["path"]) == (2, str(file))


def test_own_images_need_none_of_the_run(command: Command, project: Path) -> None:
    elsewhere(project)
    pixels = np.zeros((8, 8, 2), np.uint8)
    pixels[..., 1] = 255
    Image.fromarray(pixels, "LA").save(project / "whole.png")
    run = f"run={project}/outputs/run"
    done = command("reconstruct", run, f"images={project}/whole.png")
    assert done.status == 0, done.stderr
    pixels[:4, :, 1] = 0
    Image.fromarray(pixels, "LA").save(project / "hole.png")
    done = command("reconstruct", run, f"images={project}/hole.png")
    assert done.status == 0, done.stderr
    assert "mean_fill is left out" in done.stderr


def test_set_that_is_no_file_has_no_path(command: Command, trained: Path) -> None:
    done = command("plot-latent", f"run={trained}", "dataset.path=images.npz")
    refused(done, "dataset.path=images.npz", "dataset=synthetic")


@pytest.mark.parametrize(
    ("word", "part"),
    [
        ("dataset.pth=a.npz", "dataset.path"),
        ("dataset=a.npz", "dataset.path"),
        ("dataset.max_images_per_split=3", "dataset.path"),
    ],
)
def test_other_keys_of_the_data_set_are_refused(
    command: Command, word: str, part: str
) -> None:
    done = command("generate", word)
    refused(done, word.partition("=")[0], part)
    assert "needs dataset=" not in done.stderr


@pytest.mark.parametrize(
    "name", ["plot-latent", "evaluate", "reconstruct", "anomaly", "encode"]
)
def test_set_without_test_images_uses_validation_and_says_so(
    command: Command, kept: Path, name: str
) -> None:
    run = kept / "outputs" / "run"
    done = command(name, f"run={run}", *QUICK[name])
    assert done.status == 0, done.stderr
    assert "no test images: its validation images are used" in done.stderr
    files = [Path(word) for word in done.stdout.split()]
    assert all("validation" in file.name for file in files)
    for file in files:
        if file.suffix == ".json":
            report = json.loads(file.read_text())
            assert "validation" in (report.get("split"), report.get("images"))
    refused(command(name, f"run={run}", "split=test"), "split=test has no images")
