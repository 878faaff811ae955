"""New images from a model: samples, planes, traversals and paths between images."""

import logging
import math
from dataclasses import dataclass

import numpy as np

from vae_cli.data.images import to_float
from vae_cli.data.splits import Split
from vae_cli.errors import ConfigError, RunError
from vae_cli.evaluation.batches import ConditionArrays
from vae_cli.evaluation.latent import decode, encode, kl_to_normal, sample_prior
from vae_cli.evaluation.paths import interpolate, plane, traversals
from vae_cli.memory import check_arrays
from vae_cli.models.vae import VAE
from vae_cli.randomness import Stream, generator
from vae_cli.runs.opened import OpenRun

log = logging.getLogger(__name__)

PRIOR_SIDE, MANIFOLD_SIDE, STEPS, PAIRS = 10, 15, 11, 6
"""Rows and columns where none are given."""


@dataclass(frozen=True)
class Generated:
    """Decoded images and how to lay them out.

    Attributes:
        images: float32 [N, H, W, C] in [0, 1].
        z: their codes, float32 [N, latent_dim].
        columns: images in a row.
        labels: class of each image, int [N]; None for a model without labels.
        ends: images shown left and right of each row, float32 [rows, 2, H, W, C].
    """

    images: np.ndarray
    z: np.ndarray
    columns: int
    labels: np.ndarray | None = None
    ends: np.ndarray | None = None

    def cells(self) -> tuple[np.ndarray, int]:
        """Return the images of a grid, `ends` included, and its number of columns."""
        if self.ends is None:
            return self.images, self.columns
        rows = self.images.reshape(-1, self.columns, *self.images.shape[1:])
        cells = np.concatenate([self.ends[:, :1], rows, self.ends[:, 1:]], axis=1)
        return cells.reshape(-1, *self.images.shape[1:]), self.columns + 2


def prior(
    run: OpenRun,
    num_images: int | None,
    rows: int | None,
    columns: int | None,
    label: int | None,
    seed: int,
    temperature: float,
    batch_size: int,
) -> Generated:
    """Decode samples from the prior, all drawn at once: no batch size changes them.

    A conditional model draws one label, or where `label` is None each in turn, in
    groups of one row.
    """
    vae = whole_images(run)
    free = num_images and not rows and not columns
    labels = vae.labels
    columns_given, columns = columns, columns or PRIOR_SIDE
    count = num_images or columns * (rows or len(labels) or PRIOR_SIDE)
    _check_size(vae, count)
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
        condition = run.label_condition(label, count)
    z = sample_prior(vae, count, seed, temperature, condition)
    return _decoded(vae, z, min(columns, count), batch_size, condition)


def manifold(
    run: OpenRun,
    dims: list[int] | None,
    rows: int | None,
    columns: int | None,
    spacing: str,
    span: float,
    label: int | None,
    batch_size: int,
) -> Generated:
    """Decode the plane of two latent dimensions, the others at 0.

    Raises:
        ConfigError: there are no such two dimensions.
    """
    vae = whole_images(run)
    rows = rows or columns or MANIFOLD_SIDE
    columns = columns or rows
    _check_size(vae, rows * columns)
    if vae.latent_dim < 2:
        raise ConfigError(
            f"mode=manifold needs two latent dimensions; {run.folder} has one.",
            "mode=traversal works for any number",
        )
    if dims is None and vae.latent_dim > 2:
        dims = sorted(dimensions_by_kl(run)[:2].tolist())
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
    condition = run.label_condition(label, rows * columns)
    z = plane(vae.latent_dim, (first, second), rows, columns, spacing, span)
    return _decoded(vae, z, columns, batch_size, condition)


def traversal(
    run: OpenRun,
    rows: int | None,
    columns: int | None,
    span: float,
    label: int | None,
    batch_size: int,
) -> Generated:
    """Decode one row for each latent dimension, that of largest KL first."""
    vae = whole_images(run)
    columns = columns or STEPS
    _check_size(vae, min(rows or vae.latent_dim, vae.latent_dim) * columns)
    order = dimensions_by_kl(run)[:rows]
    condition = run.label_condition(label, len(order) * columns)
    z = traversals(order, vae.latent_dim, columns, span)
    return _decoded(vae, z, columns, batch_size, condition)


def interpolation(
    run: OpenRun,
    rows: int | None,
    columns: int | None,
    method: str,
    label: int | None,
    seed: int,
    batch_size: int,
) -> Generated:
    """Decode paths between the codes of two images of a split, drawn by a seed.

    The two images of a path have the same label where the model has labels.

    Raises:
        ConfigError: a path of one image, or a label that there isn't.
        RunError: there are no two images.
    """
    vae, split = whole_images(run), run.split(run.data.held_out)
    rows, columns = rows or PAIRS, columns or STEPS
    _check_size(vae, rows * columns)
    if columns < 2:
        raise ConfigError(f"columns={columns}: a path needs at least 2 images.")
    if len(split) < 2:
        raise RunError(
            f"The {run.data.held_out} split has {len(split)} image; a path needs two."
        )
    rng = generator(seed, Stream.CHOICE)
    groups = _groups(run, split, label)
    chosen = np.stack(
        [rng.choice(groups[row % len(groups)], 2, replace=False) for row in range(rows)]
    )
    ended = split.take(chosen.reshape(-1))
    codes, _ = encode(vae, ended.images, condition=ended.condition)
    paths = [interpolate(a, b, columns, method) for a, b in codes.reshape(rows, 2, -1)]
    shown = to_float(ended.images[:])
    ends = shown.reshape(rows, 2, *shown.shape[1:])
    condition: ConditionArrays = {}
    if vae.num_labels and ended.labels is not None:
        condition["label"] = np.repeat(ended.labels[::2], columns)
    return _decoded(vae, np.concatenate(paths), columns, batch_size, condition, ends)


def path_between(
    run: OpenRun, split: Split, pair: list[int], columns: int, label: int | None
) -> Generated:
    """Decode a straight path between the codes of two images.

    Args:
        run: the run.
        split: images, with what the encoder gets of them.
        pair: which two, by number.
        columns: images of the path.
        label: class to decode as; None: that of both images.

    Raises:
        ConfigError: there are no such images, or they have different labels.
    """
    if max(pair) >= len(split):
        raise ConfigError(
            f"pair={pair}: there are {len(split)} images, 0 to {len(split) - 1}.",
            "choose two of them, such as 'pair=[0,1]'",
        )
    vae = whole_images(run)
    _check_size(vae, columns)
    ends = split.take(np.array(pair))
    codes, _ = encode(vae, ends.images, condition=ends.condition)
    z = interpolate(codes[0], codes[1], columns, "linear")
    condition: ConditionArrays = {}
    if run.config.conditioning.on_labels:
        label = label if label is not None else _one_label(pair, ends)
        condition = run.label_condition(label, len(z))
    shown = (ends.images if ends.corrupted is None else ends.corrupted)[:]
    floats = to_float(shown)[None]
    return _decoded(vae, z, columns, len(z), condition, floats)


def _one_label(pair: list[int], ends: Split) -> int:
    """Return the label of two images that have the same one."""
    labels = [] if ends.labels is None else ends.labels.tolist()
    if len(set(labels)) != 1:
        raise ConfigError(
            f"pair={pair}: these images are of classes {labels}, and this model draws "
            "one class at a time.",
            f"say which, such as label={labels[0] if labels else 0}",
        )
    return labels[0]


def whole_images(run: OpenRun) -> VAE:
    """Return a run's model, which must draw whole images.

    Raises:
        ConfigError: it inpaints.
    """
    if run.config.conditioning.on_observed:
        raise ConfigError(
            f"{run.folder} inpaints, and draws no images of its own "
            f"(conditioning={run.config.conditioning.name}).",
            f"fill in some: vae-reconstruct run={run.folder}",
        )
    return run.vae


def dimensions_by_kl(run: OpenRun) -> np.ndarray:
    """Return the latent dimensions, that of largest KL on held-out images first."""
    some = run.split(run.data.held_out).take(slice(2000))
    codes = encode(run.vae, some.images, condition=some.condition)
    return np.argsort(-kl_to_normal(*codes))


def _groups(run: OpenRun, split: Split, label: int | None) -> list[np.ndarray]:
    """Return groups of images between which there are paths, by their index."""
    if not run.config.conditioning.on_labels:
        run.label_condition(label, 0)  # refuses a label
        return [np.arange(len(split))]
    wanted = run.vae.labels if label is None else [run.check_label(label)]
    groups = [np.flatnonzero(split.labels == y) for y in wanted]
    groups = [group for group in groups if len(group) > 1]
    if not groups:
        raise RunError("There are no two held-out images of the same label.")
    return groups


def _check_size(vae: VAE, count: int) -> None:
    """Refuse more images than memory holds, before there are any."""
    pixels = math.prod(vae.decoder.output_shape[1:])
    check_arrays(
        f"{count:,} images and their grid",
        (count, pixels + vae.latent_dim),
        "num_images, rows or columns",
        copies=3,
    )


def _decoded(
    vae: VAE,
    z: np.ndarray,
    columns: int,
    batch_size: int,
    condition: ConditionArrays,
    ends: np.ndarray | None = None,
) -> Generated:
    images = decode(vae, z, batch_size, condition)
    return Generated(images, z, columns, condition.get("label"), ends)
