"""Differences between an exported file and the run, and its speed."""

import statistics
import time

import numpy as np

from vae_cli.export.examples import Example
from vae_cli.export.formats import Arrays, Call

BATCHES = (1, 64)
"""Images per call for timing files without a fixed batch size."""
WARM_UP = 3
MAX_CALLS, MAX_SECONDS = 100, 0.3
"""Timing stops at whichever limit is reached first."""


def outputs_of(call: Call, inputs: Arrays, batch_size: int | None) -> Arrays:
    """Return a file's outputs for all inputs.

    Without a fixed batch size, the first image is one batch and the rest another, so
    that two sizes are tested.
    """
    count = len(next(iter(inputs.values())))
    ends = range(batch_size, count + 1, batch_size) if batch_size else (1, count)
    parts, start = [], 0
    for end in ends:
        parts.append(call(_rows(inputs, start, end)))
        start = end
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def differences(
    outputs: Arrays, example: Example
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the largest and the RMS difference of each output from the run's.

    They are relative to the run's largest value if that is above 1, and to 255 for
    uint8 images.
    """
    largest, rms = {}, {}
    for name, expected in example.outputs.items():
        unit = 255.0
        if expected.dtype != np.uint8:
            unit = max(1.0, float(np.abs(expected).max()))
        difference = (outputs[name].astype(np.float64) - expected) / unit
        largest[name] = float(np.abs(difference).max())
        rms[name] = float(np.sqrt((difference**2).mean()))
    return largest, rms


def milliseconds_an_image(
    call: Call, inputs: Arrays, batch_size: int | None
) -> dict[int, float]:
    """Return images per call -> median milliseconds of a call, per image."""
    found = {}
    for size in BATCHES if batch_size is None else (batch_size,):
        rows = _rows(inputs, 0, size)
        for _ in range(WARM_UP):
            call(rows)
        times: list[float] = []
        began = time.perf_counter()
        while len(times) < MAX_CALLS and (
            not times or time.perf_counter() - began < MAX_SECONDS
        ):
            start = time.perf_counter()
            call(rows)
            times.append(time.perf_counter() - start)
        found[size] = 1000 * statistics.median(times) / size
    return found


def _rows(inputs: Arrays, start: int, end: int) -> Arrays:
    return {name: array[start:end] for name, array in inputs.items()}
