"""One latent dimension at a time, and one factor at a time, from the same image."""

from dataclasses import dataclass

import numpy as np

from vae_cli.evaluation.disentanglement.report import Disentanglement
from vae_cli.evaluation.latent import decode, encode, kl_to_normal
from vae_cli.factors import Factor
from vae_cli.runs.opened import OpenRun

STEPS = 9
"""Images of a row; a factor of fewer levels has fewer."""
MOST_ROWS = 12
"""Most latent dimensions that are drawn, those of largest KL."""
MIDDLE = (0.025, 0.975)
"""Quantiles of a dimension's posterior means between which it moves."""
MOST_CODES = 2_000


@dataclass(frozen=True)
class Variations:
    """Images that vary in one respect.

    Attributes:
        dims: latent dimensions, that of largest KL first, int [R].
        kl: of these, nats, float [R].
        decoded: as each moves over the middle 95 % of its posterior means, the others
            as in the image in the middle of the grid, float32 [R, S, H, W, C] in
            [0, 1].
        factors: name -> images of the grid as each factor moves over its levels from
            that image, float32 [at most S, H, W, C] in [0, 1].
    """

    dims: np.ndarray
    kl: np.ndarray
    decoded: np.ndarray
    factors: dict[str, np.ndarray]


def variations(run: OpenRun, split_name: str, found: Disentanglement) -> Variations:
    """Return the rows of the figure of a report.

    Args:
        run: the run.
        split_name: whose codes say how far dimensions move.
        found: which factors vary.
    """
    vae, grid = run.vae, run.config.dataset.factors
    split = run.split(split_name, num_images=MOST_CODES)
    mean, log_var = encode(vae, split.images, condition=split.condition)
    kl = kl_to_normal(mean, log_var)
    dims = np.argsort(-kl)[:MOST_ROWS]
    middle = tuple(len(factor.values) // 2 for factor in grid)
    start = split.take([_nearest(split.factors or {}, grid, middle)])
    code = encode(vae, start.images, condition=start.condition)[0][0]
    low, high = np.quantile(mean, MIDDLE, axis=0)
    z = np.tile(code, (len(dims), STEPS, 1))
    for row, j in enumerate(dims):
        z[row, :, j] = np.linspace(low[j], high[j], STEPS)
    flat = z.reshape(-1, z.shape[-1])
    condition = start.take(np.zeros(len(flat), np.int64)).condition
    decoded = start.pixels.shown(decode(vae, flat, condition=condition))
    levels = tuple(
        int(factor.levels((start.factors or {})[factor.name])[0]) for factor in grid
    )
    return Variations(
        dims,
        kl[dims],
        decoded.reshape(*z.shape[:2], *decoded.shape[1:]),
        {f.name: _moved(run, grid, levels, f.name) for f in found.factors},
    )


def _nearest(
    values: dict[str, np.ndarray], grid: tuple[Factor, ...], wanted: tuple[int, ...]
) -> int:
    """Return the image whose levels are nearest to some, relative to their number."""
    distance = sum(
        np.abs(factor.levels(values[factor.name]) - level) / len(factor.values)
        for factor, level in zip(grid, wanted, strict=True)
    )
    return int(np.argmin(distance))


def _moved(
    run: OpenRun, grid: tuple[Factor, ...], levels: tuple[int, ...], name: str
) -> np.ndarray:
    """Return images of the grid as one factor moves, [at most STEPS, H, W, C]."""
    sizes = [len(factor.values) for factor in grid]
    k = [factor.name for factor in grid].index(name)
    steps = np.linspace(0, sizes[k] - 1, min(STEPS, sizes[k])).round().astype(int)
    places = np.tile(levels, (len(steps), 1))
    places[:, k] = steps
    return run.whole.take(np.ravel_multi_index(places.T, sizes)).pictures()
