"""`dataset=tfds`: builder directories, made here; nothing is downloaded."""

import builtins
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import grey_images
from vae_cli.config.dataset_formats import TfdsConfig
from vae_cli.data import cache_contents
from vae_cli.data.prepare import load_data
from vae_cli.errors import DataError

tfds = pytest.importorskip("tensorflow_datasets")
COLOUR = grey_images(12, 6, 5, 3)
LABELS = [i % 3 for i in range(12)]
NAMES = ["cat", "dog", "emu"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VAE_CACHE", str(tmp_path / "cache"))


def load(path, **options):
    options = {"validation_size": 2, "test_size": 0, **options}
    return load_data(TfdsConfig(path=str(path), **options))


def refusal(path, **options) -> str:
    with pytest.raises(DataError) as refused:
        load(path, **options)
    return str(refused.value)


def stored(folder, images=COLOUR, labels=LABELS, feature=None, form=None, **more):
    """Write a set of training images and four test images; returns its folder."""
    features = {
        "image": feature or tfds.features.Image(shape=(None, None, 3)),
        "label": tfds.features.ClassLabel(names=NAMES),
        **{name: one for name, (one, _) in more.items()},
    }
    rows = [
        (i, {"image": image, "label": label, **{n: v[i] for n, (_, v) in more.items()}})
        for i, (image, label) in enumerate(zip(images, labels, strict=True))
    ]
    builder = tfds.dataset_builders.store_as_tfds_dataset(
        "own",
        "1.0.0",
        features=tfds.features.FeaturesDict(features),
        split_datasets={"train": rows, "test": rows[:4]},
        data_dir=str(folder),
        file_format=form,
    )
    return Path(builder.data_dir)


def everything(data):
    images = np.concatenate([data.train.images[:], data.validation.images[:]])
    return sorted(image.tobytes() for image in images)


@pytest.mark.parametrize("form", ["tfrecord", "array_record"])
def test_folder_has_the_pixels_labels_and_names_it_was_made_of(tmp_path, form):
    data = load(stored(tmp_path, form=form))
    assert data.fingerprint["sizes"] == {"train": 10, "validation": 2, "test": 4}
    assert everything(data) == sorted(image.tobytes() for image in COLOUR)
    assert data.spec.class_names == tuple(NAMES)
    known = {
        image.tobytes(): label for image, label in zip(COLOUR, LABELS, strict=True)
    }
    found = [known[image.tobytes()] for image in data.train.images[:]]
    np.testing.assert_array_equal(data.train.labels, found)


def test_set_is_found_by_name_in_the_folder_of_prepared_sets(tmp_path):
    stored(tmp_path)
    data = load("own", data_dir=str(tmp_path))
    assert everything(data) == sorted(image.tobytes() for image in COLOUR)
    assert everything(load(tmp_path / "own")) == everything(data)


@pytest.mark.parametrize("dtype", ["uint16", "float32", "uint8", "int32"])
@pytest.mark.parametrize("encoding", ["none", "zlib"])
def test_arrays_keep_their_type_and_values(tmp_path, dtype, encoding):
    values = (COLOUR[..., 0].astype(float) * 9.5).astype(dtype)
    feature = tfds.features.Tensor(
        shape=(6, 5), dtype=np.dtype(dtype).type, encoding=encoding
    )
    data = load(stored(tmp_path, values, feature=feature))
    own = data.spec.pixels
    images = data.test.images[..., 0]
    found = images if own.eight_bit else own.stored(images)
    whole = {v.tobytes() for v in values.astype(float).round(2)}
    assert {f.tobytes() for f in found.astype(float).round(2)} <= whole


def test_large_set_is_streamed_from_the_cache_and_found_again(tmp_path, monkeypatch):
    path = stored(tmp_path, grey_images(12, 300, 200, 3))
    streamed, held = load(path, memory_mb=1), load(path)
    assert streamed.streamed and not held.streamed
    assert everything(streamed) == everything(held)
    assert len(cache_contents.entries()) == 1
    monkeypatch.setattr("vae_cli.data.records._write", None)
    assert everything(load(path)) == everything(held)


def test_limit_takes_so_many_of_each_split(tmp_path):
    data = load(stored(tmp_path), limit=3, validation_size=1)
    assert data.fingerprint["sizes"] == {"train": 2, "validation": 1, "test": 3}


def test_pictures_of_several_sizes_need_a_size(tmp_path):
    path = stored(tmp_path, [*COLOUR[:8], *grey_images(4, 9, 9, 3)])
    assert "the pictures have 2 sizes" in refusal(path)
    assert load(path, image_size=4).spec.image_shape == (4, 4, 3)


def test_features_that_could_be_images_are_listed(tmp_path):
    mask = (tfds.features.Image(shape=(6, 5, 1)), COLOUR[..., :1])
    path = stored(tmp_path, mask=mask)
    message = refusal(path)
    assert "image (Image [None, None, 3])" in message
    assert "mask (Image [6, 5, 1])" in message
    assert "dataset.image_column=image" in message
    assert load(path, image_column="mask").spec.image_shape == (6, 5, 1)


def test_loading_leaves_the_settings_of_tensorflow_open(tmp_path):
    path = stored(tmp_path)
    script = f"""
from vae_cli.config.dataset_formats import TfdsConfig
from vae_cli.config.train import TrainConfig
from vae_cli.data.prepare import load_data
load_data(TfdsConfig(path={str(path)!r}))
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(1)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_code_that_a_folder_names_is_never_imported(tmp_path):
    path = stored(tmp_path)
    features = json.loads((path / "features.json").read_text())
    own = features["featuresDict"]["features"]["label"]
    own["pythonClassName"] = "antigravity.Label"
    (path / "features.json").write_text(json.dumps(features))
    for where in ({"path": path}, {"path": "own", "data_dir": str(tmp_path)}):
        message = refusal(**where)
        assert "names the code antigravity.Label, which is never imported" in message
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize("name", ["kaggle:dogs", "huggingface:mnist", "ns:own/a:1.0.0"])
def test_collections_of_others_are_refused(tmp_path, name):
    assert "whose code would be downloaded" in refusal(name, data_dir=str(tmp_path))


def test_set_that_can_not_be_prepared_is_refused(tmp_path, monkeypatch):
    script = "import sys; sys.exit('no network')"
    monkeypatch.setattr("vae_cli.data.tfds.PREPARE", script)
    message = refusal("mnist", data_dir=str(tmp_path))
    assert f"is not in {tmp_path}, and can't be downloaded and prepared" in message
    assert "no network" in message
    message = refusal("no_such_set_at_all", data_dir=str(tmp_path))
    assert "can't be read as a set of TensorFlow Datasets" in message


def test_places_that_hold_no_set_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "there is no features.json" in refusal(tmp_path / "empty")
    assert "does not exist" in refusal(tmp_path / "gone")
    assert "is a file" in refusal(Path(__file__))
    os.mkfifo(tmp_path / "pipe")
    assert "is a named pipe" in refusal(tmp_path / "pipe")
    path = stored(tmp_path)
    (path / "features.json").write_text("{")
    assert "can't be read as JSON" in refusal(path)


@pytest.mark.parametrize("form", ["tfrecord", "array_record"])
def test_damaged_files_are_refused(tmp_path, form):
    path = stored(tmp_path, form=form)
    [file] = path.glob("*-train.*")
    content = file.read_bytes()
    for damaged in (b"", content[:7], content[: len(content) // 2], b"hello" * 99):
        file.write_bytes(damaged)
        message = refusal(path)
        assert "damaged" in message or "ends after" in message
    file.unlink()
    assert "can't be read: No such file" in refusal(path)
    assert not cache_contents.entries()


def test_missing_package_is_named_with_what_to_type(tmp_path, monkeypatch):
    own = builtins.__import__

    def without(name, *rest):
        if name == "tensorflow_datasets":
            raise ImportError(name)
        return own(name, *rest)

    monkeypatch.delitem(sys.modules, "tensorflow_datasets")
    monkeypatch.setattr(builtins, "__import__", without)
    message = refusal(tmp_path)
    assert "not installed: tensorflow-datasets" in message
    assert "pip install 'vae-cli[tfds]'" in message
