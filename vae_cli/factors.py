"""Factors that images are made from: names, levels, kinds; imports no TensorFlow."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

KINDS = ("ordinal", "periodic", "categorical")


@dataclass(frozen=True)
class Factor:
    """What varies between the images of a grid.

    Attributes:
        name: such as `scale`.
        values: of its levels, in order; at least two.
        kind: `ordinal`; `periodic` (the level after the last is the first, and `values`
            are fractions of a turn); or `categorical` (the order means nothing).
    """

    name: str
    values: tuple[float, ...]
    kind: str = "ordinal"

    def levels(self, values: np.ndarray) -> np.ndarray:
        """Return the level that each of some values is: float [N] -> int64 [N]."""
        own = np.asarray(self.values)
        return np.abs(np.asarray(values)[:, None] - own).argmin(axis=1)


def grid_size(factors: Sequence[Factor]) -> int:
    """Return how many images a full grid has."""
    return math.prod(len(factor.values) for factor in factors)


def grid_values(factors: Sequence[Factor]) -> dict[str, np.ndarray]:
    """Return each factor's value at each picture of the grid, float32 [N].

    The last factor varies fastest.
    """
    axes = [np.asarray(factor.values, np.float32) for factor in factors]
    grid = np.meshgrid(*axes, indexing="ij")
    return {f.name: g.reshape(-1) for f, g in zip(factors, grid, strict=True)}
