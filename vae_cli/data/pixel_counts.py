"""How often pixel values occur: histogram, mean and deviation of each channel."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from vae_cli.data.images import Images
from vae_cli.pixels import Pixels

BINS = 256
"""Of a histogram; fewer levels have a bin each."""
MOST_DISTINCT = 2**16
"""Real values that are told apart; more are not counted."""


@dataclass(frozen=True)
class ChannelFacts:
    """Values of a channel, in the data's own range.

    Attributes:
        mean: over pixels and images.
        std: standard deviation, likewise.
        low: smallest value.
        high: largest value.
    """

    mean: float
    std: float
    low: float
    high: float


@dataclass(frozen=True)
class PixelFacts:
    """Values of the pixels of a split.

    Attributes:
        channels: one for each.
        edges: of the histogram's bins, float [bins + 1], in the data's own range.
        counts: int [channels, bins].
        distinct: how many different values there are; None: more than MOST_DISTINCT.
    """

    channels: list[ChannelFacts]
    edges: np.ndarray
    counts: np.ndarray
    distinct: int | None

    def to_json(self) -> dict[str, Any]:
        """Return them for a report."""
        return {
            "channels": [vars(channel) for channel in self.channels],
            "distinct_values": self.distinct,
            "histogram": {
                "edges": [round(float(edge), 6) for edge in self.edges],
                "counts": self.counts.tolist(),
            },
        }


def count_pixels(images: Images, pixels: Pixels) -> PixelFacts:
    """Go through all images of a split and count their values.

    Args:
        images: [N, H, W, C], N at least 1.
        pixels: what they are; those with levels are counted level by level.
    """
    if pixels.levels is not None:
        return _of_levels(images, pixels, pixels.levels)
    return _of_reals(images, pixels)


def _of_levels(images: Images, pixels: Pixels, levels: int) -> PixelFacts:
    channels = images.shape[-1]
    counts = np.zeros((channels, levels), np.int64)
    for batch in images.batches():
        if batch.dtype != np.uint8:
            batch = np.rint(batch * (levels - 1)).astype(np.int64)
        for channel in range(channels):
            values = batch[..., channel].reshape(-1)
            counts[channel] += np.bincount(values, minlength=levels)
    step = (pixels.high - pixels.low) / (levels - 1)
    values = pixels.low + step * np.arange(levels)
    facts = []
    for own in counts:
        share = own / own.sum()
        mean = float(share @ values)
        there = values[own > 0]
        std = float(np.sqrt(share @ (values - mean) ** 2))
        facts.append(ChannelFacts(mean, std, float(there[0]), float(there[-1])))
    distinct = int((counts.sum(0) > 0).sum())
    width = -(-levels // BINS)
    starts = np.arange(0, levels, width)
    edges = pixels.low + step * (np.append(starts, starts[-1] + width) - 0.5)
    return PixelFacts(facts, edges, np.add.reduceat(counts, starts, axis=1), distinct)


def _of_reals(images: Images, pixels: Pixels) -> PixelFacts:
    channels = images.shape[-1]
    low, high = pixels.observed
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    counts = np.zeros((channels, BINS), np.int64)
    total, squares = np.zeros(channels), np.zeros(channels)
    least, most = np.full(channels, np.inf), np.full(channels, -np.inf)
    known: np.ndarray | None = np.empty(0, np.float32)
    number = 0
    for batch in images.batches():
        flat = batch.reshape(-1, channels)
        if known is not None:
            known = np.unique(np.append(known, np.unique(flat)))
            known = known if len(known) <= MOST_DISTINCT else None
        values = pixels.low + flat.astype(np.float64) * (pixels.high - pixels.low)
        shifted = values - low  # sums of squares far from 0 would cancel
        number += len(values)
        total += shifted.sum(0)
        squares += (shifted**2).sum(0)
        least, most = np.minimum(least, values.min(0)), np.maximum(most, values.max(0))
        for channel in range(channels):
            inside = np.clip(values[:, channel], edges[0], edges[-1])
            counts[channel] += np.histogram(inside, edges)[0]
    mean = total / number
    std = np.sqrt(np.maximum(squares / number - mean**2, 0))
    facts = [
        ChannelFacts(*map(float, each))
        for each in zip(mean + low, std, least, most, strict=True)
    ]
    return PixelFacts(facts, edges, counts, None if known is None else len(known))
