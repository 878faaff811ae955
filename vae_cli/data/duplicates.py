"""Images that occur more than once, exactly or nearly, in a split or in several.

Exact: the same pixels, by their BLAKE2 digest. Near: alike, such as a picture that was
saved again, resized, or made a little lighter. Candidates have the same shape as
thumbnails of 8 x 8 grey pixels; as thumbnails of 16 x 16 pixels in all channels, they
differ by at most a tenth of their contrast (root mean squares).
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vae_cli.data.images import Images, rows_at_a_time
from vae_cli.data.likeness import alike, thumbnails
from vae_cli.data.splits import Split
from vae_cli.randomness import Stream, generator

COARSE, FINE = 8, 16
"""Sides of thumbnails: of those that are all compared, and of those that decide."""
DIFFERENCE = 0.1
"""Of near duplicates, as a fraction of their contrast."""
AT_A_TIME = 4096
"""Pairs whose thumbnails are compared at once."""
MAX_SEARCHED = 100_000
"""Images among which near duplicates are looked for."""
LISTED = 100
"""Groups and pairs that a report lists."""


@dataclass(frozen=True)
class Place:
    """An image of a data set.

    Attributes:
        split: its split.
        row: its row in the split.
        name: of its file, or else `split[row]`.
        label: its class, or None.
    """

    split: str
    row: int
    name: str
    label: str | None = None


@dataclass(frozen=True)
class NearPair:
    """Two images that look alike, and how much they differ: 0 to `DIFFERENCE`."""

    first: Place
    second: Place
    difference: float


@dataclass(frozen=True)
class Duplicates:
    """Images that occur more than once.

    Attributes:
        groups: of the same pixels, the largest first; at most `LISTED`.
        num_groups: how many there are.
        copies: images that could be left out: all but one of each group.
        leaked: split -> images of it that are training images, too.
        relabelled: groups whose labels differ.
        near: pairs that look alike, the most alike first; at most `LISTED`.
        num_near: how many pairs there are, at least.
        nearly_leaked: split -> images that look like a training image.
        searched: images among which near ones were looked for.
        complete: whether all pairs of these were compared.
    """

    groups: list[list[Place]]
    num_groups: int
    copies: int
    leaked: dict[str, int]
    relabelled: int
    near: list[NearPair]
    num_near: int
    nearly_leaked: dict[str, int]
    searched: int
    complete: bool

    def to_json(self) -> dict[str, Any]:
        """Return them for a report."""
        return {
            **vars(self),
            "groups": [[vars(place) for place in group] for group in self.groups],
            "near": [
                {
                    "first": vars(pair.first),
                    "second": vars(pair.second),
                    "difference": round(pair.difference, 4),
                }
                for pair in self.near
            ],
        }


def find_duplicates(
    splits: Mapping[str, Split],
    seed: int = 0,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Duplicates:
    """Compare all images of a data set.

    Args:
        splits: by name, `train` among them.
        seed: which images are searched for near duplicates, where there are too many.
        progress: called with the fraction that is done.
    """
    splits = {name: split for name, split in splits.items() if len(split)}
    by_digest, small = _read(splits, lambda part: progress(0.5 * part))
    repeated = [rows for rows in by_digest.values() if len(rows) > 1]
    groups = [[_place(splits, *at) for at in rows] for rows in repeated]
    groups.sort(key=lambda group: (-len(group), group[0].split, group[0].row))
    firsts = [rows[0] for rows in by_digest.values()]
    chosen = generator(seed, Stream.CHOICE).permutation(len(firsts))[:MAX_SEARCHED]
    kept = [firsts[i] for i in np.sort(chosen)]
    coarse = np.stack([small[name][row] for name, row in kept])
    candidates, complete = alike(
        coarse, progress=lambda part: progress(0.5 + 0.4 * part)
    )
    pairs, differences = _verified(splits, kept, candidates)
    progress(1.0)
    order = np.argsort(differences, kind="stable")
    near = [
        NearPair(
            _place(splits, *kept[pairs[k, 0]]),
            _place(splits, *kept[pairs[k, 1]]),
            float(differences[k]),
        )
        for k in order[:LISTED]
    ]
    return Duplicates(
        groups=groups[:LISTED],
        num_groups=len(groups),
        copies=sum(len(group) - 1 for group in groups),
        leaked=_leaked(groups),
        relabelled=sum(len({place.label for place in group}) > 1 for group in groups),
        near=near,
        num_near=len(pairs),
        nearly_leaked=_nearly_leaked([(kept[i], kept[j]) for i, j in pairs]),
        searched=len(kept),
        complete=complete,
    )


def _read(
    splits: Mapping[str, Split], progress: Callable[[float], None]
) -> tuple[dict[bytes, list[tuple[str, int]]], dict[str, np.ndarray]]:
    """Return where each image's pixels occur, and grey thumbnails of each split."""
    places: dict[bytes, list[tuple[str, int]]] = {}
    small: dict[str, np.ndarray] = {}
    total, done = sum(map(len, splits.values())), 0
    for name, split in splits.items():
        parts, row = [], 0
        for batch in split.images.batches():
            for image in np.ascontiguousarray(batch):
                digest = hashlib.blake2b(image.data, digest_size=16).digest()
                places.setdefault(digest, []).append((name, row))
                row += 1
            parts.append(thumbnails(batch, COARSE).mean(axis=3))
            done += len(batch)
            progress(done / total)
        small[name] = np.concatenate(parts)
    return places, small


def _verified(
    splits: Mapping[str, Split], kept: list[tuple[str, int]], pairs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return those of the pairs that are alike, and by how much they differ."""
    used, inner = np.unique(pairs, return_inverse=True)
    inner = inner.reshape(pairs.shape)
    if not len(used):
        return pairs, np.empty(0)
    fine: list[np.ndarray] = []
    for name, split in splits.items():  # in which order `kept` is
        rows = np.array([kept[i][1] for i in used if kept[i][0] == name], np.int64)
        fine += _fine(split.images, rows)
    small = np.concatenate(fine)
    small = small.reshape(len(small), -1)
    contrast = small.std(axis=1)
    differences = np.concatenate(
        [
            np.sqrt(np.mean((small[first] - small[second]) ** 2, axis=1))
            / np.maximum(contrast[first], contrast[second]).clip(1e-6)
            for part in np.array_split(inner, -(-len(inner) // AT_A_TIME))
            for first, second in [part.T]
        ]
    )
    near = differences <= DIFFERENCE
    return pairs[near], differences[near]


def _fine(images: Images, rows: np.ndarray) -> list[np.ndarray]:
    size = rows_at_a_time(images.shape)
    return [
        thumbnails(images[rows[start : start + size]], FINE)
        for start in range(0, len(rows), size)
    ]


def _place(splits: Mapping[str, Split], name: str, row: int) -> Place:
    split = splits[name]
    shown = f"{name}[{row}]" if split.names is None else str(split.names[row])
    label = None
    if split.labels is not None:
        number = int(split.labels[row])
        label = str(number) if split.class_names is None else split.class_names[number]
    return Place(name, row, shown, label)


def _leaked(groups: list[list[Place]]) -> dict[str, int]:
    """Return how many images of each other split are training images, too."""
    found: Counter[str] = Counter()
    for group in groups:
        own = Counter(place.split for place in group)
        if own.pop("train", 0):
            found += own
    return dict(found)


def _nearly_leaked(
    pairs: list[tuple[tuple[str, int], tuple[str, int]]],
) -> dict[str, int]:
    held_out = {
        other
        for pair in pairs
        for one, other in (pair, pair[::-1])
        if one[0] == "train" and other[0] != "train"
    }
    return dict(Counter(name for name, _ in held_out))
