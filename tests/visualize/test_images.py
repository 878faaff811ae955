import numpy as np
import pytest
from PIL import Image

from vae_cli.visualize.images import (
    CELL,
    grid,
    stacked,
    to_uint8,
    write_gif,
    write_png,
)

GAP = 64
"""Grey level between images."""


def flat(levels: list[float], side: int = CELL, channels: int = 1) -> np.ndarray:
    """Images of one level each; large enough not to be enlarged."""
    images = np.ones((len(levels), side, side, channels), np.float32)
    return images * np.reshape(levels, (-1, 1, 1, 1)) / 255


def cell(sheet: np.ndarray, row: int, column: int, side: int = CELL) -> np.ndarray:
    """Cut a cell out of a grid of images that were not enlarged."""
    top, left = 1 + row * (side + 1), 1 + column * (side + 1)
    return sheet[top : top + side, left : left + side]


def levels(sheet: np.ndarray, rows: int, columns: int) -> list[list[int]]:
    """The level of each cell; 64 where there is no image."""
    assert sheet.shape[:2] == (rows * (CELL + 1) + 1, columns * (CELL + 1) + 1)
    found = []
    for row in range(rows):
        cells = [cell(sheet, row, column) for column in range(columns)]
        assert all(np.ptp(pixels) == 0 for pixels in cells)
        found.append([int(pixels[0, 0, 0]) for pixels in cells])
    return found


def test_pixels_are_rounded_to_eight_bits_and_clipped():
    values = np.array([-0.2, 0, 0.1, 0.5, 0.999, 1, 1.7], np.float32)
    found = to_uint8(values.reshape(1, 1, 7, 1)).reshape(-1)
    np.testing.assert_array_equal(found, [0, 0, 26, 128, 255, 255, 255])
    assert found.dtype == np.uint8


def test_eight_bit_pixels_survive_the_way_through_floats():
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    np.testing.assert_array_equal(to_uint8(pixels.astype(np.float32) / 255), pixels)


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_and_colour_are_kept(channels):
    images = np.random.default_rng(0).random((2, 4, 5, channels))
    np.testing.assert_array_equal(to_uint8(images), np.round(images * 255))


def test_two_channels_get_a_third_that_is_black():
    images = np.random.default_rng(0).random((2, 4, 5, 2))
    shown = to_uint8(images)
    np.testing.assert_array_equal(shown[..., :2], np.round(images * 255))
    assert shown.shape == (2, 4, 5, 3)
    assert not shown[..., 2].any()


def test_of_four_channels_three_are_shown():
    images = np.random.default_rng(0).random((2, 4, 5, 4))
    np.testing.assert_array_equal(to_uint8(images), np.round(images * 255)[..., :3])


def test_grid_goes_row_by_row():
    sheet = grid(flat([10, 20, 30, 40, 50, 60]), columns=3)
    assert levels(sheet, 2, 3) == [[10, 20, 30], [40, 50, 60]]


def test_grid_has_a_gap_of_one_pixel_around_every_image():
    sheet = grid(flat([10, 20, 30, 40]), columns=2)
    assert sheet.shape == (2 * (CELL + 1) + 1, 2 * (CELL + 1) + 1, 1)
    lines = [0, CELL + 1, 2 * (CELL + 1)]
    assert (sheet[lines] == GAP).all()
    assert (sheet[:, lines] == GAP).all()
    assert (sheet == GAP).sum() == sheet.size - 4 * CELL**2


def test_gap_can_be_left_out():
    images = np.random.default_rng(0).random((4, CELL, CELL, 1))
    top, bottom = np.hstack(images[:2]), np.hstack(images[2:])
    np.testing.assert_array_equal(
        grid(images, columns=2, gap=0), to_uint8(np.vstack([top, bottom]))
    )


def test_short_last_row_is_left_empty():
    sheet = grid(flat([10, 20, 30, 40]), columns=3)
    assert levels(sheet, 2, 3) == [[10, 20, 30], [40, GAP, GAP]]


def test_one_image_makes_a_grid():
    assert levels(grid(flat([10]), columns=1), 1, 1) == [[10]]


def test_images_keep_their_pixels_and_their_orientation():
    image = np.random.default_rng(0).random((1, CELL, CELL + 3, 3))
    sheet = grid(image, columns=1)
    np.testing.assert_array_equal(sheet[1:-1, 1:-1], to_uint8(image[0]))


def test_small_images_are_enlarged_by_repeating_pixels():
    image = np.random.default_rng(0).random((1, 10, 14, 1))
    sheet = grid(image, columns=1)  # 56 / 14: four times
    shown = to_uint8(image[0])[..., 0]
    expected = np.kron(np.pad(shown, 1, constant_values=GAP), np.ones((4, 4)))
    np.testing.assert_array_equal(sheet[..., 0], expected)


@pytest.mark.parametrize("side, scale", [(8, 7), (28, 2), (32, 2), (55, 2), (56, 1)])
def test_cells_are_at_least_56_pixels_wide(side, scale):
    sheet = grid(flat([10, 20], side), columns=2)
    assert sheet.shape == (scale * (side + 2), scale * (2 * side + 3), 1)
    assert scale * side >= CELL


@pytest.mark.parametrize("channels, shown", [(1, 1), (2, 3), (3, 3), (4, 3)])
def test_grid_is_grey_or_colour(channels, shown):
    sheet = grid(flat([10, 20], channels=channels), columns=2)
    assert sheet.shape[-1] == shown
    assert sheet.dtype == np.uint8


def test_pairs_put_each_row_above_its_partner():
    before, after = flat([10, 20, 30, 40]), flat([11, 21, 31, 41])
    sheet = stacked([before, after], columns=2)
    assert levels(sheet, 4, 2) == [[10, 20], [11, 21], [30, 40], [31, 41]]


def test_pairs_keep_a_short_last_row_above_its_partner():
    before, after = flat([10, 20, 30]), flat([11, 21, 31])
    sheet = stacked([before, after], columns=2)
    assert levels(sheet, 4, 2) == [[10, 20], [11, 21], [30, GAP], [31, GAP]]


def test_pairs_of_fewer_images_than_columns_stand_above_each_other():
    before, after = flat([10, 20]), flat([11, 21])
    sheet = stacked([before, after], columns=3)
    assert levels(sheet, 2, 3) == [[10, 20, GAP], [11, 21, GAP]]


@pytest.mark.parametrize("channels", [1, 3])
def test_png_reads_back_pixel_for_pixel(tmp_path, channels):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (7, 9, channels), dtype=np.uint8)
    path = tmp_path / "grid.png"
    write_png(pixels, path)
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.mode == ("L" if channels == 1 else "RGB")
        np.testing.assert_array_equal(np.asarray(image).reshape(pixels.shape), pixels)


def test_png_is_written_whatever_the_file_is_called(tmp_path):
    path = tmp_path / "grid"
    write_png(np.zeros((4, 4, 1), np.uint8), path)
    with Image.open(path) as image:
        assert image.format == "PNG"


def frames_of(path) -> list[np.ndarray]:
    with Image.open(path) as image:
        assert image.format == "GIF"
        frames = []
        for index in range(image.n_frames):
            image.seek(index)
            frames.append(np.asarray(image.convert("RGB")))
        return frames


def test_grey_gif_reads_back_frame_by_frame(tmp_path):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (4, 7, 9, 1), dtype=np.uint8)
    path = tmp_path / "path.gif"
    write_gif(frames, path, milliseconds=100)
    read = frames_of(path)
    assert len(read) == 4
    for frame, expected in zip(read, frames, strict=True):
        np.testing.assert_array_equal(frame, expected.repeat(3, axis=-1))


def test_colour_gif_reads_back_frame_by_frame(tmp_path):
    palette = np.random.default_rng(0).integers(0, 256, (8, 3), dtype=np.uint8)
    chosen = np.random.default_rng(1).integers(0, 8, (3, 7, 9))
    path = tmp_path / "path.gif"
    write_gif(palette[chosen], path, milliseconds=100)
    for frame, expected in zip(frames_of(path), palette[chosen], strict=True):
        np.testing.assert_array_equal(frame, expected)


def test_gif_plays_for_ever_at_its_pace(tmp_path):
    path = tmp_path / "path.gif"
    frames = [np.full((4, 4, 1), level, np.uint8) for level in (0, 90, 200)]
    write_gif(frames, path, milliseconds=120)
    with Image.open(path) as image:
        assert image.info["loop"] == 0
        assert image.info["duration"] == 120


def test_gif_of_one_frame_is_a_picture(tmp_path):
    path = tmp_path / "path.gif"
    write_gif([np.full((4, 4, 1), 90, np.uint8)], path, milliseconds=100)
    assert (frames_of(path)[0] == 90).all()
