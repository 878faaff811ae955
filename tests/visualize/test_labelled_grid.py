"""Grids with names: pictures keep their pixels, names stand beside them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vae_cli.config.figure import FigureConfig
from vae_cli.evaluation.names import GridNames
from vae_cli.visualize.files import save_figure
from vae_cli.visualize.images import grid
from vae_cli.visualize.labelled_grid import plot_grid, save_grid
from vae_cli.visualize.options import drawn_as

RNG = np.random.default_rng(0)
NAMES = GridNames("a title", ("one", "two\nlines"), ("-1", "0", "1"), "x", "y")


def found(sheet: np.ndarray, picture: np.ndarray) -> bool:
    """Whether a picture holds a sheet, pixel by pixel."""
    height, width = sheet.shape[:2]
    for top in range(picture.shape[0] - height + 1):
        rows = picture[top : top + height]
        for left in np.flatnonzero((rows[0] == sheet[0, 0]).all(-1)):
            part = rows[:, left : left + width]
            if part.shape == sheet.shape and (part == sheet).all():
                return True
    return False


@pytest.mark.parametrize(("dpi", "scale"), [(60, 1), (150, 1), (300, 2)])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_pixel_of_the_pictures_is_in_the_figure(
    tmp_path: Path, dpi: int, scale: int, channels: int
) -> None:
    images = RNG.random((6, 7, 9, channels)).astype(np.float32)
    with drawn_as(FigureConfig(dpi=dpi)):
        save_figure(plot_grid(images, 3, NAMES), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as file:
        picture = np.asarray(file.convert("RGB"))
    sheet = np.broadcast_to(grid(images, 3), (*grid(images, 3).shape[:2], 3))
    assert found(sheet.repeat(scale, 0).repeat(scale, 1), picture)


def test_rows_and_columns_have_their_names() -> None:
    axis = plot_grid(np.zeros((6, 28, 28, 1), np.float32), 3, NAMES).axes[0]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["one", "two\nlines"]
    assert [text.get_text() for text in axis.get_xticklabels()] == ["-1", "0", "1"]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("x", "y")
    np.testing.assert_allclose(axis.get_yticks(), [29.25 * 2 - 28, 29.25 * 2 + 29], 0.1)


def test_names_that_would_touch_are_left_out() -> None:
    columns = tuple("a long name" for _ in range(12))
    images = np.zeros((12, 28, 28, 1), np.float32)
    axis = plot_grid(images, 12, GridNames("", (), columns)).axes[0]
    assert 1 < len(axis.get_xticks()) < 12


def test_without_names_the_pictures_stand_alone(tmp_path: Path) -> None:
    images = RNG.random((4, 28, 28, 1)).astype(np.float32)
    save_grid(images, 2, None, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as file:
        np.testing.assert_array_equal(np.asarray(file), grid(images, 2)[..., 0])
