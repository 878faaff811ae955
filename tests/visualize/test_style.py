"""Style and colours of figures."""

import matplotlib
import numpy as np
import pytest
from matplotlib import colormaps

from vae_cli.config.figure import FigureConfig
from vae_cli.errors import ConfigError
from vae_cli.visualize.files import save_figure
from vae_cli.visualize.images import grid
from vae_cli.visualize.options import drawn_as, figure_options
from vae_cli.visualize.plots import plot_latent, plot_rows

GREY = np.linspace(0, 1, 56 * 56, dtype=np.float32).reshape(1, 56, 56, 1)


def latent(labels: list[str]) -> list[tuple[float, ...]]:
    """The colour of each class."""
    points = np.random.default_rng(0).standard_normal((len(labels), 2))
    figure = plot_latent(points, ("a", "b"), np.array(labels), np.ones(2), 2, "points")
    drawn = figure.axes[0].collections
    return [tuple(group.get_facecolor()[0][:3]) for group in drawn]


def test_grey_pictures_are_drawn_in_the_chosen_colours() -> None:
    with drawn_as(cmap="viridis"):
        sheet = grid(GREY, 1)
    levels = np.round(GREY[0, ..., 0] * 255).astype(int)
    expected = np.round(colormaps["viridis"](levels / 255)[..., :3] * 255)
    np.testing.assert_array_equal(sheet[1:-1, 1:-1], expected)
    assert (sheet[0] == 64).all()  # gaps stay grey


@pytest.mark.parametrize("cmap", [None, "tab20"])
def test_colour_pictures_and_separate_colours_leave_pixels_as_they_are(
    cmap: str | None,
) -> None:
    colour = GREY.repeat(3, -1)
    plain = [grid(images, 1) for images in (GREY, colour)]
    with drawn_as(cmap=cmap):
        for images, before in zip((GREY, colour), plain, strict=True):
            np.testing.assert_array_equal(grid(images, 1), before)
    with drawn_as(cmap="magma"):
        np.testing.assert_array_equal(grid(colour, 1), plain[1])


def test_classes_are_spread_over_continuous_colours() -> None:
    with drawn_as(cmap="plasma"):
        found = latent(["0", "1", "2"])
    expected = colormaps["plasma"]([0.0, 0.5, 1.0])[:, :3]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_classes_take_separate_colours_in_their_order() -> None:
    with drawn_as(cmap="Set2"):
        found = latent(["a", "b"])
    np.testing.assert_allclose(found, colormaps["Set2"]([0, 1])[:, :3], atol=1e-6)


def test_colours_are_those_of_the_block_alone() -> None:
    with drawn_as(FigureConfig(dpi=99)), drawn_as(cmap="magma"):
        assert (figure_options().dpi, figure_options().cmap) == (99, "magma")
    assert figure_options().cmap is None
    wrong = pytest.raises(ConfigError, match=r"did you mean figure\.cmap=magma")
    with wrong, drawn_as(cmap="magmaa"):
        pass


def test_settings_of_the_caller_change_no_figure_and_stay(tmp_path) -> None:
    usual = plot_rows({"a": GREY}, "title").axes[0].yaxis.label.get_fontsize()
    with matplotlib.rc_context({"font.size": 30, "axes.labelsize": 40}):
        figure = plot_rows({"a": GREY}, "title")
        assert matplotlib.rcParams["font.size"] == 30
    assert figure.axes[0].yaxis.label.get_fontsize() == usual


def test_text_of_vector_files_is_text(tmp_path) -> None:
    figure = plot_rows({"a row's name": GREY}, "the title")
    save_figure(figure, tmp_path / "a.svg")
    assert "the title</text>" in (tmp_path / "a.svg").read_text()
    save_figure(figure, tmp_path / "a.pdf")
    assert b"/Type3" not in (tmp_path / "a.pdf").read_bytes()
