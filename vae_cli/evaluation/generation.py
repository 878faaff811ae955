"""New images from a model: samples, planes and traversals of latent space."""

import logging
import math
from collections.abc import Callable, Sequence

import numpy as np

from vae_cli.config.commands import GenerateConfig
from vae_cli.config.generate import CodesConfig
from vae_cli.errors import ConfigError
from vae_cli.evaluation.batches import ConditionArrays
from vae_cli.evaluation.by_level import (
    PRIOR_SIDE,
    checked_level,
    dimensions_of,
    level_draws,
    level_of,
)
from vae_cli.evaluation.fitted import fitted_density
from vae_cli.evaluation.generated import (
    Generated,
    check_size,
    decoded,
    dimensions_by_kl,
    whole_images,
)
from vae_cli.evaluation.interpolation import STEPS, paths_between_pairs
from vae_cli.evaluation.names import GridNames, class_rows
from vae_cli.evaluation.paths import plane, traversals
from vae_cli.evaluation.samples import sample_codes
from vae_cli.models.vae import VAE
from vae_cli.runs.opened import OpenRun

log = logging.getLogger(__name__)

MANIFOLD_SIDE = 15
"""Rows and columns of a manifold where none are given."""
MODEL = CodesConfig()
MANY_ROWS, FEW_ROWS = 128, 32
"""More dimensions than so many are not all drawn, but so many."""


def prior(
    run: OpenRun,
    num_images: int | None = None,
    rows: int | None = None,
    columns: int | None = None,
    label: int | str | None = None,
    seed: int = 0,
    temperature: float | Sequence[float] = 1.0,
    batch_size: int = 256,
    prior: CodesConfig = MODEL,
) -> Generated:
    """Decode samples from the prior, or from a density fitted to the run's codes.

    Args:
        run: the run.
        num_images: how many; the first stay the same whatever it is.
        rows: of the grid.
        columns: of the grid.
        label: for a conditional model: the class; None: each in turn, in rows.
        seed: of the noise.
        temperature: scales the noise, of all levels or of each.
        batch_size: images at a time; changes no image.
        prior: where codes are drawn from.
    """
    vae = whole_images(run)
    free = num_images and not rows and not columns
    labels = vae.labels
    columns_given, columns = columns, columns or PRIOR_SIDE
    count = num_images or columns * (rows or len(labels) or PRIOR_SIDE)
    check_size(vae, count)
    if num_images and rows and not columns_given:
        columns = math.ceil(count / rows)
    if len(labels) and label is None:
        # in groups of one label, whatever the number: fewer are the first of more
        group = np.arange(count) // columns
        condition: ConditionArrays = {"label": labels[group % len(labels)]}
        if free:  # whole groups beside each other
            columns *= max(1, round(math.sqrt(count) / columns))
    else:
        if free:
            columns = math.ceil(math.sqrt(count))
        condition = run.labels.condition(label, count)
    density = fitted_density(run, prior.components) if prior.is_fitted else None
    z = sample_codes(vae, density, count, seed, temperature, condition)
    columns = min(columns, count)
    names = class_rows(run.spec, condition.get("label"), columns)
    return decoded(run, z, columns, batch_size, condition, names=names)


def manifold(
    run: OpenRun,
    dims: list[int] | None = None,
    rows: int | None = None,
    columns: int | None = None,
    spacing: str = "quantiles",
    span: float = 3.0,
    label: int | str | None = None,
    batch_size: int = 256,
) -> Generated:
    """Decode the plane of two latent dimensions, the others at 0.

    Args:
        run: the run.
        dims: which two; those of largest KL if None.
        rows: of the grid.
        columns: of the grid.
        spacing: `quantiles` of N(0, 1), or `linspace` over [-span, span].
        span: how far from 0.
        label: for a conditional model: the class.
        batch_size: images at a time.

    Raises:
        ConfigError: there are no such two dimensions.
    """
    run.refuse_discrete("mode=manifold")
    vae = whole_images(run)
    rows = rows or columns or MANIFOLD_SIDE
    columns = columns or rows
    check_size(vae, rows * columns)
    if vae.latent_dim < 2:
        raise ConfigError(
            f"mode=manifold needs two latent dimensions; {run.folder} has one.",
            "mode=traversal works for any number",
        )
    if dims is None and vae.latent_dim > 2:
        dims = sorted(dimensions_by_kl(run)[0][:2].tolist())
        log.info(
            "the plane of dimensions %d and %d, of largest KL of %d; the others are 0",
            *dims,
            vae.latent_dim,
        )
    first, second = dims or (0, 1)
    if max(first, second) >= vae.latent_dim:
        raise ConfigError(
            f"dims={dims} is outside the run's {vae.latent_dim} latent dimensions "
            f"(0 to {vae.latent_dim - 1}).",
            "a plane takes two of them; mode=traversal works for any number",
        )
    condition = run.labels.condition(label, rows * columns)
    z = plane(vae.latent_dim, (first, second), rows, columns, spacing, span)
    rest = "" if vae.latent_dim == 2 else ", all others 0"
    names = GridNames(
        f"decoded plane of z[{first}] and z[{second}]{rest}{_of_class(run, label)}",
        _values(z[::columns, second], 2),
        _values(z[:columns, first], 2),
        f"z[{first}]",
        f"z[{second}]",
    )
    return decoded(run, z, columns, batch_size, condition, names=names)


def traversal(
    run: OpenRun,
    rows: int | None = None,
    columns: int | None = None,
    span: float = 3.0,
    level: int | None = None,
    label: int | str | None = None,
    batch_size: int = 256,
) -> Generated:
    """Decode one row for each latent dimension, that of largest KL first.

    Args:
        run: the run.
        rows: latent dimensions; None: all, or `FEW_ROWS` of more than `MANY_ROWS`.
        columns: steps over [-span, span].
        span: how far from 0.
        level: whose dimensions; None: those of all levels.
        label: for a conditional model: the class.
        batch_size: images at a time.

    Raises:
        ConfigError: there is no such level.
    """
    run.refuse_discrete("mode=traversal")
    vae = whole_images(run)
    columns = columns or STEPS
    checked_level(vae, level or 0)
    having = np.arange(vae.latent_dim) if level is None else dimensions_of(vae, level)
    if rows is None and len(having) > MANY_ROWS:
        rows = FEW_ROWS
    check_size(vae, min(rows or len(having), len(having)) * columns)
    order, kl = dimensions_by_kl(run)
    order = order[np.isin(order, having)][:rows]
    condition = run.labels.condition(label, len(order) * columns)
    z = traversals(order, vae.latent_dim, columns, span)
    names = GridNames(
        f"one latent dimension at a time, all others 0{_of_class(run, label)}",
        tuple(f"z[{dim}]{_at_level(vae, dim)}\nKL {kl[dim]:.3g} nats" for dim in order),
        _values(z[:columns, order[0]], 1),
        "value of the dimension",
    )
    return decoded(run, z, columns, batch_size, condition, names=names)


def _at_level(vae: VAE, dim: int) -> str:
    sizes = vae.level_sizes
    return f", level {level_of(sizes, dim)}" if len(sizes) > 1 else ""


def _of_class(run: OpenRun, label: int | str | None) -> str:
    if label is None:
        return ""
    return f", class {run.spec.class_name(run.labels.number(label))}"


def _values(codes: np.ndarray, digits: int) -> tuple[str, ...]:
    """Return values along an axis as text; none is -0."""
    return tuple(f"{round(float(z), digits) + 0.0:.{digits}f}" for z in codes)


MODES: dict[str, tuple[Callable[..., Generated], tuple[str, ...]]] = {
    "prior": (
        prior,
        ("num_images", "temperature", "seed", "prior"),
    ),
    "manifold": (manifold, ("dims", "spacing", "span")),
    "traversal": (traversal, ("span", "level")),
    "levels": (level_draws, ("level", "temperature", "seed")),
    "interpolation": (paths_between_pairs, ("interpolation", "seed")),
}
"""Mode -> what draws it, and its options in addition to those of all modes."""


def generate(run: OpenRun, config: GenerateConfig) -> Generated:
    """Generate images as a config of `vae-generate` says."""
    function, keys = MODES[config.mode]
    keys = (*keys, "rows", "columns", "label", "batch_size")
    return function(run, **{key: getattr(config, key) for key in keys})
