"""`dataset=hdf5`: found, streamed, and never led outside its file."""

import os

import h5py
import numpy as np
import pytest

from tests.helpers import grey_images
from vae_cli.config.dataset_formats import Hdf5Config
from vae_cli.data import cache_contents
from vae_cli.data.prepare import load_data
from vae_cli.errors import DataError

GREY = grey_images(12, 6, 5)
LARGE = grey_images(20, 300, 100).astype(np.uint16) * 16
"""1.1 MiB, more than `memory_mb=1`."""


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VAE_CACHE", str(tmp_path / "cache"))


def load(path, **options):
    options = {"validation_size": 2, "test_size": 0, **options}
    return load_data(Hdf5Config(path=str(path), **options))


def refusal(path, **options) -> str:
    with pytest.raises(DataError) as refused:
        load(path, **options)
    return str(refused.value)


def pixels(data):
    """All images in the data's own values, in a fixed order."""
    images = np.concatenate([data.train.images[:], data.validation.images[:]])
    own = data.spec.pixels
    return ordered(images if own.eight_bit else own.stored(images))


def ordered(images):
    flat = images.reshape(len(images), -1)
    return flat[np.lexsort(flat.T)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "images.h5"


def test_images_and_labels_are_found_by_shape_and_name(path):
    with h5py.File(path, "w") as file:
        file["meta/scale"] = np.ones(12)
        file["train/images"] = GREY
        file["train/labels"] = ["cat", "dog", "emu"] * 4
        file["test/images"] = GREY[:5]
        file["test/labels"] = ["emu"] * 5
    data = load(path)
    np.testing.assert_array_equal(pixels(data), ordered(GREY))
    assert data.spec.class_names == ("cat", "dog", "emu")
    np.testing.assert_array_equal(data.test.labels, [2] * 5)


@pytest.mark.parametrize(
    "storage",
    [{}, {"chunks": (3, 100, 50)}, {"compression": "gzip"}, {"fletcher32": True}],
    ids=["contiguous", "chunked", "gzip", "checksums"],
)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("block", [0, 1024])
def test_large_data_sets_are_streamed_with_the_values_of_the_file(
    path, storage, order, block
):
    with h5py.File(path, "w", userblock_size=block) as file:
        file.create_dataset("x", data=LARGE.astype(f"{order}u2"), **storage)
    data = load(path, memory_mb=1)
    assert data.streamed
    assert data.spec.pixels.high == 4095
    np.testing.assert_array_equal(pixels(data), ordered(LARGE))
    copied = [entry.about["array"] for entry in cache_contents.entries()]
    assert copied == (["x"] if storage else [])
    np.testing.assert_array_equal(pixels(load(path, memory_mb=1)), ordered(LARGE))
    assert len(cache_contents.entries()) == len(copied)
    np.testing.assert_array_equal(pixels(load(path, memory_mb=100)), ordered(LARGE))


def test_large_data_set_is_resized_in_the_cache(path):
    with h5py.File(path, "w") as file:
        file["x"] = LARGE
    options = {"image_size": [400, 90], "resize": "stretch"}
    streamed = load(path, memory_mb=1, **options)
    held = load(path, memory_mb=100, **options)
    assert streamed.streamed and streamed.spec.image_shape == (400, 90, 1)
    np.testing.assert_array_equal(pixels(streamed), pixels(held))


def test_booleans_are_black_and_white(path):
    with h5py.File(path, "w") as file:
        file["x"] = GREY > 99
    assert load(path).spec.binary


def test_several_data_sets_of_images_are_listed(path):
    with h5py.File(path, "w") as file:
        file["a/photos"], file["b/masks"] = GREY, GREY > 9
    message = refusal(path)
    assert "2 data sets that can be images" in message
    assert "a/photos [12, 6, 5] uint8, b/masks [12, 6, 5] bool" in message
    assert "dataset.key=a/photos" in message
    assert load(path, key="/b/masks").spec.binary


def test_values_in_other_files_are_not_opened(tmp_path, path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = GREY
    layout = h5py.VirtualLayout(GREY.shape, GREY.dtype)
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "secret", GREY.shape)
    (tmp_path / "raw.bin").write_bytes(GREY.tobytes())
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset(
            "raw", GREY.shape, "u1",
            external=[(str(tmp_path / "raw.bin"), 0, h5py.h5f.UNLIMITED)],
        )  # fmt: skip
        file["link"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "secret")
        file["group"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/")
        file["soft"] = h5py.SoftLink("/virtual")
    for key in ("virtual", "raw"):
        assert "keeps its values in other files" in refusal(path, key=key)
    for key in ("link", "group/secret"):
        message = refusal(path, key=key)
        assert "links are not followed" in message
        assert "other.h5" in message
    assert "dataset.key=virtual" in refusal(path, key="soft")


def test_file_of_links_alone_has_no_images(tmp_path, path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["images"] = GREY
    with h5py.File(path, "w") as file:
        file["images"] = h5py.ExternalLink("other.h5", "images")
        file.create_group("deep/deeper")
        file["deep/deeper/up"] = file["deep"]  # groups in a circle
    assert "no data set that can be images" in refusal(path)


@pytest.mark.parametrize(
    ("values", "part"),
    [
        (np.zeros((12, 4, 4), complex), "has type complex128"),
        (np.zeros((12, 4, 4), [("a", "u1")]), "has type [('a', 'u1')]"),
        (np.zeros((12, 16), np.uint8), "has shape [12, 16]"),
        (np.zeros((0, 4, 4), np.uint8), "is empty"),
        (np.full((12, 4, 4), np.inf), "NaN or infinite pixels in 12 of 12"),
        (h5py.Empty("u1"), "has shape []"),
    ],
)
def test_what_can_not_be_images_is_refused(path, values, part):
    with h5py.File(path, "w") as file:
        file["x"] = values
    assert part in refusal(path)


def test_references_and_lists_are_refused(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("r", (12, 4, 4), h5py.ref_dtype)
        file.create_dataset("v", (12, 4, 4), h5py.vlen_dtype(np.uint8))
        file["labels"] = GREY
    for key in ("r", "v"):
        assert "has type object" in refusal(path, key=key)
    message = refusal(path, key="labels", labels_key="r")
    assert "must hold class numbers" in message


def test_labels_of_another_length_are_refused(path):
    with h5py.File(path, "w") as file:
        file["x"], file["names"] = GREY, np.arange(3)
    assert "has 3 labels for 12 images" in refusal(path, labels_key="names")


def test_file_cut_short_is_refused(path):
    with h5py.File(path, "w") as file:
        file["x"] = LARGE
    whole = path.read_bytes()
    for size in (0, 5, 100, 3000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert "can't be read as HDF5" in refusal(path, memory_mb=1)


def test_damaged_chunks_are_refused(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=LARGE, chunks=LARGE.shape, compression="gzip")
        at = file["x"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[at + 50 : at + 5000] = bytes(4950)
    path.write_bytes(content)
    for memory_mb in (1, 100):
        assert "can't be read as HDF5" in refusal(path, memory_mb=memory_mb)
    assert not cache_contents.entries()
    assert [f.name for f in (path.parent / "cache").iterdir()] in ([], [".lock"])


def test_other_files_are_refused(tmp_path, path):
    path.write_text("hello")
    assert "can't be read as HDF5" in refusal(path)
    assert "is a folder" in refusal(tmp_path)
    assert "does not exist" in refusal(tmp_path / "gone.h5")
    os.mkfifo(tmp_path / "pipe.h5")
    assert "is a named pipe" in refusal(tmp_path / "pipe.h5")
