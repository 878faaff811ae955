"""What the rows and columns of a grid of pictures are called."""

from typing import NamedTuple

import numpy as np

from vae_cli.data_spec import DataSpec


class GridNames(NamedTuple):
    """Names of a grid.

    Attributes:
        title: of the figure.
        rows: a name for each row, or none.
        columns: a name for each column, or none.
        x: what the columns are, below them.
        y: what the rows are, beside them.
    """

    title: str
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    x: str = ""
    y: str = ""


def method_name(name: str, corruption: str) -> str:
    """Return what a method of restoration is called on images of a corruption."""
    if name == "restored" and corruption == "none":
        return "reconstruction"
    return name.replace("_", " ")


def class_rows(
    spec: DataSpec, labels: np.ndarray | None, columns: int
) -> GridNames | None:
    """Return the names of rows of samples, each of one class.

    Args:
        spec: of the data, with the names of classes.
        labels: class of each image, int [N]; None for a model without labels.
        columns: images in a row.

    Returns:
        None without labels, or where a row has several classes.
    """
    if labels is None:
        return None
    rows = [labels[start : start + columns] for start in range(0, len(labels), columns)]
    if any(len(np.unique(row)) > 1 for row in rows):
        return None
    classes = tuple(spec.class_name(int(row[0])) for row in rows)
    return GridNames("samples from the prior, by class", classes)
