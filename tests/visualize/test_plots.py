from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from vae_cli.visualize.files import save_figure
from vae_cli.visualize.plots import plot_curves, plot_latent, plot_rows

RNG = np.random.default_rng(0)
COLUMNS = ("neg_elbo", "reconstruction_loss", "kl_loss", "active_units")


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


def assert_picture(path: Path) -> None:
    """Check that a file is a PNG that shows something."""
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert min(image.size) > 300
        assert len(np.unique(np.asarray(image.convert("L")))) > 10


def rows(epochs: int, validation: bool = True, beta: float = 1.0) -> list[dict]:
    made = []
    for epoch in range(1, epochs + 1):
        row = {"epoch": float(epoch), "beta": beta}
        for index, column in enumerate(COLUMNS):
            row[column] = 100 * (index + 1) / epoch
            if validation:
                row[f"val_{column}"] = row[column] + 3
        made.append(row)
    return made


def lines(axis: Axes) -> dict[str, list[float]]:
    return {line.get_label(): list(line.get_ydata()) for line in axis.get_lines()}


@pytest.mark.parametrize("epochs", [1, 2, 30])
@pytest.mark.parametrize("validation", [True, False])
def test_curves_are_written_with_and_without_validation(tmp_path, epochs, validation):
    path = tmp_path / "curves.png"
    save_figure(plot_curves(rows(epochs, validation), "cross-entropy"), path)
    assert_picture(path)


def test_each_part_has_a_panel_of_training_and_validation(tmp_path, figures):
    made = rows(5)
    save_figure(plot_curves(made, "cross-entropy"), tmp_path / "curves.png")
    for axis, column in zip(figures[0].axes, COLUMNS, strict=True):
        assert lines(axis) == {
            "training": [row[column] for row in made],
            "validation": [row[f"val_{column}"] for row in made],
        }


def test_reconstruction_panel_names_its_measure(tmp_path, figures):
    save_figure(plot_curves(rows(3), "negative log-density"), tmp_path / "curves.png")
    assert figures[0].axes[1].get_title() == "reconstruction: negative log-density"


def test_units_stand_on_the_axes(tmp_path, figures):
    save_figure(plot_curves(rows(3), "cross-entropy"), tmp_path / "curves.png")
    names = [axis.get_ylabel() for axis in figures[0].axes]
    assert names == ["nats per image"] * 3 + ["units"]
    assert {axis.get_xlabel() for axis in figures[0].axes} == {"epoch"}


@pytest.mark.parametrize("epochs", [1, 2, 30])
def test_ticks_are_epochs(tmp_path, figures, epochs):
    save_figure(plot_curves(rows(epochs), "cross-entropy"), tmp_path / "curves.png")
    for axis in figures[0].axes:
        low, high = axis.get_xlim()
        ticks = [tick for tick in axis.get_xticks() if low <= tick <= high]
        assert ticks and all(tick == int(tick) for tick in ticks)


def test_beta_is_drawn_when_it_moves(tmp_path, figures):
    made = rows(3)
    for row, beta in zip(made, [0.0, 0.5, 1.0], strict=True):
        row["beta"] = beta
    save_figure(plot_curves(made, "cross-entropy"), tmp_path / "curves.png")
    assert lines(figures[0].axes[4]) == {"beta": [0.0, 0.5, 1.0]}


def test_each_level_has_a_curve_in_the_panel_of_the_kl(tmp_path, figures):
    made = rows(3)
    for row in made:
        row |= {"kl_level_0": 1.0, "kl_level_1": 2.0, "kl_level_2": 3.0}
        row |= {"val_kl_level_0": 4.0, "val_kl_level_1": 5.0, "val_kl_level_2": 6.0}
    save_figure(plot_curves(made, "cross-entropy"), tmp_path / "curves.png")
    drawn = [list(line.get_ydata()) for line in figures[0].axes[2].get_lines()]
    assert drawn[2:] == [[4.0] * 3, [5.0] * 3, [6.0] * 3]
    names = [text.get_text() for text in figures[0].axes[2].get_legend().get_texts()]
    assert names == ["training", "validation", "level 0", "level 2"]


def test_beta_that_stays_is_not_drawn(tmp_path, figures):
    save_figure(
        plot_curves(rows(3, beta=4.0), "cross-entropy"), tmp_path / "curves.png"
    )
    assert len(figures[0].axes) == 4


def latent(path: Path, labels: np.ndarray | None, latent_dim: int = 3) -> np.ndarray:
    """Plot 500 points, a third or more of them in every region; return them."""
    points = RNG.standard_normal((500, 2))
    kl = np.linspace(0, 1, latent_dim)
    save_figure(
        plot_latent(
            points,
            ("z[0]", "z[2]"),
            None if labels is None else labels.astype(str),
            kl,
            2,
            "500 test images",
        ),
        path,
    )
    return points


@pytest.mark.parametrize(("sizes", "bars"), [((20, 30), 50), ((30, 40, 10), 3)])
def test_many_dimensions_of_several_levels_have_a_bar_a_level(sizes, bars):
    kl = RNG.random(sum(sizes))
    points, names = RNG.standard_normal((9, 2)), ("a", "b")
    figure = plot_latent(points, names, None, kl, 2, "codes", sizes)
    heights = sorted(bar.get_height() for bar in figure.axes[1].patches)
    assert len(heights) == bars
    if bars == len(sizes):
        sums = [part.sum() for part in np.split(kl, np.cumsum(sizes)[:-1])]
        np.testing.assert_allclose(heights, sorted(sums))


def legend_colours(figure: Figure) -> dict[str, str]:
    (legend,) = figure.legends
    return {
        text.get_text(): to_hex(handle.get_facecolor()[0])
        for text, handle in zip(legend.get_texts(), legend.legend_handles, strict=True)
    }


@pytest.mark.parametrize("classes", [None, 1, 10, 14, 45])
def test_latent_space_is_written_with_and_without_labels(tmp_path, classes):
    path = tmp_path / "latent.png"
    latent(path, None if classes is None else np.arange(500) % classes)
    assert_picture(path)


def test_points_without_labels_have_no_legend(tmp_path, figures):
    points = latent(tmp_path / "latent.png", None)
    (drawn,) = figures[0].axes[0].collections
    np.testing.assert_allclose(drawn.get_offsets(), points)
    assert figures[0].legends == []


def test_points_are_drawn_with_their_own_label(tmp_path, figures):
    labels = np.arange(500) % 3
    points = latent(tmp_path / "latent.png", labels)
    drawn = figures[0].axes[0].collections
    assert [group.get_label() for group in drawn] == ["0", "1", "2"]
    for label, group in enumerate(drawn):
        np.testing.assert_allclose(group.get_offsets(), points[labels == label])


def test_labels_that_skip_numbers_keep_their_names(tmp_path, figures):
    latent(tmp_path / "latent.png", np.array([2, 7, 30])[np.arange(500) % 3])
    assert list(legend_colours(figures[0])) == ["2", "7", "30"]


@pytest.mark.parametrize("classes", [2, 10, 11, 20])
def test_up_to_twenty_classes_have_a_colour_each(tmp_path, figures, classes):
    latent(tmp_path / "latent.png", np.arange(500) % classes)
    colours = legend_colours(figures[0])
    assert list(colours) == [str(label) for label in range(classes)]
    assert len(set(colours.values())) == classes


def test_more_classes_than_colours_are_drawn_without_a_legend(tmp_path, figures):
    latent(tmp_path / "latent.png", np.arange(500) % 25)
    assert figures[0].legends == []
    assert len(figures[0].axes[0].collections) == 25


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
@pytest.mark.parametrize(
    ("classes", "name"), [(1, ""), (9, "a long name, "), (20, 20 * "very ")]
)
def test_legend_hides_neither_points_nor_axes(tmp_path, figures, classes, name, form):
    labels = np.array([f"{name}{index % classes}" for index in range(500)])
    latent(tmp_path / f"latent.{form}", labels)
    (legend,) = figures[0].legends
    around = legend.get_window_extent()
    assert not any(around.overlaps(a.get_tightbbox()) for a in figures[0].axes)
    assert figures[0].bbox.x0 <= around.x0 and around.x1 <= figures[0].bbox.x1
    assert figures[0].axes[0].get_window_extent().height > 2.5 * figures[0].dpi


def test_axes_carry_the_names_they_are_given(tmp_path, figures):
    latent(tmp_path / "latent.png", None)
    scatter, _ = figures[0].axes
    names = scatter.get_xlabel(), scatter.get_ylabel(), scatter.get_title()
    assert names == ("z[0]", "z[2]", "500 test images")


def test_bars_show_the_kl_of_each_dimension_the_largest_first(tmp_path, figures):
    kl = np.array([0.5, 3.0, 0.0, 1.0])
    points = RNG.standard_normal((20, 2))
    path = tmp_path / "latent.png"
    save_figure(plot_latent(points, ("a", "b"), None, kl, 2, "20 images"), path)
    bars = figures[0].axes[1]
    assert [bar.get_height() for bar in bars.patches] == [3.0, 1.0, 0.5, 0.0]
    assert [tick.get_text() for tick in bars.get_xticklabels()] == list("1302")
    assert bars.get_title() == "KL to N(0, 1) 4.50 nats;\n2 of 4 units active"


def test_many_dimensions_are_drawn(tmp_path):
    path = tmp_path / "latent.png"
    latent(path, None, latent_dim=200)
    assert_picture(path)


def test_rows_of_grey_images_share_one_scale(tmp_path):
    dark, light = (np.full((1, 8, 8, 1), grey, np.float32) for grey in (0.2, 0.8))
    dark[0, 0], light[0, 0] = 0.3, 0.9
    figure = plot_rows({"dark": dark, "light": light}, "rows")
    save_figure(figure, tmp_path / "rows.png")
    for axis, grey in zip(figure.axes, (0.2, 0.8), strict=True):
        image = axis.images[0]
        drawn = image.to_rgba(image.get_array())[-20, 20, :3]
        np.testing.assert_allclose(drawn, grey, atol=0.01)
