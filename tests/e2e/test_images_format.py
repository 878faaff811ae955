"""Single generated images: files that hold the data's own values, read back."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Finished, refused, train_here
from vae_cli import load
from vae_cli.visualize import own_precision

Command = Callable[..., Finished]
COUNT = 4


def data(kind: str) -> np.ndarray:
    """Return images of a type: a bright square that moves, on noise."""
    rng = np.random.default_rng(0)
    levels = rng.random((60, 6, 8, 3 if "colour" in kind else 1)) / 4
    for index, image in enumerate(levels):
        image[1 + index % 3 : 4 + index % 3, 2:6] += 0.7
    if kind.startswith("uint8"):
        return np.rint(levels * 255).astype(np.uint8)
    if kind.startswith("uint16"):
        return np.rint(levels * 4095).astype(np.uint16)
    if kind.startswith("int16"):
        return np.rint(levels * 3000 - 1000).astype(np.int16)
    return (levels * 2 - 1).astype(kind.partition(" ")[0])


KINDS = (
    "uint8", "uint8 colour", "uint16", "uint16 colour", "int16", "float32",
    "float32 colour", "float64", "uint16 standardized", "float32 standardized",
)  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Train on a kind of data on first use."""
    root, made = tmp_path_factory.mktemp("kinds"), {}

    def run(kind: str) -> Path:
        if kind not in made:
            folder = root / kind.replace(" ", "-")
            folder.mkdir()
            np.savez(folder / "own.npz", x_train=data(kind))
            likelihood = "gaussian" if kind != "uint8" else "bernoulli"
            scaled = ["dataset.value_range=standardize"] * ("standardized" in kind)
            made[kind] = train_here(
                folder / "run", "dataset=npz", f"dataset.path={folder / 'own.npz'}",
                "architecture=dense", "architecture.hidden_units=[16]", "epochs=2",
                "batch_size=16", f"likelihood={likelihood}", *scaled,
            )  # fmt: skip
        return made[kind]

    return run


def files(command: Command, run: Path, folder: Path, *options: str) -> list[Path]:
    done = command(
        "generate", f"run={run}", f"num_images={COUNT}", f"images_dir={folder}",
        f"output={folder.parent / 'grid.png'}", *options,
    )  # fmt: skip
    assert done.status == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(folder)
    return sorted(folder.iterdir())


def expected(run: Path, kind: str) -> np.ndarray:
    """Return what Python generates, as the data's type has it."""
    images = load(run).sample(COUNT).astype(np.float64)
    if kind.startswith("float"):
        return images.astype(np.float32)
    if kind.startswith("uint8"):
        images *= 255
    dtype = np.dtype(kind.partition(" ")[0])
    info = np.iinfo(dtype)
    return np.rint(np.clip(images, info.min, info.max)).astype(dtype)


@pytest.mark.parametrize("kind", KINDS)
def test_tiff_holds_the_values_that_python_gives(
    kind: str, command: Command, runs: Callable[[str], Path], tmp_path: Path
) -> None:
    tifffile = pytest.importorskip("tifffile")
    run = runs(kind)
    found = files(command, run, tmp_path / "all", "images_format=tiff")
    assert [file.name for file in found] == [f"{i:05d}.tiff" for i in range(COUNT)]
    images = expected(run, kind)
    assert len(np.unique(images)) > 10
    for file, image in zip(found, images, strict=True):
        read = tifffile.imread(file)
        assert read.dtype == image.dtype
        # a value halfway between two integers may go either way
        slack = 1 if image.dtype.kind in "iu" else 1e-5 * np.abs(images).max()
        difference = read.astype(float).reshape(image.shape) - image
        assert np.abs(difference).max() <= slack
        assert (difference == 0).mean() > 0.9 or image.dtype.kind == "f"


@pytest.mark.parametrize(
    ("kind", "mode", "dtype"),
    [
        ("uint8", "L", "uint8"),
        ("uint16", "I;16", "uint16"),
        ("float32", "F", "float32"),
    ],
)
def test_grey_tiff_is_one_that_pillow_reads(
    kind: str,
    mode: str,
    dtype: str,
    command: Command,
    runs: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(own_precision, "find_spec", lambda name: None)
    first, *_ = files(command, runs(kind), tmp_path / "all", "images_format=tiff")
    with Image.open(first) as picture:
        assert (picture.mode, picture.size) == (mode, (8, 6))
        assert np.asarray(picture).dtype == dtype


def test_grey_png_of_16_bit_data_holds_the_datas_own_values(
    command: Command, runs: Callable[[str], Path], tmp_path: Path
) -> None:
    run = runs("uint16")
    found = files(command, run, tmp_path / "all")
    images = expected(run, "uint16")
    assert 1000 < images.max() <= 4095
    for file, image in zip(found, images, strict=True):
        with Image.open(file) as picture:
            assert (picture.format, picture.mode) == ("PNG", "I;16")
            difference = np.asarray(picture).astype(int) - image[..., 0]
        assert np.abs(difference).max() <= 1
        assert (difference == 0).mean() > 0.9


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("uint8", "L"), ("uint16 colour", "RGB"), ("float32", "L"), ("int16", "L")],
)
def test_other_png_is_what_is_looked_at(
    kind: str,
    mode: str,
    command: Command,
    runs: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    run = runs(kind)
    found = files(command, run, tmp_path / "all", "images_format=png")
    pictures = load(run).generate(num_images=COUNT).pictures()
    for file, image in zip(found, pictures, strict=True):
        with Image.open(file) as picture:
            assert picture.mode == mode
            shown = np.asarray(picture).reshape(image.shape)
        np.testing.assert_allclose(shown / 255, image, atol=0.6 / 255)


def test_generated_files_are_read_again_as_they_were_written(
    command: Command, runs: Callable[[str], Path], tmp_path: Path
) -> None:
    run = runs("uint16")
    files(command, run, tmp_path / "all", "images_format=tiff")
    opened = load(run)
    split, names = opened.images(tmp_path / "all")
    assert names[0] == "00000.tiff"
    read = opened.spec.pixels.from_model(split.images[:])
    np.testing.assert_allclose(read, expected(run, "uint16"), atol=1.01)


def test_format_without_its_package_or_a_folder_is_refused(
    command: Command,
    runs: Callable[[str], Path],
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused(
        command("generate", f"run={trained}", "images_format=tiff"),
        "images_format=tiff needs images_dir=<folder>",
    )
    done = command("generate", f"run={trained}", "images_dir=x", "images_format=jpeg")
    refused(done, "png, tiff")
    monkeypatch.setattr(own_precision, "find_spec", lambda name: None)
    run = runs("uint16 colour")
    done = command(
        "generate", f"run={run}", f"images_dir={tmp_path / 'all'}", "images_format=tiff"
    )
    refused(done, "3 channels", "pip install tifffile", "save_npz=<file>")
    assert not (tmp_path / "all").exists()
