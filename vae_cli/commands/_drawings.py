"""What `vae-generate` decodes, by mode: codes and how to lay them out."""

import logging
import math
from dataclasses import dataclass, field

import numpy as np

from vae_cli.config.commands import GenerateConfig
from vae_cli.data.splits import Split
from vae_cli.errors import ConfigError, RunError
from vae_cli.evaluation.batches import Context
from vae_cli.evaluation.latent import encode, kl_to_normal, sample_prior
from vae_cli.evaluation.paths import interpolate, plane, traversals
from vae_cli.randomness import Stream, generator
from vae_cli.runs.data import load_run_data, scored_split
from vae_cli.runs.trained import TrainedRun
from vae_cli.visualize.images import to_float

PRIOR_SIDE, MANIFOLD_SIDE, STEPS, PAIRS = 10, 15, 11, 6
"""Rows and columns where none are given."""


log = logging.getLogger(__name__)


@dataclass
class Drawing:
    """Codes to decode and how to lay them out.

    Attributes:
        z: float32 [N, latent_dim].
        columns: codes a row.
        ends: images shown left and right of each row, [rows, 2, H, W, C], or None.
        context: what the model is told beside the codes.
    """

    z: np.ndarray
    columns: int
    ends: np.ndarray | None = None
    context: Context = field(default_factory=dict)


def size(config: GenerateConfig, latent_dim: int) -> int:
    """Return how many images a mode draws."""
    rows, columns = config.rows, config.columns
    if config.mode == "prior":
        return config.num_images or (rows or PRIOR_SIDE) * (columns or PRIOR_SIDE)
    if config.mode == "manifold":
        rows = rows or columns or MANIFOLD_SIDE
        return rows * (columns or rows)
    if config.mode == "traversal":
        rows = min(rows or latent_dim, latent_dim)
        return rows * (columns or STEPS)
    return (rows or PAIRS) * (columns or STEPS)


def prior(config: GenerateConfig, run: TrainedRun) -> Drawing:
    """Samples from the prior, all drawn at once: no batch size changes them.

    With labels, one of them, or one a row.
    """
    columns = config.columns or PRIOR_SIDE
    labels = run.vae.labels
    rows = config.rows or len(labels) or PRIOR_SIDE
    count = config.num_images or columns * rows
    free = config.num_images and not config.rows and not config.columns
    if config.num_images and config.rows and not config.columns:
        columns = math.ceil(count / config.rows)
    if len(labels) and config.label is None:
        # in groups of one label, whatever the number: fewer are the first of more
        group = np.arange(count) // columns
        asked: Context = {"label": labels[group % len(labels)]}
        if free:  # whole groups beside each other
            columns *= max(1, round(math.sqrt(count) / columns))
    else:
        if free:
            columns = math.ceil(math.sqrt(count))
        asked = _asked(config, run, count)
    z = sample_prior(run.vae, count, config.seed, config.temperature, asked)
    return Drawing(z, min(columns, count), context=asked)


def manifold(config: GenerateConfig, run: TrainedRun) -> Drawing:
    """The decoded plane of two latent dimensions, the others at 0."""
    latent_dim = run.vae.latent_dim
    if latent_dim < 2:
        raise ConfigError(
            f"mode=manifold needs two latent dimensions; {run.folder} has one.",
            "mode=traversal works for any number",
        )
    dims = config.dims or ([0, 1] if latent_dim == 2 else _largest_kl(config, run))
    if max(dims) >= latent_dim:
        raise ConfigError(
            f"dims={dims} is outside the run's {latent_dim} latent dimensions "
            f"(0 to {latent_dim - 1}).",
            "a plane takes two of them; mode=traversal works for any number",
        )
    rows = config.rows or config.columns or MANIFOLD_SIDE
    columns = config.columns or rows
    first, second = dims
    z = plane(latent_dim, (first, second), rows, columns, config.spacing, config.span)
    return Drawing(z, columns, context=_asked(config, run, len(z)))


def traversal(config: GenerateConfig, run: TrainedRun) -> Drawing:
    """One row a latent dimension, the one of largest KL on top."""
    order = _by_kl(config, run)[: config.rows]
    columns = config.columns or STEPS
    z = traversals(order, run.vae.latent_dim, columns, config.span)
    return Drawing(z, columns, context=_asked(config, run, len(z)))


def _by_kl(config: GenerateConfig, run: TrainedRun) -> np.ndarray:
    """Return latent dimensions, that of largest KL first."""
    _, split = _held_out(run, config.dataset.path)
    some = split.take(slice(2000))
    return np.argsort(
        -kl_to_normal(*encode(run.vae, some.images, context=some.context))
    )


def _largest_kl(config: GenerateConfig, run: TrainedRun) -> list[int]:
    dims = sorted(_by_kl(config, run)[:2].tolist())
    log.info(
        "the plane of dimensions %d and %d, of largest KL of %d; the others are 0",
        *dims,
        run.vae.latent_dim,
    )
    return dims


def interpolation(config: GenerateConfig, run: TrainedRun) -> Drawing:
    """Paths between the codes of held-out images, which are shown at both ends.

    With labels, the two images of a path have the same one.
    """
    name, split = _held_out(run, config.dataset.path)
    rows, columns = config.rows or PAIRS, config.columns or STEPS
    if columns < 2:
        raise ConfigError(f"columns={columns}: a path needs at least 2 images.")
    if len(split) < 2:
        raise RunError(f"The {name} split has {len(split)} image; a path needs two.")
    rng = generator(config.seed, Stream.CHOICE)
    alike = _alike(config, run, split)
    chosen = np.stack(
        [rng.choice(alike[row % len(alike)], 2, replace=False) for row in range(rows)]
    )
    ended = split.take(chosen.reshape(-1))
    codes, _ = encode(run.vae, ended.images, context=ended.context)
    ends = codes.reshape(rows, 2, -1)
    z = [interpolate(a, b, columns, config.interpolation) for a, b in ends]
    shown = to_float(ended.images[:]).reshape(rows, 2, *ended.images.shape[1:])
    context = {}
    if run.vae.num_labels and ended.labels is not None:
        context["label"] = np.repeat(ended.labels[::2], columns)
    return Drawing(np.concatenate(z), columns, shown, context)


def _held_out(run: TrainedRun, path: str | None) -> tuple[str, Split]:
    """Return images that the run wasn't trained on, where it has any."""
    data = load_run_data(run.folder, run.config, path)
    return data.held_out, scored_split(data, run.config, data.held_out)


def _alike(config: GenerateConfig, run: TrainedRun, split: Split) -> list[np.ndarray]:
    """Return groups of images between which there are paths, by their index."""
    if not run.vae.num_labels:
        _asked(config, run, 0)  # none can be
        return [np.arange(len(split))]
    wanted = run.vae.labels
    if config.label is not None:
        wanted = wanted[wanted == _asked(config, run, 1)["label"]]
    groups = [np.flatnonzero(split.labels == label) for label in wanted]
    groups = [group for group in groups if len(group) > 1]
    if not groups:
        raise RunError("There are no two held-out images of the same label.")
    return groups


def _asked(config: GenerateConfig, run: TrainedRun, count: int) -> Context:
    """Return the context of codes that are of the label that was asked for.

    Raises:
        ConfigError: there is no such label, or one is needed.
    """
    if config.label is not None:
        return {"label": np.full(count, checked_label(config.label, run))}
    if not run.vae.num_labels:
        return {}
    raise ConfigError(
        f"mode={config.mode} of {run.folder} needs a label, none came.",
        choice_of_labels(run),
    )


def checked_label(label: int, run: TrainedRun) -> int:
    """Return a label that a run knows.

    Raises:
        ConfigError: it knows none, or not this one.
    """
    if not run.vae.num_labels:
        raise ConfigError(
            f"label={label} needs a model that is told labels; {run.folder} was "
            f"trained with conditioning={run.config.conditioning.name}.",
            "train one: vae-train conditioning=label",
        )
    if label not in run.vae.labels:
        raise ConfigError(
            f"label={label} is no label of {run.folder}.", choice_of_labels(run)
        )
    return label


def choice_of_labels(run: TrainedRun) -> str:
    """Say which labels a run was trained on."""
    labels = run.vae.labels.tolist()
    low, high = labels[0], labels[-1]
    every = labels == list(range(low, high + 1))
    choice = f"{low} to {high}" if every else ", ".join(map(str, labels))
    return f"choose one of: {choice}, such as label={high}"


DRAWINGS = {
    "prior": prior,
    "manifold": manifold,
    "traversal": traversal,
    "interpolation": interpolation,
}
