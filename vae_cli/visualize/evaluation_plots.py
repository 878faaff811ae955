"""Figures of `vae-evaluate`, from arrays."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_cli.visualize.code_plots import draw_code_use
from vae_cli.visualize.files import text_width, wrapped
from vae_cli.visualize.images import stacked
from vae_cli.visualize.plots import draw_kl_bars, draw_sheet, legend_above
from vae_cli.visualize.style import WIDTH, styled

OUTLIERS = 10
"""Images drawn at either end."""


@styled
def plot_evaluation(
    neg_elbo: np.ndarray,
    nll: np.ndarray | None,
    nll_name: str,
    kl: np.ndarray,
    easiest: tuple[np.ndarray, np.ndarray],
    hardest: tuple[np.ndarray, np.ndarray],
    title: str,
    levels: Sequence[int] = (),
    codes: tuple[np.ndarray, float] | None = None,
) -> Figure:
    """Draw the scores of images, the KL of each dimension, and extreme images.

    Args:
        neg_elbo: float [N], nats.
        nll: float [N], nats, or None.
        nll_name: what to call it.
        kl: float [latent_dim], nats.
        easiest: images and their reconstructions, float32 [M, H, W, C] each.
        hardest: likewise.
        title: the run and the split.
        levels: dimensions of each level, as `draw_kl_bars` takes them.
        codes: of discrete codes, in place of the KL: how often each is used, int [K],
            and their perplexity.
    """
    figure = Figure(figsize=(WIDTH, 4.8), layout="constrained")
    figure.suptitle(wrapped(title, WIDTH - 0.4, fontsize=9))
    (spread, bars), (easy, hard) = figure.subplots(2, 2, height_ratios=(3, 1.6))
    scores = neg_elbo if nll is None else np.concatenate([neg_elbo, nll])
    edges = np.histogram_bin_edges(scores, 60)
    label = f"neg. ELBO, mean {neg_elbo.mean():.2f}"
    spread.hist(neg_elbo, edges, alpha=0.6, label=label)
    if nll is not None:
        spread.hist(nll, edges, alpha=0.6, label=f"{nll_name}, mean {nll.mean():.2f}")
    spread.set_xlabel("nats per image")
    spread.set_ylabel("images")
    spread.set_title("scores of images")
    legend_above(spread)
    if codes:
        draw_code_use(bars, *codes)
    else:
        draw_kl_bars(bars, kl, levels)
        bars.set_title(f"KL to N(0, 1) {kl.sum():.2f} nats")
    _pictures(easy, easiest, "smallest neg. ELBO")
    _pictures(hard, hardest, "largest neg. ELBO")
    return figure


@styled
def plot_rate_distortion(
    rate: Sequence[float],
    distortion: Sequence[float],
    beta: Sequence[float],
    curves: Sequence[str] | None = None,
) -> Figure:
    """Draw reconstruction against KL, a point a group of runs, labelled by beta.

    Args:
        rate: KL in nats.
        distortion: reconstruction loss in nats.
        beta: of each point.
        curves: name of the curve that each point lies on; one curve if None.

    Source: Alemi et al., "Fixing a broken ELBO", 2018, section 3.
    """
    curves = curves or [""] * len(rate)
    names = [*dict.fromkeys(curves)] if len(set(curves)) > 1 else []
    # the names of the curves stand below it, a line each
    wide = max([5, *(1 + text_width(name, fontsize=8) for name in names)])
    figure = Figure(figsize=(wide, 4 + 0.18 * len(names)), layout="constrained")
    axis = figure.subplots()
    for name in dict.fromkeys(curves):
        points = zip(rate, distortion, curves, strict=True)
        own = sorted((x, y) for x, y, curve in points if curve == name)
        axis.plot(*zip(*own, strict=True), "o-", label=name)
    if names:
        figure.legend(loc="outside lower left")
    for x, y, label in zip(rate, distortion, beta, strict=True):
        axis.annotate(
            f"beta {label:g}", (x, y), xytext=(6, 5), textcoords="offset points"
        )
    axis.set_title("rate and distortion, by beta")
    axis.set_xlabel("rate: KL, nats per image")
    axis.set_ylabel("distortion: reconstruction loss, nats per image")
    axis.grid(alpha=0.3)
    return figure


def _pictures(axis: Axes, kinds: tuple[np.ndarray, np.ndarray], title: str) -> None:
    sheet = stacked(kinds, columns=max(1, len(kinds[0])))
    draw_sheet(axis, sheet)
    axis.set_title(title)
    axis.set_xticks([])
    height = sheet.shape[0]
    axis.set_yticks([height / 4, 3 * height / 4], ["input", "reconstr."])
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
