"""What is particular to models of several levels: temperatures, draws by level."""

from collections.abc import Sequence

import numpy as np

from vae_cli.errors import ConfigError
from vae_cli.evaluation.batches import ConditionArrays
from vae_cli.evaluation.generated import Generated, check_size, decoded, whole_images
from vae_cli.evaluation.latent import sample_prior, temperatures
from vae_cli.evaluation.names import GridNames
from vae_cli.models.vae import VAE
from vae_cli.randomness import Stream, generator
from vae_cli.runs.opened import OpenRun

PRIOR_SIDE = 10
"""Rows and columns where none are given."""


def checked_level(vae: VAE, level: int, least_below: int = 0) -> None:
    """Refuse a level that the model doesn't have.

    Args:
        vae: the model.
        level: 0 is the top.
        least_below: how many levels must be below it.

    Raises:
        ConfigError: there is no such level.
    """
    levels = len(vae.level_sizes)
    if levels == 1 and least_below:
        raise ConfigError(
            "mode=levels needs a model of several levels; this one has one.",
            "train one with hierarchy=ladder; mode=prior draws from any model",
        )
    if level >= levels - least_below:
        below = ", one of which must be left below it to be drawn" * bool(least_below)
        raise ConfigError(
            f"level={level} must be at most {levels - 1 - least_below}: the run has "
            f"{levels} level{'s' * (levels > 1)}, numbered from 0, the top{below}."
        )


def dimensions_of(vae: VAE, level: int) -> np.ndarray:
    """Return the latent dimensions of a level, int [d]."""
    begin = sum(vae.level_sizes[:level])
    return np.arange(begin, begin + vae.level_sizes[level])


def level_of(sizes: Sequence[int], dim: int) -> int:
    """Return the level that a latent dimension belongs to."""
    return int(np.searchsorted(np.cumsum(sizes), dim, side="right"))


def level_draws(
    run: OpenRun,
    rows: int | None = None,
    columns: int | None = None,
    level: int | None = None,
    label: int | str | None = None,
    seed: int = 0,
    temperature: float | Sequence[float] = 1.0,
    batch_size: int = 256,
) -> Generated:
    """Decode samples that share their top levels in a row.

    The first column holds the first samples that `prior` draws.

    Args:
        run: the run.
        rows: draws of the shared levels.
        columns: draws of the levels below, for each row.
        level: the lowest of the shared levels; None: 0, the top alone.
        label: for a conditional model: the class; None: each in turn, in rows.
        seed: of the noise.
        temperature: scales the noise, of all levels or of each.
        batch_size: images at a time; changes no image.

    Raises:
        ConfigError: there is no such level.
    """
    vae = whole_images(run)
    level = level or 0
    checked_level(vae, level, least_below=1)
    rows, columns = rows or len(vae.labels) or PRIOR_SIDE, columns or PRIOR_SIDE
    check_size(vae, rows * columns)
    classes: ConditionArrays = {}
    if len(vae.labels) and label is None:
        classes = {"label": vae.labels[np.arange(rows) % len(vae.labels)]}
    elif label is not None or vae.num_labels:
        classes = run.labels.condition(label, rows)
    own = sample_prior(vae, rows, seed, temperature, classes)
    z = np.repeat(own[:, None], columns, axis=1)
    shared = sum(vae.level_sizes[: level + 1])
    below = generator(seed, Stream.PRIOR, 2).standard_normal(
        (rows, columns - 1, vae.latent_dim - shared)
    )
    # levels below the top are relative to their priors, which are N(0, I)
    z[:, 1:, shared:] = below * temperatures(vae, temperature)[shared:]
    condition = {key: np.repeat(value, columns) for key, value in classes.items()}
    many = f"levels 0 to {level}" if level else "level 0"
    names = GridNames(
        f"samples: a row shares {many} of {len(vae.level_sizes)}",
        tuple(run.spec.class_name(int(label)) for label in classes.get("label", ())),
        x="levels below, drawn anew",
    )
    z = z.reshape(-1, vae.latent_dim).astype(np.float32)
    return decoded(run, z, columns, batch_size, condition, names=names)
