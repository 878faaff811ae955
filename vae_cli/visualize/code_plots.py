"""Figures of discrete codes, from arrays."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_cli.visualize.files import wrapped
from vae_cli.visualize.style import WIDTH, styled


@styled
def plot_code_use(counts: np.ndarray, perplexity: float, title: str) -> Figure:
    """Draw how often each code is used, the most frequent first.

    Args:
        counts: int [K].
        perplexity: of the codes.
        title: which images.
    """
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    figure.suptitle(wrapped(title, WIDTH - 0.4, fontsize=9))
    draw_code_use(figure.subplots(), counts, perplexity)
    return figure


def draw_code_use(axis: Axes, counts: np.ndarray, perplexity: float) -> None:
    """Draw the same into an axis."""
    fraction = np.sort(counts)[::-1] / max(1, counts.sum())
    used = int((counts > 0).sum())
    axis.step(np.arange(1, used + 1), fraction[:used], where="mid")
    axis.axhline(1 / len(counts), linestyle=":", color="grey", label="used alike")
    axis.set_yscale("log")
    axis.set_xlim(0, len(counts) + 1)
    axis.set_xlabel("code, the most frequent first")
    axis.set_ylabel("fraction of positions")
    axis.set_title(
        f"{used:,} of {len(counts):,} codes used, perplexity {perplexity:.1f}"
    )
    axis.legend()


@styled
def plot_codebook(rows: list[dict[str, float]], num_codes: int, title: str) -> Figure:
    """Draw the codebook's use over training: fraction used, and perplexity.

    Args:
        rows: one mapping an epoch, the columns of `metrics.csv`.
        num_codes: K.
        title: of the figure.
    """
    figure = Figure(figsize=(WIDTH, 2.8), layout="constrained")
    figure.suptitle(wrapped(title, WIDTH - 0.4, fontsize=9))
    epochs = [row["epoch"] for row in rows]
    panels = (
        ("codebook_use", f"fraction of {num_codes:,} codes used", 1.05),
        ("perplexity", "perplexity of codes", None),
    )
    for axis, (column, name, top) in zip(figure.subplots(1, 2), panels, strict=True):
        for prefix, label in (("", "training"), ("val_", "validation")):
            if prefix + column in rows[0]:
                values = [row[prefix + column] for row in rows]
                axis.plot(epochs, values, ".-", label=label)
        axis.set_title(name)
        axis.set_xlabel("epoch")
        axis.set_ylim(bottom=0, top=top)
        axis.grid(alpha=0.3)
        axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axis.legend()
    return figure
