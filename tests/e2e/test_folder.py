"""A folder of pictures through every command; values in a range of their own."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from tests.conftest import Finished, refused, train_here
from tests.data.pictures import class_folders, picture
from tests.e2e.runs import rows
from vae_cli import load
from vae_cli.config.compose import composed
from vae_cli.training.session import train

Command = Callable[..., Finished]
TINY = (
    "architecture=dense",
    "architecture.hidden_units=[8]",
    "latent_dim=3",
    "epochs=1",
)


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that were saved."""
    saved: list[Figure] = []
    savefig = Figure.savefig

    def keep(figure: Figure, *arguments, **options) -> None:
        saved.append(figure)
        savefig(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return saved


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folders(tmp_path_factory.mktemp("own") / "pictures", each=30)


@pytest.fixture(scope="module")
def labelled(root: Path) -> Path:
    words = (f"dataset.path={root}", "conditioning=label", *TINY)
    return train_here(root.parent / "labelled", "dataset=folder", *words)


@pytest.fixture(scope="module")
def plain(root: Path) -> Path:
    words = (f"dataset.path={root}", *TINY)
    return train_here(root.parent / "plain", "dataset=folder", *words)


def test_nothing_but_the_folder_is_needed(command: Command, root: Path, tmp_path: Path):
    done = command(
        "train", "dataset=folder", f"dataset.path={root}", "epochs=2",
        f"run_dir={tmp_path / 'run'}",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    assert "48 + 6 + 6 images (train, validation, test) of 12 x 12 x 3" in done.stderr
    assert "chosen for 48 images of 12 x 12 x 3: " in done.stderr
    assert "architecture.filters=[32,64] latent_dim=2 batch_size=32" in done.stderr
    config = (tmp_path / "run" / "config.yaml").read_text()
    assert "latent_dim: 2\n" in config
    assert "batch_size: 32\n" in config


@pytest.mark.parametrize("label", ["Food & Drink", "night", "1"])
def test_a_class_is_generated_by_its_name_or_number(
    command: Command, labelled: Path, label: str, tmp_path: Path
):
    done = command(
        "generate", f"run={labelled}", f"label={label}", "num_images=4",
        f"save_npz={tmp_path / 'a.npz'}",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    with np.load(tmp_path / "a.npz") as file:
        number = 0 if label == "Food & Drink" else 1
        np.testing.assert_array_equal(file["labels"], [number] * 4)
        expected = load(labelled).sample(4, label="night" if number else "Food & Drink")
        np.testing.assert_array_equal(file["images"], expected)


def test_name_of_a_class_makes_a_name_of_a_file(command: Command, labelled: Path):
    done = command("generate", f"run={labelled}", "label=Food & Drink")
    assert Path(done.stdout.split()[0]).name == "prior-labelFood-Drink.png"


def test_labels_that_were_changed_since_are_noticed(
    command: Command, root: Path, tmp_path: Path
):
    names = sorted(str(file.relative_to(root)) for file in root.rglob("*.png"))
    table = tmp_path / "labels.csv"

    def write(classes: str) -> None:
        rows = [f"{name},{classes[i % 2]}" for i, name in enumerate(names)]
        table.write_text("\n".join(["file,label", *rows]))

    write("ab")
    run = train_here(
        tmp_path / "run", "dataset=folder", f"dataset.path={root}",
        f"dataset.labels={table}", "conditioning=label", *TINY,
    )  # fmt: skip
    for other in ("ba", "cd"):
        write(other)
        refused(command("evaluate", f"run={run}"), "have changed since it started")
    write("ab")
    assert command("generate", f"run={run}", "label=b").status == 0


def test_a_class_that_is_not_there_is_refused_with_the_names(command, labelled):
    done = command("generate", f"run={labelled}", "label=nigth")
    refused(done, "label=nigth", "Food & Drink, night")


def test_evaluation_and_latent_plot_name_the_classes(command, labelled, figures):
    for name in ("evaluate", "plot_latent"):
        done = command(name.replace("_", "-"), f"run={labelled}")
        assert done.status == 0, done.stderr
    texts = [t.get_text() for f in figures for x in f.legends for t in x.get_texts()]
    assert {"Food & Drink", "night"} <= set(texts)


def test_own_pictures_of_any_size_and_mode_are_scored_by_name(
    command: Command, plain: Path, tmp_path: Path
):
    others = tmp_path / "others"
    grey = np.random.default_rng(0).integers(0, 256, (40, 25)).astype(np.uint8)
    picture(others / "deep" / "grey.png", grey)
    picture(others / "wide.jpg", np.dstack([grey] * 3))
    Image.new("RGBA", (5, 90), (10, 20, 30, 0)).save(others / "clear.png")
    done = command("anomaly", f"run={plain}", f"images={others}", "posterior_samples=2")
    assert done.status == 0, done.stderr
    assert "3 images: cropped and scaled to 12 x 12 pixels" in done.stderr
    assert "1 image: converted from grey to colour" in done.stderr
    with next((plain / "anomaly").glob("images-others*.csv")).open() as file:
        names = [row["image"] for row in csv.DictReader(file)]
    assert names == ["clear.png", "deep/grey.png", "wide.jpg"]


def test_split_is_scored_by_names_of_files_and_classes(command: Command, plain: Path):
    done = command("anomaly", f"run={plain}", "normal=[night]", "posterior_samples=2")
    assert done.status == 0, done.stderr
    report_file = next((plain / "anomaly").glob("test-*night*.json"))
    report = json.loads(report_file.read_text())
    assert report["normal_classes"] == ["night"]
    assert report["num_anomalous"] > 0
    with report_file.with_suffix(".csv").open() as file:
        for row in csv.DictReader(file):
            assert row["image"].startswith(f"{row['label']}/")
            assert int(row["anomalous"]) == (row["label"] != "night")


def test_classes_are_chosen_by_name(command: Command, root: Path, tmp_path: Path):
    run = train_here(
        tmp_path / "run", "dataset=folder", f"dataset.path={root}",
        "dataset.classes=[night]", *TINY,
    )  # fmt: skip
    assert set(load(run).split("train").label_names) == {"night"}
    done = command("reconstruct", f"run={run}", "corruption=half")
    assert done.status == 0, done.stderr


def test_own_pictures_are_restored_as_a_class(command: Command, labelled, tmp_path):
    picture(tmp_path / "a.png", np.full((30, 30, 3), 90, np.uint8))
    done = command(
        "reconstruct", f"run={labelled}", f"images={tmp_path / 'a.png'}", "label=night"
    )
    assert done.status == 0, done.stderr
    refused(
        command("reconstruct", f"run={labelled}", f"images={tmp_path / 'a.png'}"),
        "Food & Drink, night",
    )


def test_streamed_folder_that_resumes_equals_an_uninterrupted_run(tmp_path: Path):
    root = class_folders(tmp_path / "pictures", each=40, size=128)
    words = ("dataset=folder", f"dataset.path={root}", "dataset.memory_mb=1", *TINY)
    whole = train_here(tmp_path / "whole", *words, "epochs=3")
    assert load(whole).data.streamed
    parts = train_here(tmp_path / "parts", *words)
    words = [f"resume={parts}", "epochs=3"]
    train(composed("train", words), words)
    for one, other in zip(rows(whole), rows(parts), strict=True):
        # the order of images and their noise are equal; threads share long sums
        assert float(one["val_loss"]) == pytest.approx(float(other["val_loss"]), 1e-4)


def test_moved_folder_is_found_where_it_is_said_to_be(command: Command, tmp_path: Path):
    root = class_folders(tmp_path / "pictures")
    run = train_here(
        tmp_path / "run", "dataset=folder", f"dataset.path={root}", *TINY
    )  # fmt: skip
    root.rename(tmp_path / "moved")
    refused(command("evaluate", f"run={run}"), "dataset.path=")
    done = command("evaluate", f"run={run}", f"dataset.path={tmp_path / 'moved'}")
    assert done.status == 0, done.stderr


def test_a_picture_that_was_changed_since_is_noticed(command: Command, tmp_path: Path):
    root = class_folders(tmp_path / "pictures")
    run = train_here(
        tmp_path / "run", "dataset=folder", f"dataset.path={root}", *TINY
    )  # fmt: skip
    picture(root / "night" / "00.png", np.full((12, 12, 3), 7, np.uint8))
    refused(command("evaluate", f"run={run}"), "have changed since it started")


@pytest.mark.parametrize(
    ("low", "high", "options"),
    [
        (-1.0, 1.0, ()),
        (300.0, 700.0, ("dataset.value_range=standardize", "likelihood=gaussian")),
    ],
)
def test_values_enter_and_leave_in_their_own_range(
    command: Command, tmp_path: Path, low: float, high: float, options: tuple[str, ...]
):
    rng = np.random.default_rng(0)
    level = rng.uniform(low, high, (200, 1, 1))
    images = (level + rng.uniform(0, 1, (200, 8, 8))).astype(np.float32)
    images = np.clip(images, low, high)
    np.savez(tmp_path / "real.npz", x_train=images)
    run = train_here(
        tmp_path / "run", "dataset=npz", f"dataset.path={tmp_path / 'real.npz'}",
        *TINY, *options, "epochs=40", "optimizer.learning_rate=0.01",
    )  # fmt: skip
    assert float(rows(run)[-1]["val_neg_elbo"]) < float(rows(run)[0]["val_neg_elbo"])
    for name in ("generate", "evaluate", "anomaly", "reconstruct", "plot-latent"):
        done = command(name, f"run={run}")
        assert done.status == 0, done.stderr
    opened = load(run)
    samples = opened.sample(50)
    assert samples.min() > low - 0.3 * (high - low)
    assert samples.max() < high + 0.3 * (high - low)
    assert samples.max() - samples.min() > 0.3 * (high - low)
    restored = opened.reconstruct(images[:50])
    assert np.abs(restored[..., 0] - images[:50]).mean() < 0.2 * (high - low)
    # a picture of grey is as bright as its place in the range of the data
    grid = np.asarray(Image.open(run / "figures" / "reconstructions.png").convert("L"))
    assert grid.std() > 20


def test_what_standardized_values_do_not_go_with_is_refused(command, tmp_path):
    images = np.random.default_rng(0).normal(size=(60, 8, 8))
    np.savez(tmp_path / "real.npz", x_train=images)
    words = (
        "train", "dataset=npz", f"dataset.path={tmp_path / 'real.npz'}", *TINY,
        "dataset.value_range=standardize", f"run_dir={tmp_path / 'never'}",
    )  # fmt: skip
    refused(command(*words), "likelihood=bernoulli", "use likelihood=gaussian")
    refused(
        command(*words, "likelihood=gaussian", "corruption=half"), "corruption=half"
    )
    refused(command(*words, "likelihood=gaussian", "prior=vamp"), "prior=vamp")
    assert not (tmp_path / "never").exists()
