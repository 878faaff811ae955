"""`dataset=huggingface`: local sets, made here; nothing is downloaded."""

import builtins
import io
import os
import sys

import numpy as np
import pytest
from PIL import Image

from tests.helpers import grey_images
from vae_cli.config.dataset_formats import HuggingfaceConfig
from vae_cli.data import cache_contents
from vae_cli.data.prepare import load_data
from vae_cli.errors import DataError

datasets = pytest.importorskip("datasets")
pyarrow = pytest.importorskip("pyarrow.parquet") and pytest.importorskip("pyarrow")
COLOUR = grey_images(12, 6, 5, 3)
LABELS = [i % 3 for i in range(12)]
NAMES = ["cat", "dog", "emu"]


@pytest.fixture(autouse=True)
def own_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("VAE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hub")


def load(path, **options):
    options = {"validation_size": 2, "test_size": 0, **options}
    return load_data(HuggingfaceConfig(path=str(path), **options))


def refusal(path, **options) -> str:
    with pytest.raises(DataError) as refused:
        load(path, **options)
    return str(refused.value)


def table(images=COLOUR, labels=LABELS, **more):
    """A table of pictures and classes, and of what else is given: (feature, values)."""
    features = {
        "picture": datasets.Image(),
        "kind": datasets.ClassLabel(names=NAMES),
        **{name: feature for name, (feature, _) in more.items()},
    }
    columns = {"picture": list(images), "kind": list(labels)}
    columns |= {name: values for name, (_, values) in more.items()}
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))


def saved(folder, *splits, **named):
    """Save a table, or tables by split."""
    path = folder / "set"
    [*splits, datasets.DatasetDict(named)][0].save_to_disk(str(path))
    return path


def everything(data):
    images = np.concatenate([data.train.images[:], data.validation.images[:]])
    return sorted(image.tobytes() for image in images)


def test_saved_set_has_the_pixels_labels_and_names_it_was_made_of(tmp_path):
    data = load(saved(tmp_path, table()))
    assert everything(data) == sorted(image.tobytes() for image in COLOUR)
    assert data.spec.class_names == tuple(NAMES)
    known = {
        image.tobytes(): label for image, label in zip(COLOUR, LABELS, strict=True)
    }
    found = [known[image.tobytes()] for image in data.train.images[:]]
    np.testing.assert_array_equal(data.train.labels, found)


def test_splits_are_found_by_usual_names_or_given(tmp_path):
    path = saved(
        tmp_path, training=table(), valid=table(COLOUR[:5], LABELS[:5]),
        holdout=table(COLOUR[:3], LABELS[:3]),
    )  # fmt: skip
    data = load(path)
    sizes = {"train": 12, "validation": 5}
    assert data.fingerprint["sizes"] == sizes
    data = load(path, test_split="holdout")
    assert data.fingerprint["sizes"] == {**sizes, "test": 3}
    message = refusal(path, test_split="hold")
    assert "it has: training, valid, holdout" in message


def test_set_without_a_training_split_is_refused_with_its_splits(tmp_path):
    path = saved(tmp_path, a=table(), b=table())
    message = refusal(path)
    assert "it has: a, b" in message
    assert "dataset.train_split=a" in message
    assert len(load(path, train_split="b").train) == 10


def test_parquet_and_pictures_in_folders_are_read(tmp_path):
    (tmp_path / "parquet").mkdir()
    table().to_parquet(str(tmp_path / "parquet" / "train-0.parquet"))
    table(COLOUR[:4], LABELS[:4]).to_parquet(str(tmp_path / "parquet/test-0.parquet"))
    data = load(tmp_path / "parquet")
    assert data.fingerprint["sizes"] == {"train": 10, "validation": 2, "test": 4}
    assert everything(data) == sorted(image.tobytes() for image in COLOUR)
    one = load(tmp_path / "parquet" / "train-0.parquet")
    assert everything(one) == everything(data)
    for label, pixels in zip(LABELS, COLOUR, strict=True):
        folder = tmp_path / "pictures" / "train" / NAMES[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{len(list(folder.iterdir()))}.png")
    data = load(tmp_path / "pictures")
    assert everything(data) == sorted(image.tobytes() for image in COLOUR)
    assert data.spec.class_names == tuple(NAMES)


@pytest.mark.parametrize(
    ("feature", "values"),
    [
        (datasets.Array2D((6, 5), "uint16"), COLOUR[..., 0].astype(np.uint16) * 99),
        (datasets.Array3D((6, 5, 3), "float32"), COLOUR / np.float32(7)),
        (datasets.Array2D((6, 5), "uint8"), COLOUR[..., 0]),
        (datasets.List(datasets.List(datasets.Value("int32"))), -COLOUR[..., 0] * 9),
    ],
    ids=["uint16", "float32", "uint8", "lists"],
)
def test_arrays_keep_their_type_and_values(tmp_path, feature, values):
    rows = [v.astype(int).tolist() if v.dtype.kind in "iu" else v for v in values]
    path = saved(
        tmp_path,
        datasets.Dataset.from_dict(
            {"x": rows}, features=datasets.Features({"x": feature})
        ),
    )
    data = load(path)
    own = data.spec.pixels
    images = data.train.images[:]
    found = images if own.eight_bit else own.stored(images)
    whole = {value.astype(float).round(2).tobytes() for value in values}
    found = found[..., 0] if values.ndim == 3 else found
    assert {one.astype(float).round(2).tobytes() for one in found} <= whole


def test_channels_first_arrays_are_transposed_when_said_so(tmp_path):
    first = np.moveaxis(COLOUR, -1, 1)
    path = saved(
        tmp_path,
        datasets.Dataset.from_dict(
            {"x": list(first)},
            features=datasets.Features({"x": datasets.Array3D((3, 6, 5), "uint8")}),
        ),
    )
    assert "dataset.channels_first=true" in refusal(path)
    data = load(path, channels_first=True)
    assert everything(data) == sorted(image.tobytes() for image in COLOUR)


def test_second_start_reads_the_cache_and_other_contents_do_not(tmp_path, monkeypatch):
    path = saved(tmp_path, table())
    first = load(path)
    with monkeypatch.context() as patch:
        patch.setattr("vae_cli.data.records._write", None)
        assert everything(load(path)) == everything(first)
    assert len(cache_contents.entries()) == 1
    table(255 - COLOUR).save_to_disk(str(path))
    assert everything(load(path)) == sorted(i.tobytes() for i in 255 - COLOUR)


def test_pictures_that_a_table_names_are_read_again_once_they_change(tmp_path):
    files = [tmp_path / "set" / f"{number}.png" for number in range(12)]
    files[0].parent.mkdir()
    for file, pixels in zip(files, COLOUR, strict=True):
        Image.fromarray(pixels).save(file)
    cells = pyarrow.array([{"bytes": None, "path": str(file)} for file in files])
    rows = datasets.Dataset.from_dict(
        {"picture": cells.to_pylist()},
        features=datasets.Features({"picture": datasets.Image()}),
    )
    pyarrow_parquet = pytest.importorskip("pyarrow.parquet")
    pyarrow_parquet.write_table(rows.data.table, tmp_path / "set" / "train.parquet")
    assert everything(load(tmp_path / "set")) == sorted(i.tobytes() for i in COLOUR)
    for file, pixels in zip(files, COLOUR, strict=True):
        Image.fromarray(255 - pixels).save(file)
    changed = everything(load(tmp_path / "set"))
    assert changed == sorted(i.tobytes() for i in 255 - COLOUR)


def test_large_set_is_streamed_from_the_cache(tmp_path):
    path = saved(tmp_path, table(grey_images(12, 300, 200, 3)))
    streamed, held = load(path, memory_mb=1), load(path)
    assert streamed.streamed and not held.streamed
    assert everything(streamed) == everything(held)


def test_limit_takes_so_many_of_each_split(tmp_path):
    path = saved(tmp_path, train=table(), test=table())
    data = load(path, limit=5, validation_size=1)
    assert data.fingerprint["sizes"] == {"train": 4, "validation": 1, "test": 5}


def test_pictures_of_several_sizes_need_a_size(tmp_path):
    images = [*COLOUR[:8], *grey_images(4, 9, 9, 3)]
    path = saved(tmp_path, table(images))
    message = refusal(path)
    assert "the pictures have 2 sizes, width x height: 5 x 6 (8), 9 x 9 (4)" in message
    assert "dataset.image_size=5" in message
    assert load(path, image_size=4).spec.image_shape == (4, 4, 3)


def test_bad_pictures_are_named_or_left_out(tmp_path):
    png = io.BytesIO()
    Image.fromarray(COLOUR[0]).save(png, "PNG")
    cells = [{"bytes": png.getvalue(), "path": None}] * 10
    cells[3] = {"bytes": png.getvalue()[:60], "path": None}
    cells[5] = {"bytes": b"hello", "path": None}
    cells[7] = None
    path = saved(tmp_path, table(cells, LABELS[:10]))
    message = refusal(path)
    assert "3 of 10 pictures can't be read" in message
    for row in (3, 5, 7):
        assert f"train[{row}]: " in message
    data = load(path, on_bad_file="skip")
    assert data.fingerprint["sizes"] == {"train": 5, "validation": 2}
    assert not list(tmp_path.glob("cache/*partial*"))


def test_pictures_outside_of_the_set_are_not_opened(tmp_path):
    Image.fromarray(COLOUR[0]).save(tmp_path / "secret.png")
    (tmp_path / "set").mkdir()
    Image.fromarray(COLOUR[1]).save(tmp_path / "set" / "own.png")
    features = datasets.Features({"x": datasets.Image()})
    paths = [
        tmp_path / "secret.png",
        tmp_path / "set" / ".." / "secret.png",
        tmp_path / "set" / "own.png",
    ]
    cells = [{"bytes": None, "path": str(path)} for path in paths]
    rows = pyarrow.Table.from_pydict({"x": cells}, schema=features.arrow_schema)
    pyarrow.parquet.write_table(rows, tmp_path / "set" / "train.parquet")
    message = refusal(tmp_path / "set" / "train.parquet")
    assert "2 of 3 pictures can't be read" in message
    assert message.count("lies outside of the set, and is not opened") == 2


def test_columns_that_could_be_images_are_listed(tmp_path):
    path = saved(tmp_path, table(mask=(datasets.Image(), list(COLOUR))))
    message = refusal(path)
    assert "picture (Image), kind (ClassLabel of 3), mask (Image)" in message
    assert "dataset.image_column=picture" in message
    assert len(load(path, image_column="mask").train) == 10


def test_columns_of_classes_are_listed(tmp_path):
    path = saved(
        tmp_path, table(size=(datasets.ClassLabel(names=["s", "l"]), [0] * 12))
    )
    assert "dataset.label_column=kind" in refusal(path)
    assert load(path, label_column="size").spec.class_names == ("s", "l")


def test_wrong_columns_are_refused_with_what_there_is(tmp_path):
    path = saved(tmp_path, table(note=(datasets.Value("string"), ["x"] * 12)))
    assert "did you mean picture?" in refusal(path, image_column="pictures")
    assert "is of type string" in refusal(path, image_column="note")
    assert "is of type Image" in refusal(path, label_column="picture")
    assert load(path, label_column="note").spec.class_names == ("x",)
    bare = saved(tmp_path / "bare", datasets.Dataset.from_dict({"text": ["a", "b"]}))
    assert "has no column of images" in refusal(bare)


def test_labels_of_minus_one_are_none(tmp_path):
    path = saved(tmp_path, train=table(), test=table(labels=[-1] * 12))
    data = load(path)
    assert data.train.labels is not None and data.test.labels is None
    path = saved(tmp_path / "b", table(labels=[*LABELS[:10], -1, -1]))
    assert "2 of 12 train images have no label" in refusal(path)


def test_places_that_hold_no_set_are_refused(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    assert "can't be read" in refusal(tmp_path / "empty")
    assert "does not exist" in refusal(tmp_path / "gone")
    assert "does not exist" in refusal("./gone")
    (tmp_path / "x.npz").write_text("")
    assert "dataset=npz" in refusal(tmp_path / "x.npz")
    path = saved(tmp_path, table())
    os.mkfifo(path / "pipe")
    assert "is a named pipe" in refusal(path)
    (path / "pipe").unlink()
    for file in path.glob("*.arrow"):
        file.write_bytes(file.read_bytes()[:-2000])
    assert "can't be read" in refusal(path)

    def offline(*_, **__):
        raise ConnectionError("Couldn't reach 'who/what' on the Hub")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    message = refusal("who/what")
    assert "can't be loaded from the hub: Couldn't reach 'who/what'" in message


def test_script_in_a_folder_is_never_run(tmp_path):
    folder = tmp_path / "scripted"
    folder.mkdir()
    script = f"open({str(tmp_path / 'sprung')!r}, 'w')"
    (folder / "scripted.py").write_text(script)
    assert "scripts are no longer supported" in refusal(folder)
    (folder / "scripted.py").rename(folder / "other.py")
    table().to_parquet(str(folder / "train.parquet"))
    load(folder)
    assert not (tmp_path / "sprung").exists()


def test_missing_package_is_named_with_what_to_type(tmp_path, monkeypatch):
    own = builtins.__import__

    def without(name, *rest):
        if name == "datasets":
            raise ImportError(name)
        return own(name, *rest)

    monkeypatch.delitem(sys.modules, "datasets")
    monkeypatch.setattr(builtins, "__import__", without)
    message = refusal(tmp_path)
    assert "not installed: datasets" in message
    assert "pip install 'vae-cli[huggingface]'" in message
