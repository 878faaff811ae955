"""Figures are what their suffix says, whatever wrote them."""

import warnings

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from tests.helpers import grey_images
from vae_cli.errors import ConfigError
from vae_cli.visualize.evaluation_plots import plot_rate_distortion
from vae_cli.visualize.files import (
    SUFFIXES,
    figure_path,
    save_figure,
    save_pixels,
    text_width,
    wrapped,
)
from vae_cli.visualize.plots import plot_rows


def written_as(path) -> str:
    """What a file really is, by its first bytes."""
    head = path.read_bytes()[:300]
    if head.startswith(b"%PDF-"):
        return ".pdf"
    if head.startswith(b"<?xml") and b"<svg" in head + path.read_bytes()[:2000]:
        return ".svg"
    with Image.open(path) as picture:
        picture.load()
        return {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}[str(picture.format)]


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".PNG", ".Svg"])
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_and_figures_are_written_as_their_suffix_says(
    tmp_path, suffix, channels
):
    expected = suffix.lower().replace("jpeg", "jpg")
    save_pixels(grey_images(1, 20, 30, channels)[0], tmp_path / f"pixels{suffix}")
    assert written_as(tmp_path / f"pixels{suffix}") == expected
    figure = Figure()
    figure.subplots().plot([1, 2])
    save_figure(figure, tmp_path / f"figure{suffix}")
    assert written_as(tmp_path / f"figure{suffix}") == expected


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_pixels_are_kept(tmp_path, suffix):
    pixels = grey_images(1, 20, 30, 3)[0]
    save_pixels(pixels, tmp_path / f"a{suffix}")
    with Image.open(tmp_path / f"a{suffix}") as picture:
        np.testing.assert_array_equal(np.asarray(picture), pixels)


def test_name_without_a_suffix_gets_one():
    assert figure_path("runs/a.b/grid").name == "grid.png"
    assert figure_path("grid", "gif", (".gif",)).name == "grid.gif"


@pytest.mark.parametrize("name", ["a.eps", "a.npz", "run.2", "a.tiff"])
def test_other_suffixes_are_refused_with_those_there_are(name):
    with pytest.raises(ConfigError) as refused:
        figure_path(name)
    assert f"output={name}" in str(refused.value)
    assert all(suffix in str(refused.value) for suffix in SUFFIXES)


@pytest.mark.parametrize("text", ["$x_", "a$b$c", "$\\frac$", "\udcff\x1b[2J", "\\$"])
@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_no_text_is_read_as_mathematics(tmp_path, text, suffix):
    images = np.zeros((2, 4, 4, 1), np.float32)
    save_figure(plot_rows({text: images}, f"run {text}"), tmp_path / f"rows{suffix}")
    figure = Figure()
    axis = figure.subplots()
    axis.plot([1, 2], label=text)
    axis.legend(title=text)
    axis.set_xlabel(text)
    axis.annotate(text, (0, 1))
    save_figure(figure, tmp_path / f"figure{suffix}")


@pytest.mark.parametrize("shape", [(28, 28), (64, 8), (1, 1), (3, 500)])
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("name", ["a", "W" * 150, "W\n$W\nsharp"])
def test_long_names_leave_room_for_the_images(tmp_path, shape, count, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib's, of a layout that fails
        images = np.zeros((count, *shape, 1), np.float32)
        save_figure(
            plot_rows({name: images, "b": images}, "W" * 100), tmp_path / "a.png"
        )


def test_names_of_many_curves_leave_room_for_them(tmp_path):
    names = [f"{'W' * 80} {i}" for i in range(20)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_figure(
            plot_rate_distortion(range(20), range(20), range(20), names),
            tmp_path / "a.png",
        )


def test_long_titles_are_broken_between_options_and_keep_every_word():
    text = "0-beta=1,latent_dim=32,learning_rate=0.0005,seed=1: 500 test images"
    lines = wrapped(text, 2.0, fontsize=9).split("\n")
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(text_width(line, 9) <= 2.0 for line in lines)
    assert len(lines) > 1
    assert wrapped(text, 20.0, fontsize=9) == text
