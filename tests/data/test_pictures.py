"""Images of one's own: read as a model takes them, or refused."""

import os
import socket
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers import grey_images
from vae_cli.data.fitting import Fitting
from vae_cli.data.given_files import own_name
from vae_cli.data.images import to_float
from vae_cli.data.pictures import named_split
from vae_cli.data_spec import DataSpec
from vae_cli.errors import DataError
from vae_cli.pixels import Pixels

GREY, COLOUR = DataSpec((6, 8, 1), False), DataSpec((6, 8, 3), False)
PIXELS = grey_images(3, 6, 8, 3)


def read(given, spec, **options):
    return named_split(given, Fitting(spec, **options))


def saved(path, pixels):
    Image.fromarray(pixels).save(path)
    return path


def test_folder_is_read_in_order_of_names(tmp_path):
    for name, pixels in zip(("b.png", "a.png", "c.png"), PIXELS, strict=True):
        saved(tmp_path / name, pixels)
    (tmp_path / "notes.txt").write_text("no picture")
    split, names = read(tmp_path, COLOUR)
    assert names == ["a.png", "b.png", "c.png"]
    np.testing.assert_array_equal(split.images[:], PIXELS[[1, 0, 2]])
    assert split.mask is None


def test_grey_and_colour_become_each_other(tmp_path):
    path = saved(tmp_path / "colour.png", PIXELS[0])
    split, _ = read(path, GREY)
    expected = np.asarray(Image.open(path).convert("L"))
    np.testing.assert_array_equal(split.images[0, :, :, 0], expected)
    path = saved(tmp_path / "grey.png", expected)
    split, _ = read(path, COLOUR)
    np.testing.assert_array_equal(split.images[0], np.dstack([expected] * 3))


def test_sixteen_bits_become_eight(tmp_path):
    pixels = np.linspace(0, 65535, 48).astype(np.uint16).reshape(6, 8)
    Image.fromarray(pixels).save(tmp_path / "deep.png")
    split, _ = read(tmp_path / "deep.png", GREY)
    np.testing.assert_array_equal(split.images[0, :, :, 0], np.rint(pixels / 257))
    Image.fromarray(pixels / np.float32(65)).save(tmp_path / "real.tiff")
    with pytest.raises(DataError, match=r"uint8 in 0..255, or floats"):
        read(tmp_path / "real.tiff", GREY)


def test_bytes_of_0_and_1_are_black_and_white_as_in_training_sets(tmp_path):
    np.save(tmp_path / "flags.npy", (PIXELS[..., 0] > 127).astype(np.uint8))
    split, _ = read(tmp_path / "flags.npy", GREY)
    np.testing.assert_array_equal(
        split.images[..., 0], np.where(PIXELS[..., 0] > 127, 255, 0)
    )


def test_transparent_pixels_are_missing(tmp_path):
    alpha = np.full((6, 8, 1), 255, np.uint8)
    alpha[2:4, 5] = 0
    path = saved(tmp_path / "hole.png", np.concatenate([PIXELS[0], alpha], -1))
    split, _ = read(path, COLOUR)
    np.testing.assert_array_equal(split.mask[0], alpha)
    np.testing.assert_array_equal(
        split.images[0][alpha[..., 0] > 0], PIXELS[0][alpha[..., 0] > 0]
    )


def test_transparent_pixels_get_the_background_of_the_data(tmp_path):
    alpha = np.full((6, 8, 1), 255, np.uint8)
    alpha[2:4, 5] = 0
    path = saved(tmp_path / "hole.png", np.concatenate([PIXELS[0], alpha], -1))
    split, _ = read(path, COLOUR, background="#102030")
    assert split.mask is None
    np.testing.assert_array_equal(split.images[0][2, 5], [0x10, 0x20, 0x30])


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
def test_pictures_of_another_size_are_brought_to_that_of_the_model(tmp_path, resize):
    pixels = np.zeros((12, 32, 3), np.uint8)
    pixels[:, 8:24] = 255  # the middle is white
    split, _ = read(saved(tmp_path / "wide.png", pixels), COLOUR, resize=resize)
    middle, edge = split.images[0, 3, 4], split.images[0, 3, 0]
    assert (middle > 250).all()
    # a crop keeps the middle alone; black lies left of it in the others
    assert (edge > 200).all() == (resize == "crop")


def test_arrays_of_another_size_and_mode_are_brought_to_those_of_the_model():
    split, names = read(grey_images(5, 12, 16, 4), COLOUR)
    assert split.images.shape == (5, 6, 8, 3)
    assert names[4] == "array[4]"


def test_patterns_lists_and_nested_folders_name_pictures(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name in ("a.png", "b.jpg", "deep/er/c.png"):
        saved(tmp_path / name, PIXELS[0])
    assert read(tmp_path, COLOUR)[1] == ["a.png", "b.jpg", "deep/er/c.png"]
    assert read(str(tmp_path / "**" / "*.png"), COLOUR)[1] == ["a.png", "deep/er/c.png"]
    assert read([tmp_path / "b.jpg", tmp_path / "a.png"], COLOUR)[1] == [
        "b.jpg", "a.png",
    ]  # fmt: skip
    with pytest.raises(DataError, match="does not exist"):
        read(str(tmp_path / "*.bmp"), COLOUR)


def test_pictures_lie_upright_as_their_camera_says(tmp_path):
    pixels = np.zeros((8, 6, 3), np.uint8)
    pixels[:4] = 255
    exif = Image.Exif()
    exif[0x0112] = 8  # turned by a quarter
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    split, _ = read(tmp_path / "a.png", COLOUR)
    np.testing.assert_array_equal(split.images[0], np.rot90(pixels))


@pytest.mark.parametrize("low, high", [(0.0, 4095.0), (-1.0, 1.0)])
def test_values_become_the_models_as_those_of_its_data_did(tmp_path, low, high):
    pixels = Pixels("float32", low, high, True, None, (low, high))
    spec = DataSpec((6, 8, 1), False, pixels=pixels)
    values = np.linspace(low, high, 96, dtype=np.float32).reshape(2, 6, 8)
    split, _ = read(values, spec)
    np.testing.assert_allclose(
        split.images[:].ravel(), np.linspace(0, 1, 96), atol=1e-6
    )
    Image.fromarray(values[0]).save(tmp_path / "a.tiff")
    split, _ = read(tmp_path / "a.tiff", spec)
    np.testing.assert_allclose(
        split.images[0], (values[0, ..., None] - low) / (high - low), atol=1e-6
    )


def test_values_outside_the_range_are_clipped_with_a_warning(caplog):
    pixels = Pixels("float32", -1.0, 1.0, True, None, (-1.0, 1.0))
    spec = DataSpec((6, 8, 1), False, pixels=pixels)
    values = np.zeros((2, 6, 8), np.float32)
    values[:, :2] = 2
    split, _ = read(values, spec)
    assert (split.images[:, :2] == 1).all()
    assert "32 values lie outside the range of the run's data, -1 to 1" in caplog.text
    with pytest.raises(DataError, match="pixels from 0 to 2, most of them outside"):
        read(np.where(values == 0, 2, 0), spec)


@pytest.mark.parametrize("shape", [(6, 8, 3), (9, 7, 3), (9, 7, 4), (9, 7, 1)])
@pytest.mark.parametrize("spec", [GREY, COLOUR], ids=["grey", "colour"])
def test_one_image_with_channels_is_one_image(shape, spec):
    split, names = read(grey_images(1, *shape)[0], spec)
    assert split.images.shape == (1, *spec.image_shape)
    assert names == ["array[0]"]


def test_sixteen_bit_pictures_are_scaled_for_data_of_eight_bits(tmp_path):
    grey = PIXELS[0, ..., 0]
    eight = saved(tmp_path / "8.png", grey)
    sixteen = saved(tmp_path / "16.png", grey.astype(np.uint16) * 257)
    standardized = Pixels("uint8", 90.0, 140.0, False, None, (0.0, 255.0))
    for pixels in (Pixels(), standardized):
        spec = DataSpec((6, 8, 1), False, pixels=pixels)
        own = [read(path, spec)[0].images[:] for path in (eight, sixteen)]
        np.testing.assert_array_equal(*own)
        floats = read(grey[None] / 255, spec)[0]
        np.testing.assert_allclose(to_float(floats.images[:]), to_float(own[0]), 1e-5)


def test_eight_bit_pictures_fill_what_standardized_data_have(tmp_path):
    path = saved(tmp_path / "8.png", np.array([[0, 255]] * 2, np.uint8))
    pixels = Pixels("uint16", 900.0, 1000.0, False, None, (500.0, 2500.0))
    split, _ = read(path, DataSpec((2, 2, 1), False, pixels=pixels))
    np.testing.assert_allclose(split.values()[0, 0, :, 0], [500, 2500])


def test_fractions_are_refused_where_data_are_larger_integers():
    pixels = Pixels("uint16", 0.0, 4095.0, True, 4096, (0.0, 4000.0))
    spec = DataSpec((6, 8, 1), False, pixels=pixels)
    with pytest.raises(
        DataError, match=r"from 0\S* to \S*; this run's images are uint16"
    ):
        read(PIXELS[..., 0] / np.float32(255), spec)


def test_files_of_one_name_are_named_with_their_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("day", "night"):
        Path(folder).mkdir()
        saved(Path(folder) / "0.png", PIXELS[0])
    saved(Path("night") / "1.png", PIXELS[1])
    _, names = read(["day/0.png", "night/0.png", "night/1.png"], COLOUR)
    assert names == ["day/0.png", "night/0.png", "1.png"]


def test_binary_model_gets_binary_images(tmp_path):
    path = saved(tmp_path / "grey.png", PIXELS[0, :, :, 0])
    split, _ = read(path, DataSpec((6, 8, 1), True))
    np.testing.assert_array_equal(
        split.images[0, :, :, 0], np.where(PIXELS[0, :, :, 0] > 127, 255, 0)
    )


@pytest.mark.parametrize("name", ["images.npy", "images.npz"])
@pytest.mark.parametrize("kind", ["bytes", "floats", "no channel"])
def test_arrays_are_read(tmp_path, name, kind):
    images = grey_images(3, 6, 8, 1)
    array = images / np.float32(255) if kind == "floats" else images
    array = array[..., 0] if kind == "no channel" else array
    write = np.save if name.endswith("npy") else np.savez
    write(tmp_path / name, array)
    split, names = read(tmp_path / name, GREY)
    np.testing.assert_array_equal(split.images[:], images)
    assert names[2] == f"{name}[2]"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        ("folder", "holds no picture"),
        ("text", "can't be read as a picture"),
        ("large", "it has more than 134,217,728 pixels"),
        ("pickled", "can't be read as an array"),
        ("other channels", "this model's images are [6, 8, 1]"),
        ("beyond", "rescale them"),
        ("empty", "is empty"),
        ("broken", "can't be read as an array"),
        ("words", "has type <U1"),
        ("several", "save the images under the name images"),
        ("cut off", "can't be read as an array"),
    ],
)
def test_what_is_no_image_is_refused(tmp_path, content, message):
    path = tmp_path / "mine.png"
    if content == "folder":
        path.mkdir()
    elif content == "text":
        path.write_text("no picture")
    elif content == "large":
        saved(path, np.zeros((1, 1), np.uint8))
        content = bytearray(path.read_bytes())
        content[16:24] = (50_000).to_bytes(4, "big") * 2
        content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
        path.write_bytes(content)
    elif content is not None:
        path = tmp_path / "mine.npy"
        arrays = {
            "pickled": np.array([{}], object),
            "other channels": np.zeros((2, 6, 9, 5), np.uint8),
            "beyond": np.full((2, 6, 8), 1.5, np.float32),
            "empty": np.zeros((0, 6, 8), np.uint8),
            "words": np.full((2, 6, 8), "a"),
        }
        if content == "broken":
            path.write_bytes(b"\x93NUMPY")
        elif content in ("several", "cut off"):
            path = tmp_path / "mine.npz"
            np.savez(path, labels=np.arange(2), x=np.zeros((2, 6, 8), np.uint8))
            if content == "cut off":
                path.write_bytes(path.read_bytes()[:-40])
        else:
            np.save(path, arrays[content], allow_pickle=True)
    with pytest.raises(DataError) as refused:
        read(path, GREY)
    assert message in str(refused.value)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("name", ["ink.eps", "ink.png"])
def test_postscript_never_reaches_an_interpreter(tmp_path, name, monkeypatch):
    monkeypatch.setattr(
        "PIL.EpsImagePlugin.Ghostscript", lambda *_: pytest.fail("it was run")
    )
    path = tmp_path / name
    Image.fromarray(PIXELS[0]).save(path, format="EPS")
    with pytest.raises(DataError, match="can't be read as a picture"):
        read(path, COLOUR)


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "bmp", "gif", "tiff"])
def test_common_formats_are_read(tmp_path, kind):
    saved(tmp_path / f"a.{kind}", PIXELS[0])
    split, names = read(tmp_path, COLOUR)
    assert (len(split), names) == (1, [f"a.{kind}"])


@pytest.mark.parametrize("name", ["a.png", "a.npy", "a.npz"])
@pytest.mark.parametrize("linked", [False, True])
def test_pipes_are_refused_at_once(tmp_path, name, linked):
    os.mkfifo(tmp_path / ("pipe" if linked else name))
    if linked:
        (tmp_path / name).symlink_to("pipe")
    with pytest.raises(DataError, match="is a named pipe"):
        read(tmp_path / name, GREY)
    if name == "a.png":
        with pytest.raises(DataError, match="is a named pipe"):
            read(tmp_path, GREY)


def test_sockets_and_devices_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("a.png")
        with pytest.raises(DataError, match="is a socket"):
            read(Path("a.png"), GREY)
    with pytest.raises(DataError, match="is a device"):
        read(Path("/dev/zero"), GREY)


def test_name_of_any_bytes_is_shown_as_text(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    saved(path, PIXELS[0])
    _, names = read(tmp_path, COLOUR)
    assert names == ["caf\\udce9.png"]
    own_name(str(path)).encode()


def test_palette_with_opacities_is_read_without_a_warning(tmp_path):
    picture = Image.fromarray(PIXELS[0]).quantize(4)
    picture.save(tmp_path / "a.png", transparency=bytes([0, 255, 200, 255]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        split, _ = read(tmp_path / "a.png", COLOUR)
    np.testing.assert_array_equal(
        split.mask[0, ..., 0], np.where(np.asarray(picture) == 0, 0, 255)
    )
    np.testing.assert_array_equal(split.images[0], np.asarray(picture.convert("RGB")))


def test_array_with_channels_first_is_refused_with_what_turns_it(tmp_path):
    np.save(tmp_path / "a.npy", np.moveaxis(PIXELS, -1, 1))
    with pytest.raises(DataError, match=r"numpy.moveaxis\(images, 1, -1\)"):
        read(tmp_path / "a.npy", COLOUR)


def test_png_with_a_damaged_chunk_is_named(tmp_path):
    file = tmp_path / "damaged.png"
    Image.fromarray(PIXELS[0]).save(file)
    content = bytearray(file.read_bytes())
    at = content.index(b"IDAT")
    content[at : at + 4] = b"\xb9,8\xf8"
    file.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"damaged\.png"):
        read(file, COLOUR)
