"""`vae-inspect`: on a folder of pictures, on MNIST, on a run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import vae_cli as vae
from tests.conftest import SMALL, Finished, refused, train_here
from vae_cli.data.inspection import DataReport

Command = Callable[..., Finished]
FILES = ["contact-sheet.png", "report.json", "report.md"]
MODEL = ("architecture=dense", "architecture.hidden_units=[8]")
TRAINED = ("train", "validation", "test")


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of 65 pictures of three classes and four modes; two are broken."""
    root = tmp_path / "pictures"
    rng = np.random.default_rng(0)
    for number in range(60):
        coarse = rng.integers(0, 256, (4, 4, 3), np.uint8)
        image = Image.fromarray(coarse.repeat(5, 0).repeat(5, 1))
        mode = ("RGB", "L", "RGBA", "P")[number % 4]
        if number == 5:
            image = image.resize((40, 20), Image.Resampling.NEAREST)
        save(image.convert(mode), root / f"{'ab'[number % 2]}/{number:02}.png")
    first = Image.open(root / "a/00.png")
    save(first, root / "b/copy.png")  # the pixels of another class's
    save(first.resize((60, 60), Image.Resampling.BICUBIC), root / "a/larger.webp")
    save(Image.new("RGB", (20, 20), "red"), root / "rare/single.png")
    (root / "a/broken.png").write_bytes((root / "a/00.png").read_bytes()[:60])
    (root / "b/empty.jpg").touch()
    return root


def save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, lossless=True)


def words(pictures: Path) -> tuple[str, ...]:
    return ("dataset=folder", f"dataset.path={pictures}", "dataset.image_size=20")


def report(folder: str | Path) -> Any:
    return json.loads((Path(folder) / "report.json").read_text())


def test_folder_of_pictures_is_reported(pictures: Path, command: Command) -> None:
    done = command("inspect", *words(pictures), *MODEL, "dataset.on_bad_file=skip")
    assert done.status == 0, done.stderr
    names = sorted([*FILES, "duplicates.png"])
    assert sorted(file.name for file in Path("inspection").iterdir()) == names
    assert done.stdout.splitlines()[-4:] == [
        f"inspection/{name}"
        for name in ("report.json", "report.md", "contact-sheet.png", "duplicates.png")
    ]
    found = report("inspection")["data"]
    files = found["files"]
    assert files["sizes"] == [[20, 20, 61], [60, 60, 1], [20, 40, 1]]
    assert sum(files["modes"].values()) == 63
    assert {"RGB", "L", "RGBA", "P"} == {*files["modes"]}
    assert files["formats"] == {"PNG": 62, "WEBP": 1}
    assert sorted(files["bad"]) == ["a/broken.png", "b/empty.jpg"]
    assert files["bad"]["b/empty.jpg"] == "the file is empty"


def test_duplicates_of_pictures_are_named(pictures: Path, command: Command) -> None:
    whole = ("dataset.validation_size=0", "dataset.test_size=0", "measure=false")
    command("inspect", *words(pictures), *MODEL, *whole, "dataset.on_bad_file=skip")
    found = report("inspection")["data"]
    (group,) = found["duplicates"]["groups"]
    assert [(p["name"], p["label"]) for p in group] == [
        ("a/00.png", "a"),
        ("b/copy.png", "b"),
    ]
    (pair,) = found["duplicates"]["near"]
    assert {pair["first"]["name"], pair["second"]["name"]} == {
        "a/00.png",
        "a/larger.webp",
    }
    text = Path("inspection/report.md").read_text()
    for line in (
        "2 files can't be read: a/broken.png (",
        "1 image repeats the pixels of another (1 group)",
        "the labels differ within 1 group of images of the same pixels",
        "1 pair of images looks alike",
        "a class has a single image: rare",
    ):
        assert line in text
    assert found["splits"]["train"]["classes"] == {"a": 31, "b": 31, "rare": 1}


def test_bad_files_end_it_as_they_would_end_training(
    pictures: Path, command: Command
) -> None:
    done = command("inspect", *words(pictures), *MODEL, "measure=false")
    refused(done, "2 of 65 pictures can't be read", "b/empty.jpg: the file is empty")
    found = report("inspection")
    assert "vae-train would stop" in done.stdout
    assert found["refused"][0] in done.stderr
    assert sorted(found["data"]["files"]["bad"]) == ["a/broken.png", "b/empty.jpg"]
    trained = command("train", *words(pictures), *MODEL)
    assert trained.status == 1
    assert trained.stderr.splitlines()[-4:] == done.stderr.splitlines()[-4:]


def test_sizes_without_a_common_one_are_refused_as_by_train(
    pictures: Path, command: Command
) -> None:
    overrides = ("dataset=folder", f"dataset.path={pictures}")
    done = command("inspect", *overrides, "dataset.on_bad_file=skip")
    refused(done, "20 x 20 (62), 60 x 60 (1), 40 x 20 (1)", "dataset.image_size=20")
    assert not Path("inspection").exists()


def test_report_never_becomes_part_of_the_pictures(
    pictures: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = command("inspect", *words(pictures), f"output={pictures}/found")
    refused(done, f"output={pictures}/found lies in dataset.path={pictures}")
    monkeypatch.chdir(pictures)
    refused(command("inspect", *words(Path())), "output=inspection lies in")
    assert not (pictures / "inspection").exists()


def test_mnist_is_inspected_and_nothing_is_left_but_the_report(
    command: Command, tmp_path: Path
) -> None:
    few = ("dataset.max_images_per_split=300", "dataset.binarize=static")
    done = command("inspect", "dataset=mnist", *few, *MODEL, "output=found")
    assert done.status == 0, done.stderr
    assert sorted(file.name for file in tmp_path.iterdir()) == ["found"]
    assert sorted(file.name for file in Path("found").iterdir()) == FILES
    found = report("found")
    data, model = found["data"], found["model"]
    assert data["image_shape"] == [28, 28, 1]
    assert {n: s["images"] for n, s in data["splits"].items()} == dict.fromkeys(
        TRAINED, 300
    )
    assert list(data["splits"]["test"]["classes"]) == [*"0123456789"]
    assert (data["binary"], data["values"]["distinct_values"]) == (True, 2)
    assert sum(data["values"]["histogram"]["counts"][0]) == 300 * 28 * 28
    fitting = {fit["name"]: fit["why"] for fit in data["likelihoods"]}
    assert fitting["bernoulli"].startswith("the probability of pixels")
    assert model["total_parameters"] == 784 * 8 + 8 + 2 * (8 * 2 + 2) + 3 * 8 + 9 * 784
    assert (model["steps_per_epoch"], model["epochs"]) == (3, 30)
    assert model["speed"]["seconds_per_epoch"] > 0
    sheet = np.asarray(Image.open("found/contact-sheet.png").convert("L"))
    assert sheet.std() > 20


def test_contact_sheet_has_a_row_for_each_class(pictures: Path) -> None:
    overrides = (*words(pictures), *MODEL, "dataset.on_bad_file=skip")
    found = vae.inspect(*overrides, measure=False)
    axis = found.contact_sheet(num_images=12).subfigs[0].axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b", "rare"]
    side = axis.images[0].get_array().shape
    assert side[1] / side[0] == pytest.approx(4 / 3, rel=0.02)


def test_run_is_inspected_into_its_own_folder(command: Command) -> None:
    run = train_here(Path("run"), *SMALL, "epochs=1", "latent_dim=3")
    done = command("inspect", "run=run", "measure=false", "num_images=5")
    assert done.status == 0, done.stderr
    found = report("run/inspection")
    assert found["run"] == "run"
    assert found["model"]["options"]["latent_dim"] == 3
    assert found["model"]["speed"] is None
    assert found["data"]["dataset"] == "synthetic"
    assert not Path("inspection").exists()
    from_python = vae.load(run).inspect(measure=False)
    assert from_python.to_json()["data"] == found["data"]
    assert vae.inspect(run="run", measure=False).run == "run"


def test_run_takes_no_override_of_training(command: Command) -> None:
    train_here(Path("run"), *SMALL, "epochs=1")
    done = command("inspect", "run=run", "latent_dim=3")
    refused(done, "run= can't be combined with latent_dim=3", status=2)
    refused(command("inspect", "resume=run"), "to inspect it: run=run")
    refused(command("inspect", "run=runn"), "run=runn does not exist")


def test_run_whose_file_has_moved_is_inspected_where_it_is(command: Command) -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 6, 6), np.uint8)
    np.savez("images.npz", x_train=images)
    train_here(
        Path("run"), "dataset=npz", "dataset.path=images.npz", *MODEL, "epochs=1"
    )
    Path("images.npz").rename("elsewhere.npz")
    moved = ("inspect", "run=run", "dataset.path=elsewhere.npz", "measure=false")
    assert command(*moved).status == 0
    assert report("run/inspection")["data"]["splits"]["train"]["images"] == 48
    refused(command("inspect", "run=run"), "can't be loaded")


def test_images_that_training_refuses_are_reported_all_the_same(
    command: Command,
) -> None:
    images = np.random.default_rng(0).normal(size=(60, 6, 6)).astype(np.float32)
    np.savez("images.npz", x_train=images)
    overrides = ("dataset=npz", "dataset.path=images.npz", *MODEL)
    for more, reason in (
        (("conditioning=label",), "conditioning=label needs the label of every image"),
        (("dataset.value_range=standardize",), "use likelihood=gaussian"),
    ):
        done = command("inspect", *overrides, *more)
        refused(done, reason)
        found = report("inspection")
        assert found["model"] is None
        assert found["data"]["splits"]["train"]["images"] == 48
        refused(command("train", *overrides, *more), reason)


def test_copies_are_found_before_pixels_are_drawn(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(50, 200, (40, 6, 6), np.uint8)
    np.savez("images.npz", x_train=images, x_test=images[:3])
    overrides = ("dataset=npz", "dataset.path=images.npz", *MODEL)
    data: DataReport = vae.inspect(
        *overrides, measure=False, dataset={"binarize": "static", "validation_size": 0}
    ).data
    assert data.duplicates.leaked == {"test": 3}
    assert data.values.distinct == 2


def test_an_earlier_report_leaves_no_figure_of_its_own_behind(
    pictures: Path, command: Command
) -> None:
    skip = (*MODEL, "dataset.on_bad_file=skip", "measure=false")
    command("inspect", *words(pictures), *skip)
    assert Path("inspection/duplicates.png").exists()
    for name in ("a/larger.webp", "b/copy.png"):
        (pictures / name).unlink()
    command("inspect", *words(pictures), *skip)
    assert not Path("inspection/duplicates.png").exists()


def test_output_that_is_a_file_is_refused(command: Command) -> None:
    Path("found").touch()
    done = command("inspect", *SMALL, "measure=false", "output=found")
    refused(done, "found can't be written", "output=<folder>")


def test_train_says_in_three_lines_what_it_is_about(command: Command) -> None:
    done = command("train", *SMALL, "epochs=1", "latent_dim=2", "run_dir=run")
    wanted = [
        "images: 240 + 60 + 60 images (train, validation, test) of 12 x 12 x 1, uint8, "
        "3 classes; in memory, 51 KiB",
        "model: dense, 4,884 parameters (encoder 2,388, decoder 2,496), latent_dim=2, "
        "likelihood=bernoulli",
        "training: 8 steps an epoch, 32 images each, 1 epoch",
    ]
    lines = done.stderr.splitlines()
    begin = lines.index(wanted[0])
    assert lines[begin : begin + 3] == wanted
    log = Path("run/train.log").read_text()
    assert all(line in log for line in wanted)
    assert log.index(wanted[2]) < log.index("epoch 1/1")
