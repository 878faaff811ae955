"""What the rows and columns of a grid of pictures are called."""

from typing import NamedTuple


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
