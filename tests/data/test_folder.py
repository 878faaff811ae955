"""`dataset=folder`: which files, which splits, which classes, and the cache."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.data.pictures import COLOURS, claiming, class_folders, picture
from tests.helpers import grey_images
from vae_cli.config.dataset_formats import FolderConfig
from vae_cli.data import cache
from vae_cli.data.prepare import load_data
from vae_cli.data.source import load_source
from vae_cli.errors import ConfigError, DataError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("VAE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "pictures"


def config(root: Path, **options) -> FolderConfig:
    return FolderConfig(path=str(root), **options)


def refusal(root: Path, **options) -> str:
    with pytest.raises((DataError, ConfigError)) as refused:
        load_data(config(root, **options))
    return str(refused.value)


def test_subfolders_are_classes_and_pixels_are_those_of_the_files(root):
    class_folders(root)
    source = load_source(config(root))
    assert source.class_names == ("Food & Drink", "night")
    assert source.train.names[0] == "Food & Drink/00.png"
    np.testing.assert_array_equal(source.train.label_names[:10], ["Food & Drink"] * 10)
    means = source.train.images[:].mean((1, 2, 3))
    np.testing.assert_array_equal(means > 128, source.train.labels == 0)


def test_folder_of_equal_names_sizes_and_times_is_told_apart(tmp_path):
    for name, grey in (("first", 10), ("other", 200)):
        for number in range(4):
            pixels = np.full((8, 8, 3), grey + number, np.uint8)
            file = picture(tmp_path / name / f"{number}.bmp", pixels)
            os.utime(file, (0, 0))
    first, other = (
        load_data(config(tmp_path / name, validation_size=0, test_size=0))
        for name in ("first", "other")
    )
    assert first.train.images[:].max() == 13
    assert other.train.images[:].min() == 200


def test_picture_that_is_changed_without_a_trace_in_its_times_is_read_again(root):
    class_folders(root)
    file = root / "night" / "00.bmp"
    picture(file, np.full((12, 12, 3), 9, np.uint8))
    os.utime(file, (0, 0))
    load_source(config(root))
    picture(file, np.full((12, 12, 3), 77, np.uint8))
    os.utime(file, (0, 0))
    source = load_source(config(root))
    row = source.train.names.tolist().index("night/00.bmp")
    assert (source.train.images[row] == 77).all()


def test_folder_is_named_by_itself_and_not_by_a_link_to_it(root):
    class_folders(root)
    (root / "a link").symlink_to(root / "night")
    assert load_source(config(root)).class_names == ("Food & Drink", "night")


@pytest.mark.parametrize("label", ["", "cat\0"])
def test_labels_that_name_no_class_are_refused(root, label):
    class_folders(root)
    names = [f"{c}/{i:02d}.png" for c in ("Food & Drink", "night") for i in range(10)]
    rows = [f"{name},{label if i == 3 else 'dog'}" for i, name in enumerate(names)]
    (root / "l.csv").write_text("file,label\n" + "\n".join(rows) + "\n")
    message = refusal(root, labels="l.csv")
    assert "the label of Food & Drink/03.png is" in message


def test_modules_in_the_current_folder_are_not_imported(root, tmp_path, monkeypatch):
    class_folders(root, each=150)
    for name in ("queue", "json", "PIL"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    assert len(load_source(config(root)).train) == 300


def test_one_folder_is_split_by_seed_into_three(root):
    class_folders(root)
    first, again = (load_data(config(root)) for _ in range(2))
    assert first.fingerprint["sizes"] == {"train": 16, "validation": 2, "test": 2}
    assert first.fingerprint == again.fingerprint
    names = [
        name for split in ("train", "validation", "test")
        for name in first.split(split).names
    ]  # fmt: skip
    assert len(set(names)) == 20
    other = load_data(config(root, seed=1))
    assert set(other.validation.names) != set(first.validation.names)


@pytest.mark.parametrize("validation", ["validation", "val", "Valid"])
def test_folders_of_splits_are_the_splits(root, validation):
    for split, each in (("train", 6), (validation, 3), ("test", 2)):
        class_folders(root / split, each)
    data = load_data(config(root))
    assert data.fingerprint["sizes"] == {"train": 12, "validation": 6, "test": 4}
    assert data.spec.class_names == ("Food & Drink", "night")
    assert all(name.startswith(f"{validation}/") for name in data.validation.names)
    assert set(data.test.label_names) == {"Food & Drink", "night"}


def test_pictures_beside_folders_of_splits_are_refused(root):
    class_folders(root / "train")
    picture(root / "other" / "a.png", COLOURS[0])
    assert "1 pictures outside of train: other/a.png" in refusal(root)


@pytest.mark.parametrize("nested", ["", "all/"])
def test_pictures_of_no_folder_or_of_one_have_no_classes(root, nested):
    for number, pixels in enumerate(COLOURS):
        picture(root / f"{nested}{number}.png", pixels)
    data = load_data(config(root))
    assert data.train.labels is None
    assert data.spec.class_names is None


def test_other_files_and_hidden_ones_are_passed_over(root):
    class_folders(root)
    (root / "README.md").write_text("about")
    (root / "night" / "._00.png").write_bytes(b"left by another system")
    assert len(load_source(config(root)).train) == 20


def table(root: Path, rows: list[str]) -> None:
    (root / "labels.csv").write_text("\n".join(rows), encoding="utf-8")


def test_labels_come_from_a_table(root):
    for number, pixels in enumerate(COLOURS):
        picture(root / f"{number}.png", pixels)
    rows = [f'{n}.png,"{"cat, black" if n % 2 else "dog"}"' for n in range(12)]
    table(root, ["file,label", *rows])
    source = load_source(config(root, labels="labels.csv"))
    assert source.class_names == ("cat, black", "dog")
    expected = ["cat, black" if int(n[:-4]) % 2 else "dog" for n in source.train.names]
    np.testing.assert_array_equal(source.train.label_names, expected)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["file,label", "0.png,a", "gone.png,b"], "names 1 files that are not in"),
        (["file,label", "0.png,a"], "has no label for 1 of 2 pictures: 1.png"),
        (["0.png", "1.png"], "needs two columns, file and label"),
        ([], "needs two columns, file and label"),
        (["0.png,a", "0.png,b", "1.png,a"], "lists 1 of its files twice"),
    ],
)
def test_tables_that_do_not_fit_are_refused(root, rows, message):
    for number in range(2):
        picture(root / f"{number}.png", COLOURS[number])
    table(root, rows)
    assert message in refusal(root, labels="labels.csv")


def test_missing_table_is_named(root):
    class_folders(root)
    assert "dataset.labels=no.csv does not exist" in refusal(root, labels="no.csv")


def test_sizes_that_differ_are_counted_with_what_to_type(root):
    for number, side in enumerate((80, 80, 80, 96, 120)):
        picture(root / f"{number}.png", np.zeros((side, 100), np.uint8))
    message = refusal(root)
    assert (
        "3 sizes, width x height: 100 x 80 (3), 100 x 96 (1), 100 x 120 (1)" in message
    )
    assert "dataset.image_size=64" in message
    data = load_data(config(root, image_size=64, validation_size=0, test_size=0))
    assert data.spec.image_shape == (64, 64, 1)
    data = load_data(config(root, image_size=[32, 48], validation_size=0, test_size=0))
    assert data.spec.image_shape == (32, 48, 1)


def test_grey_and_colour_pictures_become_colour(root):
    for number in range(6):
        pixels = COLOURS[number] if number % 2 else COLOURS[number, ..., 0]
        picture(root / f"{number}.png", pixels)
    assert load_source(config(root)).train.images.shape == (6, 10, 14, 3)
    assert load_source(config(root, channels="1")).train.images.shape == (6, 10, 14, 1)


def test_alpha_is_kept_as_a_channel_or_shows_the_background(root):
    for number in range(4):
        alpha = np.full((10, 14, 1), 255 * (number % 2), np.uint8)
        pixels = np.concatenate([COLOURS[number], alpha], -1)
        picture(root / f"{number}.png", pixels)
    kept = load_source(config(root, background="keep")).train.images
    assert kept.shape == (4, 10, 14, 4)
    black = load_source(config(root, background="black")).train.images
    assert black.shape == (4, 10, 14, 3)
    assert (black[0] == 0).all()
    np.testing.assert_array_equal(black[1], COLOURS[1])
    assert "background=blakc is no colour" in refusal(root, background="blakc")


def test_sixteen_bit_pictures_keep_their_levels(root):
    deep = np.random.default_rng(0).integers(0, 4096, (8, 6, 5)).astype(np.uint16)
    for number, pixels in enumerate(deep):
        picture(root / f"{number}.tif", pixels)
    source = load_source(config(root))
    assert (source.pixels.dtype, source.pixels.high) == ("uint16", 4095)
    np.testing.assert_allclose(
        source.train.images[:], deep[..., None] / np.float32(4095), atol=1e-7
    )


def test_pictures_of_several_types_are_refused(root):
    picture(root / "a.png", COLOURS[0, ..., 0])
    picture(root / "b.png", COLOURS[0, ..., 0].astype(np.uint16) * 257)
    message = refusal(root)
    assert "1 of uint8, such as a.png" in message
    assert "1 of uint16, such as b.png" in message


def broken(root: Path) -> dict[str, str]:
    """Write six kinds of file that can't be read; returns names and reasons."""
    whole = picture(root / "night" / "whole.png", grey_images(1, 64, 64, 3)[0])
    content = whole.read_bytes()
    whole.unlink()
    (root / "night" / "empty.png").write_bytes(b"")
    (root / "night" / "cut.png").write_bytes(content[: len(content) // 2])
    (root / "night" / "text.jpg").write_text("no picture")
    (root / "night" / "link.png").symlink_to("nowhere.png")
    os.mkfifo(root / "night" / "pipe.png")
    claiming(root / "night" / "huge.png", 50_000)
    return {
        "night/empty.png": "the file is empty", "night/cut.png": "truncated",
        "night/text.jpg": "it is no picture", "night/link.png": "No such file",
        "night/pipe.png": "is a named pipe",
        "night/huge.png": "it has more than 134,217,728 pixels",
    }  # fmt: skip


def test_every_bad_file_is_named_with_the_reason(root):
    class_folders(root)
    reasons = broken(root)
    message = refusal(root, image_size=12)
    assert "6 of 26 pictures can't be read" in message
    for name, why in reasons.items():
        line = next(line for line in message.splitlines() if name in line)
        assert why in line
    assert "dataset.on_bad_file=skip" in message


def test_bad_files_are_left_out_when_said_so(root, caplog, monkeypatch):
    class_folders(root)
    broken(root)
    refusal(root, image_size=12)
    counts = decoded(monkeypatch)
    source = load_source(config(root, image_size=12, on_bad_file="skip"))
    assert not counts  # what could be read was not lost
    shutil.rmtree(cache.cache_folder())
    for name in (
        "empty.png",
        "cut.png",
        "text.jpg",
        "link.png",
        "pipe.png",
        "huge.png",
    ):
        (root / "night" / name).unlink()
    whole = load_source(config(root, image_size=12))
    np.testing.assert_array_equal(source.train.images[:], whole.train.images[:])
    np.testing.assert_array_equal(source.train.names, whole.train.names)
    assert "left out 6 pictures" in caplog.text


def test_folder_of_broken_files_alone_is_refused(root):
    (root / "night").mkdir(parents=True)
    broken(root)
    assert "none of 6 pictures can be read" in refusal(root, on_bad_file="skip")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: None, "does not exist"),
        (lambda root: root.mkdir(), "it is empty"),
        (lambda root: (root / "a" / "b" / "c").mkdir(parents=True), "it is empty"),
        (lambda root: picture(root, COLOURS[0], format="PNG"), "is a file"),
        (
            lambda root: picture(root / "a.png", COLOURS[0]),
            "there is one training image",
        ),
        (lambda root: root.symlink_to(root), "can't be read"),
        (lambda root: os.mkfifo(root), "is a named pipe"),
    ],
)
def test_what_is_no_folder_of_pictures_is_refused(root, make, message):
    make(root)
    assert message in refusal(root)


def test_other_files_are_counted_where_there_are_no_pictures(root):
    root.mkdir()
    for name in ("a.npy", "b.npy", "c.txt"):
        (root / name).write_bytes(b"")
    assert "but other files: 2 .npy, 1 .txt" in refusal(root)


def test_links_in_a_circle_end(root):
    class_folders(root)
    (root / "night" / "again").symlink_to(root, target_is_directory=True)
    assert len(load_source(config(root)).train) == 20


def test_names_of_any_bytes_are_read(root):
    class_folders(root)
    for name in (b"caf\xe9.png", b"new\nline.png"):
        picture(root / "night" / os.fsdecode(name), np.zeros((12, 12, 3), np.uint8))
    assert len(load_source(config(root)).train) == 22


def test_limit_takes_some_of_each_split(root):
    for split in ("train", "test"):
        class_folders(root / split)
    source = load_source(config(root, limit=7))
    assert (len(source.train), len(source.test)) == (7, 7)
    assert set(source.train.label_names) == {"Food & Drink", "night"}


def decoded(monkeypatch) -> list[int]:
    """Count the pictures that are decoded from here on."""
    counts: list[int] = []
    from vae_cli.data import folder

    original = folder.decode_to

    def counting(target, shape, files, *rest):
        counts.append(len(files))
        return original(target, shape, files, *rest)

    monkeypatch.setattr(folder, "decode_to", counting)
    return counts


def test_pictures_are_decoded_once(root, monkeypatch):
    class_folders(root)
    counts = decoded(monkeypatch)
    first = load_data(config(root))
    again = load_data(config(root))
    assert counts == [20]
    np.testing.assert_array_equal(first.train.images[:], again.train.images[:])
    assert first.fingerprint == again.fingerprint


def test_a_copy_of_the_folder_finds_the_same_pixels(root, tmp_path, monkeypatch):
    class_folders(root)
    counts = decoded(monkeypatch)
    first = load_data(config(root))
    shutil.copytree(root, tmp_path / "copy")
    os.utime(tmp_path / "copy" / "night" / "00.png", (1, 1))
    again = load_data(config(tmp_path / "copy"))
    assert counts == [20]
    assert first.fingerprint == again.fingerprint


def test_a_changed_picture_is_decoded_again(root, monkeypatch):
    class_folders(root)
    load_data(config(root))
    before = load_source(config(root)).digests
    picture(root / "night" / "00.png", np.full((12, 12, 3), 9, np.uint8))
    counts = decoded(monkeypatch)
    assert load_source(config(root)).digests != before
    assert counts == [20]


@pytest.mark.parametrize(
    "options", [{"image_size": 8}, {"channels": "1"}, {"background": "black"}]
)
def test_other_settings_are_other_pixels(root, monkeypatch, options):
    class_folders(root)
    load_data(config(root))
    counts = decoded(monkeypatch)
    load_data(config(root, **options))
    assert counts == [20]


def test_many_pictures_are_decoded_by_processes(root):
    many = grey_images(600, 6, 5, seed=1)
    for number, pixels in enumerate(many):
        picture(root / f"{number:03d}.png", pixels)
    (root / "300.png").write_bytes(b"broken")
    source = load_source(config(root, on_bad_file="skip"))
    expected = np.delete(many, 300, axis=0)
    np.testing.assert_array_equal(source.train.images[:][..., 0], expected)


def test_pictures_beyond_the_memory_budget_stay_on_disk(root):
    class_folders(root, each=30, size=128)
    streamed = load_data(config(root, memory_mb=1))
    held = load_data(config(root))
    assert streamed.streamed
    assert not held.streamed
    np.testing.assert_array_equal(streamed.train.images[:], held.train.images[:])
