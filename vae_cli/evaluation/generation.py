"""New images from a model: samples, planes, traversals and paths between images."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from vae_cli.data.splits import Split
from vae_cli.errors import ConfigError, RunError
from vae_cli.evaluation.batches import Context
from vae_cli.evaluation.latent import decode, encode, kl_to_normal, sample_prior
from vae_cli.evaluation.paths import interpolate, plane, traversals
from vae_cli.memory import check_arrays
from vae_cli.models.vae import VAE
from vae_cli.randomness import Stream, generator

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
        row_names: what distinguishes each row, where something does.
    """

    images: np.ndarray
    z: np.ndarray
    columns: int
    labels: np.ndarray | None = None
    ends: np.ndarray | None = None
    row_names: list[str] | None = None

    def cells(self) -> tuple[np.ndarray, int]:
        """Return the images of a grid, `ends` included, and its number of columns."""
        if self.ends is None:
            return self.images, self.columns
        rows = self.images.reshape(-1, self.columns, *self.images.shape[1:])
        cells = np.concatenate([self.ends[:, :1], rows, self.ends[:, 1:]], axis=1)
        return cells.reshape(-1, *self.images.shape[1:]), self.columns + 2


def prior(
    vae: VAE,
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
    free = num_images and not rows and not columns
    labels = vae.labels
    columns_given, columns = columns, columns or PRIOR_SIDE
    count = num_images or columns * (rows or len(labels) or PRIOR_SIDE)
    _check_size(vae, count)
    if num_images and rows and not columns_given:
        columns = math.ceil(count / rows)
    names = None
    if len(labels) and label is None:
        # in groups of one label, whatever the number: fewer are the first of more
        group = np.arange(count) // columns
        context: Context = {"label": labels[group % len(labels)]}
        if free:  # whole groups beside each other
            columns *= max(1, round(math.sqrt(count) / columns))
        else:
            names = [f"label {y}" for y in context["label"][::columns]]
    else:
        if free:
            columns = math.ceil(math.sqrt(count))
        context = label_context(vae, label, count)
    z = sample_prior(vae, count, seed, temperature, context)
    return _decoded(vae, z, min(columns, count), batch_size, context, names=names)


def manifold(
    vae: VAE,
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
    rows = rows or columns or MANIFOLD_SIDE
    columns = columns or rows
    _check_size(vae, rows * columns)
    if vae.latent_dim < 2:
        raise ConfigError(
            "mode=manifold needs two latent dimensions; this run has one.",
            "mode=traversal works for any number",
        )
    first, second = dims or (0, 1)
    if max(first, second) >= vae.latent_dim:
        raise ConfigError(
            f"dims={dims} is outside the run's {vae.latent_dim} latent dimensions "
            f"(0 to {vae.latent_dim - 1}).",
            "a plane takes two of them; mode=traversal works for any number",
        )
    context = label_context(vae, label, rows * columns)
    z = plane(vae.latent_dim, (first, second), rows, columns, spacing, span)
    names = [f"z[{second}] = {value:.2f}" for value in z[::columns, second]]
    return _decoded(vae, z, columns, batch_size, context, names=names)


def traversal(
    vae: VAE,
    order: np.ndarray,
    columns: int | None,
    span: float,
    label: int | None,
    batch_size: int,
) -> Generated:
    """Decode one row for each latent dimension of `order`, the others at 0."""
    columns = columns or STEPS
    _check_size(vae, len(order) * columns)
    context = label_context(vae, label, len(order) * columns)
    z = traversals(order, vae.latent_dim, columns, span)
    names = [f"z[{dim}]" for dim in order]
    return _decoded(vae, z, columns, batch_size, context, names=names)


def interpolation(
    vae: VAE,
    split: Split,
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
    rows, columns = rows or PAIRS, columns or STEPS
    _check_size(vae, rows * columns)
    if columns < 2:
        raise ConfigError(f"columns={columns}: a path needs at least 2 images.")
    if len(split) < 2:
        raise RunError(f"The held-out split has {len(split)} image; a path needs two.")
    rng = generator(seed, Stream.CHOICE)
    groups = _groups(vae, split, label)
    chosen = np.stack(
        [rng.choice(groups[row % len(groups)], 2, replace=False) for row in range(rows)]
    )
    ended = split.take(chosen.reshape(-1))
    codes, _ = encode(vae, ended.images, context=ended.context)
    paths = [interpolate(a, b, columns, method) for a, b in codes.reshape(rows, 2, -1)]
    shown = ended.images[:].astype(np.float32) / 255
    ends = shown.reshape(rows, 2, *shown.shape[1:])
    context: Context = {}
    names = None
    if vae.num_labels and ended.labels is not None:
        context["label"] = np.repeat(ended.labels[::2], columns)
        names = [f"label {y}" for y in ended.labels[::2]]
    return _decoded(
        vae, np.concatenate(paths), columns, batch_size, context, ends, names
    )


def dimensions_by_kl(vae: VAE, split: Split) -> np.ndarray:
    """Return the latent dimensions, that of largest KL on some images first."""
    some = split.take(slice(2000))
    return np.argsort(-kl_to_normal(*encode(vae, some.images, context=some.context)))


def check_label(vae: VAE, label: int) -> int:
    """Return a label that the model was trained on.

    Raises:
        ConfigError: it has no labels, or not this one.
    """
    if not vae.num_labels:
        raise ConfigError(
            f"label={label} needs a model with labels; this run was trained with "
            "another conditioning (conditioning=none).",
            "train one: vae-train conditioning=label",
        )
    if label not in vae.labels:
        raise ConfigError(f"label={label} is no label of this run.", label_choice(vae))
    return label


def label_choice(vae: VAE) -> str:
    """Say which labels a model was trained on."""
    labels = vae.labels.tolist()
    low, high = labels[0], labels[-1]
    every = labels == list(range(low, high + 1))
    choice = f"{low} to {high}" if every else ", ".join(map(str, labels))
    return f"choose one of: {choice}, such as label={high}"


def label_context(vae: VAE, label: int | None, count: int) -> Context:
    """Return the context of `count` images of one label.

    Raises:
        ConfigError: there is no such label, or one is needed.
    """
    if label is not None:
        return {"label": np.full(count, check_label(vae, label))}
    if not vae.num_labels:
        return {}
    raise ConfigError("This run needs a label: none was given.", label_choice(vae))


def code_context(vae: VAE, labels: Any, count: int) -> Context:
    """Return the context of `count` codes, of one label or of one each."""
    if np.ndim(labels) == 0:
        return label_context(vae, labels, count)
    for label in np.unique(labels):
        check_label(vae, int(label))
    return {"label": np.asarray(labels)}


def _groups(vae: VAE, split: Split, label: int | None) -> list[np.ndarray]:
    """Return groups of images between which there are paths, by their index."""
    if not vae.num_labels:
        label_context(vae, label, 0)  # refuses a label
        return [np.arange(len(split))]
    wanted = vae.labels if label is None else [check_label(vae, label)]
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
    context: Context,
    ends: np.ndarray | None = None,
    names: list[str] | None = None,
) -> Generated:
    images = decode(vae, z, batch_size, context)
    return Generated(images, z, columns, context.get("label"), ends, names)
