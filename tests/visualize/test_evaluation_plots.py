from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from vae_cli.visualize.evaluation_plots import plot_evaluation, plot_rate_distortion
from vae_cli.visualize.files import save_figure

RNG = np.random.default_rng(0)
NEG_ELBO = RNG.normal(100, 15, 400)


@pytest.fixture
def figures(monkeypatch) -> list[Figure]:
    """The figures that were saved, still open to look into."""
    saved = []
    savefig = Figure.savefig

    def keep(figure: Figure, *args, **options) -> None:
        saved.append(figure)
        savefig(figure, *args, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return saved


def assert_picture(path: Path, size: tuple[int, int]) -> None:
    """Check that a file is a PNG of this size that shows something."""
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.size == size
        assert len(np.unique(np.asarray(image.convert("L")))) > 10


def pictures(count: int, *shape: int) -> tuple[np.ndarray, np.ndarray]:
    both = RNG.random((2, count, *shape)).astype(np.float32)
    return both[0], both[1]


def draw(
    path: Path,
    neg_elbo: np.ndarray = NEG_ELBO,
    nll: np.ndarray | None = None,
    kl: np.ndarray | None = None,
    shown: int = 10,
    shape: tuple[int, int, int] = (28, 28, 1),
) -> None:
    kl = np.array([0.5, 3.0, 0.0, 1.0]) if kl is None else kl
    figure = plot_evaluation(
        neg_elbo, nll, "NLL", kl, pictures(shown, *shape), pictures(shown, *shape),
        "a run; 400 test images",
    )  # fmt: skip
    save_figure(figure, path)


@pytest.mark.parametrize("shape", [(28, 28, 1), (13, 9, 3), (5, 7, 2)], ids=str)
@pytest.mark.parametrize("nll", [None, NEG_ELBO - 5], ids=["without", "with"])
def test_evaluation_is_written_with_and_without_an_estimate(tmp_path, nll, shape):
    path = tmp_path / "test.png"
    draw(path, nll=nll, shape=shape)
    assert_picture(path, (1050, 720))


@pytest.mark.parametrize("count", [1, 2])
def test_few_images_are_drawn(tmp_path, count):
    path = tmp_path / "test.png"
    draw(path, NEG_ELBO[:count], NEG_ELBO[:count] - 1, shown=count)
    assert_picture(path, (1050, 720))


def test_equal_scores_and_many_dimensions_are_drawn(tmp_path):
    path = tmp_path / "test.png"
    draw(path, np.full(20, 7.0), np.full(20, 7.0), kl=np.zeros(300))
    assert_picture(path, (1050, 720))


def counted(figure: Figure) -> list[float]:
    """How many images each histogram counts."""
    spread = figure.axes[0]
    return [sum(bar.get_height() for bar in group) for group in spread.containers]


def test_every_image_is_counted_in_the_spread_of_the_bound(tmp_path, figures):
    draw(tmp_path / "test.png")
    assert counted(figures[0]) == [400]


@pytest.mark.parametrize("apart", [5.0, 100.0])
def test_every_image_is_counted_in_the_spread_of_the_estimate(tmp_path, figures, apart):
    draw(tmp_path / "test.png", nll=NEG_ELBO - apart)
    assert counted(figures[0]) == [400, 400]


def test_legend_gives_the_means(tmp_path, figures):
    draw(tmp_path / "test.png", np.array([90.0, 110.0]), np.array([88.0, 109.0]))
    names = [text.get_text() for text in figures[0].axes[0].get_legend().get_texts()]
    assert names == ["neg. ELBO, mean 100.00", "NLL, mean 98.50"]


def test_legend_is_above_the_bars(tmp_path, figures):
    nll = RNG.uniform(80, 160, 400)  # bars everywhere, the highest at the right
    nll[:200] = 160
    draw(tmp_path / "test.png", nll=nll)
    spread = figures[0].axes[0]
    below = spread.get_legend().get_window_extent().y0
    assert all(bar.get_window_extent().y1 < below for bar in spread.patches)


def test_bars_show_the_kl_of_each_dimension_the_largest_first(tmp_path, figures):
    draw(tmp_path / "test.png")
    heights = [bar.get_height() for bar in figures[0].axes[1].patches]
    assert heights == [3.0, 1.0, 0.5, 0.0]


def test_units_stand_on_the_axes(tmp_path, figures):
    draw(tmp_path / "test.png")
    spread, bars = figures[0].axes[:2]
    assert spread.get_xlabel() == "nats per image"
    assert bars.get_ylabel() == "KL to N(0, 1), nats per image"


def test_rate_and_distortion_are_written(tmp_path):
    path = tmp_path / "rate.png"
    save_figure(
        plot_rate_distortion([20.0, 5.0, 10.0], [80.0, 120.0, 95.0], [1, 4, 2]), path
    )
    assert_picture(path, (750, 600))


def test_points_are_joined_in_the_order_of_their_rate(tmp_path, figures):
    path = tmp_path / "rate.png"
    save_figure(
        plot_rate_distortion([20.0, 5.0, 10.0], [80.0, 120.0, 95.0], [1, 4, 2]), path
    )
    (line,) = figures[0].axes[0].get_lines()
    assert list(line.get_xdata()) == [5, 10, 20]
    assert list(line.get_ydata()) == [120, 95, 80]


def test_points_of_other_settings_lie_on_curves_of_their_own(tmp_path, figures):
    path, names = tmp_path / "rate.png", ["z 2", "z 8", "z 2", "z 8"]
    save_figure(
        plot_rate_distortion([6, 20, 3, 9], [150, 90, 170, 130], [1, 1, 4, 4], names),
        path,
    )
    first, second = figures[0].axes[0].get_lines()
    assert (list(first.get_xdata()), list(first.get_ydata())) == ([3, 6], [170, 150])
    assert (list(second.get_xdata()), list(second.get_ydata())) == ([9, 20], [130, 90])
    (legend,) = figures[0].legends
    assert [text.get_text() for text in legend.get_texts()] == ["z 2", "z 8"]


def test_points_carry_their_beta(tmp_path, figures):
    path = tmp_path / "rate.png"
    save_figure(plot_rate_distortion([20.0, 5.0], [80.0, 120.0], [0.5, 4.0]), path)
    found = {note.get_text(): note.xy for note in figures[0].axes[0].texts}
    assert found == {"beta 0.5": (20.0, 80.0), "beta 4": (5.0, 120.0)}


def test_one_point_is_drawn(tmp_path):
    path = tmp_path / "rate.png"
    save_figure(plot_rate_distortion([20.0], [80.0], [1.0]), path)
    assert_picture(path, (750, 600))
