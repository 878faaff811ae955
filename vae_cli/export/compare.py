"""How far a file is from the run, and how long it takes."""

import statistics
import time

import numpy as np

from vae_cli.export.examples import Example
from vae_cli.export.formats import Arrays, Call

BATCHES = (1, 64)
"""Images a call that files of a free batch size are timed with."""
WARM_UP = 3
MAX_CALLS, MAX_SECONDS = 100, 0.3
"""Of the calls that are timed, whichever is reached first."""


def outputs_of(call: Call, inputs: Arrays, batch_size: int | None) -> Arrays:
    """Return what a file gives for all inputs.

    With a free batch size, one image comes alone and the rest together, so that two
    sizes are tried.
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
    """Return the largest difference of each output from the run's, and the RMS.

    They are relative to the largest value of the run's where that is above 1; those of
    uint8 images are in units of their range, 0 to 255.
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
    """Return the median time of calls, divided by their images, by images a call."""
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
