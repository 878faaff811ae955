"""Which splits and columns of a collection are images and labels."""

import logging
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from vae_cli.config.dataset_formats import RecordsConfig
from vae_cli.data.array_names import LABEL_WORDS, split_of
from vae_cli.errors import DataError, closest
from vae_cli.text import printable, shortened

SPLITS = ("train", "validation", "test")
SHOWN = 30

log = logging.getLogger(__name__)


class Column(NamedTuple):
    """A column of records.

    Attributes:
        kind: `image`, `array` of two or three axes, `class`, `value` (whole number or
            text) or `other`.
        type: in the collection's words, for messages.
    """

    kind: str
    type: str


def chosen_splits(having: Iterable[str], config: RecordsConfig) -> dict[str, str]:
    """Return ours -> the collection's name of each split.

    Raises:
        DataError: there is none of a name that is given, or none to train on.
    """
    names = list(having)
    listed = ", ".join(map(printable, names)) or "none"
    chosen = {}
    for split in SPLITS:
        own = getattr(config, f"{split}_split")
        if own is not None and own not in names:
            raise DataError(
                f"dataset.{split}_split={own}: {config.path} has no such split.",
                f"it has: {listed}",
            )
        usual = [n for n in names if n == split] or [
            n for n in names if split_of(n) == split
        ]
        if own is not None or usual:
            chosen[split] = own or usual[0]
    if "train" not in chosen and len(names) == 1:
        chosen = {"train": names[0]}
    if "train" not in chosen:
        raise DataError(
            f"dataset.path={config.path} has no split named train; it has: {listed}.",
            f"say which to train on: dataset.train_split={names[0]}"
            if names
            else "choose another set",
        )
    for split in ("validation", "test"):  # one split is not used twice
        own = getattr(config, f"{split}_split")
        if chosen.get(split) == chosen["train"]:
            if own is not None:
                raise DataError(
                    f"dataset.{split}_split={own} is the split that is trained on.",
                    f"it has: {listed}",
                )
            del chosen[split]
    unused = [printable(name) for name in names if name not in chosen.values()]
    if unused:
        log.info("splits that are not used: %s", ", ".join(unused))
    return {split: chosen[split] for split in SPLITS if split in chosen}


def chosen_columns(
    columns: Mapping[str, Column],
    config: RecordsConfig,
    usual: tuple[str, str] | None = None,
) -> tuple[str, str | None]:
    """Return the columns of images and of labels; None where there are no labels.

    Args:
        columns: name -> what it is.
        config: `image_column` and `label_column` are read.
        usual: what the collection says are input and target.

    Raises:
        DataError: several columns can be either, or there are none of that name.
    """
    image = config.image_column
    if image is not None:
        _check(columns, image, "image_column", ("image", "array"), config)
    else:
        image = _image(columns, config, usual)
    label = config.label_column
    if label is not None:
        _check(columns, label, "label_column", ("class", "value"), config)
        return image, label
    classes = [name for name, column in columns.items() if column.kind == "class"]
    if usual is not None and usual[1] in classes:
        return image, usual[1]
    for names in (
        classes,
        [name for name in LABEL_WORDS if name in classes][:1],
        # without classes: whole numbers or text of a usual name
        [n for n in LABEL_WORDS if n in columns and columns[n].kind == "value"][:1],
    ):
        if len(names) == 1:
            return image, names[0]
    if classes:
        raise DataError(
            f"dataset.path={config.path} has {len(classes)} columns of classes: "
            f"{', '.join(map(printable, classes))}.",
            f"say which are the labels: dataset.label_column={classes[0]}",
        )
    return image, None


def _image(
    columns: Mapping[str, Column],
    config: RecordsConfig,
    usual: tuple[str, str] | None,
) -> str:
    for kind in ("image", "array"):
        names = [name for name, column in columns.items() if column.kind == kind]
        if usual is not None and usual[0] in names:
            return usual[0]
        if len(names) == 1:
            return names[0]
        if names:
            raise DataError(
                f"dataset.path={config.path} has {len(names)} columns that can be "
                "images.",
                f"it has: {listed(columns)}",
                f"say which are the images: dataset.image_column={names[0]}",
            )
    raise DataError(
        f"dataset.path={config.path} has no column of images.",
        f"it has: {listed(columns)}",
        "needed: pictures, or arrays [H, W] or [H, W, C]",
    )


def _check(
    columns: Mapping[str, Column],
    name: str,
    key: str,
    kinds: tuple[str, ...],
    config: RecordsConfig,
) -> None:
    if name not in columns:
        guess = closest(name, columns)
        raise DataError(
            f"dataset.{key}={name}: {config.path} has no such column"
            + (f"; did you mean {printable(guess)}?" if guess else "."),
            f"it has: {listed(columns)}",
        )
    if columns[name].kind not in kinds:
        needed = "pictures or arrays of numbers, [H, W] or [H, W, C]"
        if "class" in kinds:
            needed = "classes, whole numbers or text"
        raise DataError(
            f"dataset.{key}={name} is of type {columns[name].type}.",
            f"needed: {needed}",
            f"it has: {listed(columns)}",
        )


def listed(columns: Mapping[str, Column]) -> str:
    """Return names and types for a message."""
    named = [
        f"{printable(name)} ({printable(column.type)})"
        for name, column in columns.items()
    ]
    return ", ".join(shortened(named, SHOWN)) or "no columns"
