"""`vae-encode`: codes in files, read back, beside those that Python gives."""

import csv
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import SMALL, Finished, refused, train_here
from vae_cli import load
from vae_cli.data import given_files
from vae_cli.errors import VaeCliError
from vae_cli.runs import codes as codes_module

Command = Callable[..., Finished]
NUMBERS = {"rtol": 1e-5, "atol": 1e-6}
"""Batches of other sizes differ by rounding."""


def encoded(command: Command, run: Path, *options: str) -> Finished:
    done = command("encode", f"run={run}", *options)
    assert done.status == 0, done.stderr
    return done


def table(path: Path) -> dict[str, list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    return dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))


def matrix(columns: dict[str, list[str]], name: str) -> np.ndarray:
    chosen = [v for k, v in columns.items() if k.rpartition("_")[0] == name]
    return np.array(chosen, np.float32).T


def written(command: Command, run: Path, tmp_path: Path, *options: str) -> dict:
    encoded(command, run, f"output={tmp_path / 'codes.csv'}", *options)
    return table(tmp_path / "codes.csv")


def save_pictures(folder: Path, *names: str, size: tuple[int, int] = (12, 12)) -> None:
    for index, name in enumerate(names):
        pixels = np.random.default_rng(index).integers(0, 256, size, np.uint8)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name, format="png")


def test_codes_of_a_split_are_those_of_python_and_land_in_the_run(
    command: Command, trained: Path
) -> None:
    done = encoded(command, trained)
    assert done.stdout == f"{trained / 'codes' / 'test.csv'}\n"
    columns = table(Path(done.stdout.strip()))
    run = load(trained)
    test = run.split("test")
    assert list(columns) == [
        "image", "label", "mean_0", "mean_1", "mean_2",
        "log_var_0", "log_var_1", "log_var_2",
    ]  # fmt: skip
    assert columns["image"] == [f"test[{i}]" for i in range(len(test))]
    assert columns["label"] == test.label_names.tolist()
    posterior = run.encode(test)
    np.testing.assert_allclose(matrix(columns, "mean"), posterior.mean, **NUMBERS)
    np.testing.assert_allclose(matrix(columns, "log_var"), posterior.log_var, **NUMBERS)


def test_text_of_a_number_reads_back_as_the_same_float32(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    columns = written(command, trained, tmp_path)
    encoded(command, trained, f"output={tmp_path / 'codes.npz'}")
    with np.load(tmp_path / "codes.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(matrix(columns, "mean"), arrays["mean"])
        np.testing.assert_array_equal(matrix(columns, "log_var"), arrays["log_var"])
        assert arrays["mean"].dtype == np.float32
        assert arrays["names"].tolist() == columns["image"]
        assert arrays["labels"].tolist() == columns["label"]


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_batch_size_changes_no_result(
    command: Command, trained: Path, tmp_path: Path, batch_size: int
) -> None:
    options = ("scores=true", "posterior_samples=3", "num_images=20")
    whole = written(command, trained, tmp_path, *options)
    parts = written(command, trained, tmp_path, *options, f"batch_size={batch_size}")
    assert parts["image"] == whole["image"]
    for name in list(whole)[2:]:
        numbers = [np.array(columns[name], float) for columns in (parts, whole)]
        np.testing.assert_allclose(*numbers, rtol=2e-4, atol=1e-5)


def test_scores_are_those_of_the_anomaly_command(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    options = ("num_images=15", "posterior_samples=4", "seed=3")
    done = command("anomaly", f"run={trained}", *options, f"output={tmp_path}")
    assert done.status == 0, done.stderr
    scored = table(Path(done.stdout.splitlines()[1]))
    columns = written(command, trained, tmp_path, *options, "scores=true")
    assert columns["image"] == scored["image"]
    names = list(columns)[8:]
    assert names == [
        "neg_elbo", "nll", "reconstruction", "kl", "unexplained_variance",
    ]  # fmt: skip
    for name in names:
        both = np.array(columns[name], float), np.array(scored[name], float)
        np.testing.assert_allclose(*both, rtol=1e-4)


def test_all_splits_come_one_after_another(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    columns = written(command, trained, tmp_path, "split=all", "num_images=6")
    assert list(columns)[:3] == ["image", "split", "label"]
    assert columns["split"] == ["train"] * 6 + ["validation"] * 6 + ["test"] * 6
    assert all(
        image.startswith(f"{split}[")
        for image, split in zip(columns["image"], columns["split"], strict=True)
    )
    run = load(trained)
    for begin, name in ((0, "train"), (6, "validation"), (12, "test")):
        rows = [int(i.strip(f"{name}[]")) for i in columns["image"][begin : begin + 6]]
        own = run.encode(run.split(name).take(rows)).mean
        np.testing.assert_allclose(
            matrix(columns, "mean")[begin : begin + 6], own, **NUMBERS
        )


def test_parquet_holds_the_same_table(
    command: Command, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(codes_module, "ROW_GROUP", 10)
    save_pictures(tmp_path / "own", *(f"{i}.png" for i in range(25)))
    options = (f"images={tmp_path / 'own'}", "batch_size=5", "scores=true")
    columns = written(command, trained, tmp_path, *options)
    file = tmp_path / "codes.parquet"
    encoded(command, trained, *options, f"output={file}")
    read = parquet.ParquetFile(file)
    assert read.num_row_groups == 3
    found = read.read().to_pydict()
    assert list(found) == list(columns)
    assert found["image"] == columns["image"]
    assert found["label"] == [None] * 25
    for name in list(columns)[2:]:
        own = np.array(found[name], np.float32)
        np.testing.assert_array_equal(own, np.array(columns[name], np.float32))


def test_parquet_without_its_package_is_refused_at_once(
    command: Command, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codes_module, "find_spec", lambda name: None)
    done = command("encode", f"run={trained}", f"output={tmp_path / 'c.parquet'}")
    refused(done, "pyarrow", "pip install pyarrow", f"output={tmp_path / 'c.csv'}")
    assert list(tmp_path.iterdir()) == []


def test_own_pictures_keep_their_names_whatever_these_are(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "own"
    save_pictures(
        folder, "a.png", "b,c.png", 'q"uote.png', "sub/ü.png", "new\nline.png"
    )
    os.rename(  # noqa: PTH104  a name that is no UTF-8
        os.fsencode(folder / "a.png"), os.fsencode(folder) + b"/\xff.png"
    )
    columns = written(command, trained, tmp_path, f"images={folder}")
    assert sorted(columns["image"]) == sorted(
        ["\\udcff.png", "b,c.png", 'q"uote.png', "sub/ü.png", "new\\x0aline.png"]
    )
    assert columns["label"] == [""] * 5
    run = load(trained)
    for name, file in (
        ("sub/ü.png", "sub/ü.png"),
        ("new\\x0aline.png", "new\nline.png"),
    ):
        mean = matrix(columns, "mean")[columns["image"].index(name)]
        np.testing.assert_allclose(mean, run.encode(folder / file).mean[0], **NUMBERS)


def test_matches_of_a_pattern_are_named_below_its_folder(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    save_pictures(tmp_path, "own/x/1.png", "own/y/1.png", "own/y/2.png")
    np.save(tmp_path / "own" / "z.npy", np.zeros((2, 12, 12), np.uint8))
    pattern = f"images=[{tmp_path}/own/*/1.png,{tmp_path}/own/z.npy,{tmp_path}/own/y]"
    columns = written(command, trained, tmp_path, pattern)
    names = ["x/1.png", "y/1.png", "z.npy[0]", "z.npy[1]", "1.png", "2.png"]
    assert columns["image"] == names


def test_pictures_read_in_small_groups_give_the_same_codes(
    command: Command, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_pictures(tmp_path / "own", *(f"{i:02d}.png" for i in range(23)), size=(17, 30))
    options = (f"images={tmp_path / 'own'}", "scores=true", "posterior_samples=2")
    whole = written(command, trained, tmp_path, *options)
    monkeypatch.setattr(given_files, "AT_A_TIME", 4)
    parts = written(command, trained, tmp_path, *options)
    assert len(whole["image"]) == 23
    assert parts["image"] == whole["image"]
    for name in list(whole)[2:]:
        numbers = [np.array(columns[name], float) for columns in (parts, whole)]
        np.testing.assert_allclose(*numbers, rtol=2e-4, atol=1e-5)
    fewer = written(command, trained, tmp_path, *options, "num_images=6")
    assert fewer["image"] == whole["image"][:6]


def test_few_pictures_are_held_at_a_time(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given_files, "AT_A_TIME", 5)
    save_pictures(tmp_path, *(f"{i}.png" for i in range(20)))
    parts = load(trained).codes(tmp_path)
    first = next(parts)
    assert (len(first.names), first.fraction) == (5, 0.25)
    for file in tmp_path.iterdir():  # those of later groups have not been read yet
        file.write_bytes(b"")
    with pytest.raises(Exception, match="the file is empty"):
        next(parts)


@pytest.mark.parametrize("suffix", ["csv", "npz", "parquet"])
def test_broken_picture_at_the_end_leaves_no_file(
    command: Command,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
) -> None:
    monkeypatch.setattr(given_files, "AT_A_TIME", 2)
    save_pictures(tmp_path / "own", "a.png", "b.png", "c.png")
    (tmp_path / "own" / "d.png").write_bytes(b"no picture")
    output = tmp_path / "out" / f"codes.{suffix}"
    done = command(
        "encode", f"run={trained}", f"images={tmp_path / 'own'}", f"output={output}"
    )
    refused(done, "d.png can't be read")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("output=codes.txt",), ("codes.txt", ".csv, .parquet, .npz")),
        (("images=a.npz", "output=a.npz"), ("would overwrite images=a.npz",)),
        (("split=test", "images=a.npz"), ("choose one of them",)),
        (("label=2",), ("those of a split have labels",)),
        (("images=nowhere",), ("images=nowhere does not exist",)),
        (("split=every",), ("train, validation, test, all",)),
    ],
)
def test_what_makes_no_sense_is_refused(
    command: Command,
    trained: Path,
    options: tuple[str, ...],
    parts: tuple[str, ...],
) -> None:
    refused(command("encode", f"run={trained}", *options), *parts)


def test_runs_own_files_are_not_replaced(command: Command, trained: Path) -> None:
    done = command("encode", f"run={trained}", f"output={trained / 'metrics.csv'}")
    refused(done, "lies among the run's own files")


def test_place_that_cannot_be_written_is_one_message(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    output = tmp_path / "file" / "codes.csv"
    done = command("encode", f"run={trained}", f"output={output}")
    refused(done, "can't be written", "output=<file>")


def test_transparent_pixels_are_refused_where_none_were_missing_in_training(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    pixels = np.full((12, 12, 4), 255, np.uint8)
    pixels[:3, :, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "hole.png")
    done = command("encode", f"run={trained}", f"images={tmp_path}")
    refused(done, "has transparent pixels")


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folders of pictures, which are classes."""
    folder = tmp_path_factory.mktemp("classes") / "pets"
    for number, name in enumerate(("cat", "dog & co", "owl")):
        save_pictures(folder / name, *(f"{i}.png" for i in range(14 + number)))
    return folder


@pytest.fixture(scope="module")
def conditional(
    tmp_path_factory: pytest.TempPathFactory, classes: Path
) -> tuple[Path, Path]:
    """A run on folders as classes, with conditioning=label; and the folder."""
    root = tmp_path_factory.mktemp("conditional")
    patch = pytest.MonkeyPatch()
    patch.setenv("VAE_CACHE", str(root / "cache"))
    run = train_here(
        root / "run", "dataset=folder", f"dataset.path={classes}", "epochs=1",
        "architecture=dense", "architecture.hidden_units=[8]", "batch_size=8",
        "conditioning=label",
    )  # fmt: skip
    patch.undo()
    return run, classes


def test_folders_of_classes_label_own_pictures(
    command: Command,
    conditional: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    run, classes = conditional
    shutil.copytree(classes / "owl", tmp_path / "more" / "test" / "owl")
    shutil.copytree(classes / "cat", tmp_path / "more" / "cat")
    columns = written(command, run, tmp_path, f"images={tmp_path / 'more'}")
    assert columns["label"] == [
        "owl" if "owl" in name else "cat" for name in columns["image"]
    ]
    opened = load(run)
    own = opened.encode(tmp_path / "more", label=columns["label"])
    np.testing.assert_allclose(matrix(columns, "mean"), own.mean, **NUMBERS)
    other = opened.encode(tmp_path / "more", label="dog & co")
    assert np.abs(other.mean - own.mean).max() > 1e-3


def test_label_is_that_of_all_pictures(
    command: Command, conditional: tuple[Path, Path], tmp_path: Path
) -> None:
    run, classes = conditional
    images = f"images={classes / 'cat'}"
    columns = written(command, run, tmp_path, images, "label=dog & co")
    assert columns["label"] == ["dog & co"] * 14
    own = load(run).encode(classes / "cat", label="dog & co")
    np.testing.assert_allclose(matrix(columns, "mean"), own.mean, **NUMBERS)
    assert written(command, run, tmp_path, images, "label=1")["label"][0] == "dog & co"


def test_label_that_is_missing_or_unknown_is_refused(
    command: Command, conditional: tuple[Path, Path], trained: Path, tmp_path: Path
) -> None:
    run, classes = conditional
    images = f"images={classes / 'cat'}"
    done = command("encode", f"run={run}", images)
    refused(done, "0.png lies in no folder", "cat, dog & co, owl", "label='owl'")
    done = command("encode", f"run={run}", images, "label=cow")
    refused(done, "label=cow is not a label")
    save_pictures(tmp_path, "a.png")
    done = command("encode", f"run={trained}", f"images={tmp_path}", "label=1")
    refused(done, "conditioning=none")


def test_other_commands_take_the_classes_of_folders_too(
    command: Command, conditional: tuple[Path, Path], tmp_path: Path
) -> None:
    run, classes = conditional
    opened = load(run)
    labels = np.repeat([0, 1, 2], [14, 15, 16])
    own = opened.encode(classes)
    np.testing.assert_array_equal(own.mean, opened.encode(classes, label=labels).mean)
    done = command("anomaly", f"run={run}", f"images={classes}", "posterior_samples=2")
    assert done.status == 0, done.stderr
    restored = command("reconstruct", f"run={run}", f"images={classes}")
    assert restored.status == 0, restored.stderr
    flat = f"images={classes / 'cat'}"
    done = command("anomaly", f"run={run}", flat, "posterior_samples=2", "label=cat")
    assert done.status == 0, done.stderr
    done = command("anomaly", f"run={run}", flat, "posterior_samples=2")
    refused(done, "0.png lies in no folder", "label='owl'")
    array = np.zeros((12, 12, 3), np.uint8)
    with pytest.raises(VaeCliError, match="the images have none"):
        opened.encode(array)


def test_split_of_a_folder_has_names_and_labels(
    command: Command, conditional: tuple[Path, Path], tmp_path: Path
) -> None:
    run, classes = conditional
    columns = written(command, run, tmp_path, "split=all")
    assert len(set(columns["image"])) == 14 + 15 + 16
    for name, label in zip(columns["image"], columns["label"], strict=True):
        assert name.partition("/")[0] == label
        assert (classes / name).is_file()
    opened = load(run)
    count = columns["split"].count("train")
    mean = opened.encode(opened.split("train")).mean
    np.testing.assert_allclose(matrix(columns, "mean")[:count], mean, **NUMBERS)


VARIANTS = {
    "two levels": (
        "latent_dim=4", "hierarchy=two_level", "hierarchy.hidden_units=[8]",
    ),
    "inpainting": (
        "conditioning=observed", "conditioning.hidden_units=[8]", "corruption=half",
    ),
    "missing pixels": ("corruption=box", "corruption.loss_on=observed"),
    "noise": ("corruption=gaussian_noise",),
}  # fmt: skip


@pytest.fixture(scope="module")
def variants(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Train a variant on first use."""
    root, made = tmp_path_factory.mktemp("variants"), {}

    def variant(name: str) -> Path:
        if name not in made:
            folder = root / name.replace(" ", "-")
            made[name] = train_here(folder, *SMALL, "epochs=1", *VARIANTS[name])
        return made[name]

    return variant


@pytest.mark.parametrize("name", VARIANTS)
def test_every_kind_of_model_encodes_a_split(
    name: str, command: Command, variants: Callable[[str], Path], tmp_path: Path
) -> None:
    run = variants(name)
    columns = written(command, run, tmp_path, "scores=true", "posterior_samples=2")
    opened = load(run)
    posterior = opened.encode(opened.split("test"))
    assert posterior.mean.shape[1] == opened.vae.latent_dim
    np.testing.assert_allclose(matrix(columns, "mean"), posterior.mean, **NUMBERS)
    np.testing.assert_allclose(matrix(columns, "log_var"), posterior.log_var, **NUMBERS)
    assert np.isfinite(np.array(columns["neg_elbo"], float)).all()


def test_inpainting_model_refuses_own_pictures_by_name(
    command: Command, variants: Callable[[str], Path], tmp_path: Path
) -> None:
    save_pictures(tmp_path, "a.png")
    done = command("encode", f"run={variants('inpainting')}", f"images={tmp_path}")
    refused(done, "conditioning=observed", "split=test")


def test_transparent_pixels_are_missing_to_a_model_that_knows_such(
    command: Command, variants: Callable[[str], Path], tmp_path: Path
) -> None:
    run = variants("missing pixels")
    grey = np.random.default_rng(0).integers(0, 256, (12, 12), np.uint8)
    pixels = np.dstack([grey, grey, grey, np.full((12, 12), 255, np.uint8)])
    pixels[:, :5, 3] = 0
    (tmp_path / "own").mkdir()
    Image.fromarray(pixels).save(tmp_path / "own" / "a.png")
    pixels[:, :5, :3] = 255 - pixels[:, :5, :3]
    Image.fromarray(pixels).save(tmp_path / "own" / "b.png")
    columns = written(command, run, tmp_path, f"images={tmp_path / 'own'}")
    mean = matrix(columns, "mean")
    np.testing.assert_array_equal(mean[0], mean[1])  # what is hidden has no effect
    filled = grey.copy()
    filled[:, :5] = 128  # the middle level, as in training
    own = load(run).encode(filled[None, ..., None]).mean[0]
    np.testing.assert_allclose(mean[0], own, rtol=1e-4, atol=1e-5)
