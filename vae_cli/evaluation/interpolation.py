"""Interpolation: paths between the codes of images."""

from collections.abc import Sequence

import numpy as np

from vae_cli.data.images import to_float
from vae_cli.data.splits import Split
from vae_cli.errors import ConfigError, RunError
from vae_cli.evaluation.batches import ConditionArrays
from vae_cli.evaluation.generated import Generated, check_size, decoded, whole_images
from vae_cli.evaluation.latent import encode
from vae_cli.evaluation.names import GridNames
from vae_cli.evaluation.paths import interpolate
from vae_cli.randomness import Stream, generator
from vae_cli.runs.opened import OpenRun

PAIRS, STEPS = 6, 11
"""Rows and columns where none are given."""


def paths_between_pairs(
    run: OpenRun,
    rows: int | None = None,
    columns: int | None = None,
    interpolation: str = "linear",
    label: int | str | None = None,
    seed: int = 0,
    batch_size: int = 256,
) -> Generated:
    """Decode paths between the codes of pairs of held-out images.

    The two images of a path have the same label where the model has labels.

    Args:
        run: the run.
        rows: pairs.
        columns: images of a path.
        interpolation: `linear` or `spherical`.
        label: for a conditional model: the class of the images.
        seed: chooses the images.
        batch_size: images at a time.

    Raises:
        ConfigError: a path of one image, or a label that there isn't.
        RunError: there are no two images.
    """
    vae, split = whole_images(run), run.split(run.data.held_out)
    rows, columns = rows or PAIRS, columns or STEPS
    check_size(vae, rows * columns)
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
    paths = [
        interpolate(a, b, columns, interpolation) for a, b in codes.reshape(rows, 2, -1)
    ]
    pixels = to_float(ended.images[:])
    ends = pixels.reshape(rows, 2, *pixels.shape[1:])
    condition: ConditionArrays = {}
    if vae.num_labels and ended.labels is not None:
        condition["label"] = np.repeat(ended.labels[::2], columns)
    z = np.asarray(vae.on_codes(np.concatenate(paths)))
    classes = condition.get("label", ())[::columns]
    names = _path_names(
        f"{interpolation} paths between codes of {run.data.held_out} images",
        columns,
        [run.spec.class_name(int(label)) for label in classes],
    )
    return decoded(run, z, columns, batch_size, condition, ends, names)


def path_between(
    run: OpenRun, split: Split, pair: list[int], columns: int, label: int | str | None
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
    check_size(vae, columns)
    ends = split.take(np.array(pair))
    codes, _ = encode(vae, ends.images, condition=ends.condition)
    z = interpolate(codes[0], codes[1], columns, "linear")
    z = np.asarray(run.vae.on_codes(z))
    condition: ConditionArrays = {}
    if run.config.conditioning.on_labels:
        label = label if label is not None else _one_label(pair, ends)
        condition = run.labels.condition(label, len(z))
    inputs = ends.images if ends.corrupted is None else ends.corrupted
    floats = to_float(inputs[:])[None]
    names = _path_names(f"path from image {pair[0]} to image {pair[1]}", columns)
    return decoded(run, z, columns, len(z), condition, floats, names)


def _path_names(title: str, columns: int, rows: Sequence[str] = ()) -> GridNames:
    """Return names of a grid of paths between two images each."""
    steps = (f"{t:.2g}" for t in np.linspace(0, 1, columns))
    return GridNames(title, tuple(rows), ("image", *steps, "image"), "part of the path")


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


def _groups(run: OpenRun, split: Split, label: int | str | None) -> list[np.ndarray]:
    """Return groups of images between which there are paths, by their index."""
    if not run.config.conditioning.on_labels:
        run.labels.condition(label, 0)  # refuses a label
        return [np.arange(len(split))]
    wanted = run.vae.labels if label is None else [run.labels.number(label)]
    groups = [np.flatnonzero(split.labels == y) for y in wanted]
    groups = [group for group in groups if len(group) > 1]
    if not groups:
        raise RunError("There are no two held-out images of the same label.")
    return groups
