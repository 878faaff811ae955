"""Images of one's own, prepared as those that a model was trained on."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vae_cli.data.fitting import Fitting, fitted_array, fitted_pictures
from vae_cli.data.given_files import ARRAYS, Given, are_paths, groups
from vae_cli.data.images import to_float
from vae_cli.data.npy_header import UNREADABLE
from vae_cli.data.regular import check_regular
from vae_cli.data.splits import Split
from vae_cli.data_spec import DataSpec
from vae_cli.errors import DataError

log = logging.getLogger(__name__)


def named_split(given: Given, fitting: Fitting) -> tuple[Split, list[str]]:
    """Return images as a split, whose `mask` is 0 at missing pixels, and their names.

    Args:
        given: the images.
        fitting: how they become the model's.

    Raises:
        DataError: a file is missing, no picture or no regular file; values are out of
            range.
    """
    splits, names = [], []
    for split, own in image_batches(given, fitting):
        splits.append(split)
        names += own
    if len(splits) == 1:
        return splits[0], names
    masks = [split.mask for split in splits]
    mask = None
    if any(m is not None for m in masks):
        mask = np.concatenate(
            [
                np.full((len(s), *s.images.shape[1:3], 1), 255, np.uint8)
                if s.mask is None
                else s.mask[:]
                for s in splits
            ]
        )
    images = [split.images[:] for split in splits]
    if len({part.dtype for part in images}) > 1:  # 8-bit pictures beside floats
        images = [to_float(part) for part in images]
    return _split(np.concatenate(images), names, fitting.spec, mask), names


def image_batches(
    given: Given,
    fitting: Fitting,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Iterator[tuple[Split, list[str]]]:
    """Yield images and their names, a few pictures or one array at a time.

    Other arguments and errors are those of `named_split`.

    Args:
        given: the images.
        fitting: how they become the model's.
        progress: called before some are yielded, with the fraction of files that are
            read by then.
    """
    spec = fitting.spec
    changes: Counter[str] = Counter()
    if not are_paths(given):
        images = fitted_array(_array(given), fitting, "the array", changes)
        names = [f"array[{index}]" for index in range(len(images))]
        progress(1.0)
        yield _split(images, names, spec), names
    else:
        for paths, names, fraction in groups(given):
            progress(fraction)
            if paths[0].suffix.lower() in ARRAYS:
                loaded = _loaded(paths[0])
                images = fitted_array(loaded, fitting, f"images={paths[0]}", changes)
                own = [f"{names[0]}[{index}]" for index in range(len(images))]
                yield _split(images, own, spec), own
            else:
                images, mask = fitted_pictures(paths, fitting, changes)
                yield _split(images, names, spec, mask), names
    for change, count in changes.items():
        log.info("%d image%s: %s", count, "s" * (count > 1), change)


def _split(
    images: np.ndarray, names: list[str], spec: DataSpec, mask: np.ndarray | None = None
) -> Split:
    """Return a split, of pixels 0 and 255 where those of the model are 0 or 1."""
    if spec.binary:
        images = np.where(to_float(images) > 0.5, 255, 0).astype(np.uint8)
    if images.dtype == np.uint8 and spec.pixels.dequantized:
        images = spec.pixels.to_model(images)
    return Split(images, mask=mask, names=np.array(names), pixels=spec.pixels)


def _array(given: Any) -> np.ndarray:
    try:
        return np.asarray(given)
    except ValueError as error:
        raise DataError(f"the images are no array: {error}.") from error


def _loaded(path: Path) -> np.ndarray:
    """Return the array of an .npy or .npz file."""
    try:
        check_regular(path, "images")
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.lib.npyio.NpzFile):
            with loaded as file:
                if "images" not in file.files and len(file.files) != 1:
                    raise DataError(
                        f"images={path} holds the arrays {', '.join(file.files)}.",
                        "save the images under the name images: "
                        "numpy.savez(path, images=images)",
                    )
                loaded = file["images" if "images" in file.files else file.files[0]]
    except UNREADABLE as error:
        raise DataError(
            f"images={path} can't be read as an array.",
            "write one with numpy.save(path, images), numbers only",
        ) from error
    array: np.ndarray = loaded
    return array
