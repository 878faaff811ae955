"""Single picture files: modes, sizes, types and orientations."""

import io
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from vae_cli.data.decode import Preparation, decode, read_header

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (9, 12, 3)).astype(np.uint8)


def written(pixels: np.ndarray, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def to(size=(9, 12), channels=3, **options) -> Preparation:
    return Preparation(size, channels, **options)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_formats_give_their_own_pixels(kind):
    data = written(COLOUR, kind, **({"lossless": True} if kind == "WEBP" else {}))
    assert read_header(data).size == (9, 12)
    np.testing.assert_array_equal(decode(data, to()), COLOUR)


@pytest.mark.parametrize(
    ("mode", "dtype", "channels", "alpha"),
    [
        ("1", "uint8", 1, False), ("L", "uint8", 1, False), ("LA", "uint8", 1, True),
        ("P", "uint8", 3, False), ("RGB", "uint8", 3, False),
        ("RGBA", "uint8", 3, True), ("I;16", "uint16", 1, False),
        ("I", "int32", 1, False), ("F", "float32", 1, False),
        ("CMYK", "uint8", 3, False),
    ],
)  # fmt: skip
def test_modes_are_told_by_the_header(mode, dtype, channels, alpha):
    buffer = io.BytesIO()
    Image.new(mode, (5, 4)).save(buffer, "TIFF")
    found = read_header(buffer.getvalue())
    assert (found.dtype, found.channels, found.alpha) == (dtype, channels, alpha)
    assert decode(
        buffer.getvalue(), Preparation((4, 5), 3, dtype)
    ).shape == (4, 5, 3)  # fmt: skip


def test_deep_pixels_keep_their_values():
    deep = RNG.integers(0, 4096, (9, 12)).astype(np.uint16)
    real = RNG.normal(size=(9, 12)).astype(np.float32)
    pixels = decode(written(deep), to(channels=1, dtype="uint16"))
    np.testing.assert_array_equal(pixels[..., 0], deep)
    pixels = decode(written(real, "TIFF"), to(channels=1, dtype="float32"))
    np.testing.assert_array_equal(pixels[..., 0], real)


@pytest.mark.parametrize("planes_first", [False, True])
@pytest.mark.parametrize("dtype", ["uint16", "float32", ">u2"])
def test_scientific_tiffs_keep_their_channels(planes_first, dtype):
    array = RNG.integers(0, 4096, (9, 12, 5)).astype(dtype)
    buffer = io.BytesIO()
    stored = np.moveaxis(array, -1, 0) if planes_first else array
    layout = None if planes_first else "contig"
    tifffile.imwrite(buffer, stored, photometric="minisblack", planarconfig=layout)
    found = read_header(buffer.getvalue())
    assert (found.size, found.channels) == ((9, 12), 5)
    pixels = decode(buffer.getvalue(), to(channels=5, dtype=found.dtype))
    np.testing.assert_array_equal(pixels, array)


def test_sixteen_bit_colour_is_not_cut_to_eight():
    array = RNG.integers(0, 65536, (9, 12, 3)).astype(np.uint16)
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, photometric="rgb")
    assert read_header(buffer.getvalue()).dtype == "uint16"
    pixels = decode(buffer.getvalue(), to(dtype="uint16"))
    np.testing.assert_array_equal(pixels, array)


def test_png_of_sixteen_bit_colour_is_known_to_be_cut(tmp_path):
    # no library here writes one: the header of an 8-bit one, changed
    data = bytearray(written(COLOUR))
    assert not read_header(bytes(data)).cut
    data[24] = 16
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    assert read_header(bytes(data)).cut


def test_transparency_shows_the_background():
    rgba = np.dstack([COLOUR, np.full((9, 12), 255, np.uint8)])
    rgba[:4, :, 3] = 0
    pixels = decode(written(rgba), to(background="#204060"))
    assert (pixels[:4] == [0x20, 0x40, 0x60]).all()
    np.testing.assert_array_equal(pixels[4:], COLOUR[4:])


def test_half_transparent_pixels_mix_with_the_background():
    rgba = np.dstack([COLOUR, np.full((9, 12), 128, np.uint8)])
    pixels = decode(written(rgba), to(background="white"))
    expected = COLOUR * (128 / 255) + 255 * (127 / 255)
    np.testing.assert_allclose(pixels, expected, atol=1.01)


def test_alpha_is_a_channel_where_it_is_kept():
    rgba = np.dstack([COLOUR, RNG.integers(0, 256, (9, 12)).astype(np.uint8)])
    pixels = decode(written(rgba), to(channels=4, background="keep"))
    np.testing.assert_array_equal(pixels, rgba)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_their_camera_says(orientation):
    undo = {
        1: lambda x: x, 2: np.fliplr, 3: lambda x: np.rot90(x, 2), 4: np.flipud,
        5: lambda x: np.swapaxes(x, 0, 1), 6: lambda x: np.rot90(x, -1),
        7: lambda x: np.rot90(np.swapaxes(x, 0, 1), 2), 8: np.rot90,
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = written(COLOUR, exif=exif)
    expected = undo(COLOUR)
    assert read_header(data).size == expected.shape[:2]
    np.testing.assert_array_equal(decode(data, to(expected.shape[:2])), expected)


@pytest.mark.parametrize("text", ["exif", "xmp"])
def test_pngs_are_turned_by_what_other_programs_write_in_them(text):
    exif = Image.Exif()
    exif[0x0112] = 6
    info = PngImagePlugin.PngInfo()
    if text == "exif":  # as ImageMagick does
        data = exif.tobytes()
        info.add_text("Raw profile type exif", f"\nexif\n{len(data):8}\n{data.hex()}\n")
    else:
        info.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>')
    data = written(COLOUR, pnginfo=info)
    expected = np.rot90(COLOUR, -1)
    assert read_header(data).size == expected.shape[:2]
    np.testing.assert_array_equal(decode(data, to(expected.shape[:2])), expected)


def test_photographs_on_their_side_are_read_as_finely_as_upright_ones():
    rng = np.random.default_rng(0)
    photo = np.asarray(
        Image.fromarray(rng.integers(0, 256, (40, 10, 3)).astype(np.uint8))
        .resize((400, 1600), Image.Resampling.BICUBIC)
    )  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = written(photo, "JPEG", quality=95)
    turned = written(np.rot90(photo), "JPEG", quality=95, exif=exif)
    shape = to((64, 16))
    difference = decode(turned, shape).astype(int) - decode(upright, shape)
    assert np.abs(difference).mean() < 1.5


def halves() -> np.ndarray:
    """8 x 24 pixels: black, white in the middle third, black."""
    pixels = np.zeros((8, 24, 3), np.uint8)
    pixels[:, 8:16] = 255
    return pixels


def test_crop_takes_the_middle():
    pixels = decode(written(halves()), to((4, 4), resize="crop"))
    assert (pixels[:, 1:3] > 240).all()
    assert pixels.mean() > 200


def test_pad_keeps_everything_on_the_background():
    pixels = decode(written(halves()), to((12, 12), resize="pad", background="red"))
    assert (pixels[0] == [255, 0, 0]).all()
    assert (pixels[5:7, 5:7] > 240).all()
    assert (pixels[5:7, 0] < 15).all()


def test_stretch_keeps_everything():
    pixels = decode(written(halves()), to((6, 6), resize="stretch"))
    assert (pixels[:, 2:4] > 200).all()
    assert (pixels[:, 0] < 60).all()


def test_large_photographs_are_scaled_without_aliasing():
    # one pixel black, one white: grey, whatever pixels a poor filter would pick
    pixels = np.indices((512, 512)).sum(0) % 2 * 255
    data = written(pixels.astype(np.uint8), "JPEG", quality=95)
    small = decode(data, to((16, 16), channels=1))
    np.testing.assert_allclose(small, 127.5, atol=3)


def test_cut_off_pictures_are_refused():
    data = written(RNG.integers(0, 256, (64, 64, 3)).astype(np.uint8))
    with pytest.raises(OSError, match="truncated"):
        decode(data[: len(data) // 2], to((64, 64)))


def test_first_frame_of_an_animation_is_taken():
    frames = [Image.new("RGB", (12, 9), colour) for colour in ("red", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    assert (decode(buffer.getvalue(), to()) == [255, 0, 0]).all()
