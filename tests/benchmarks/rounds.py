"""Alternating rounds: many contenders alive, one at a time at work."""

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import IO

from tests.benchmarks.contenders.task import Task

WARM_UP = 2
"""Turns that are not counted: tracing, and threads that settle."""


@dataclass(frozen=True)
class Contender:
    """A module of `contenders` at a task."""

    label: str
    module: str
    task: Task | None = None


@dataclass(frozen=True)
class Ratio:
    """How much faster one is than another, over rounds."""

    median: float
    lowest: float
    highest: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.lowest:.2f} to {self.highest:.2f})"


Lines = dict[str, list[dict[str, float]]]
"""Label -> what it reported in each round."""


def alternate(contenders: list[Contender], rounds: int) -> Lines:
    """Let contenders work in turn; every other round goes backwards.

    Returns:
        what each reported in each round.
    """
    with contextlib.ExitStack() as stack:
        alive = {c.label: stack.enter_context(_started(c)) for c in contenders}
        found: Lines = {label: [] for label in alive}
        for number in range(WARM_UP + rounds):
            order = list(alive) if number % 2 else list(alive)[::-1]
            for label in order:
                line = _turn(alive[label], label)
                if number >= WARM_UP:
                    found[label].append(line)
            print(f"round {number + 1} of {WARM_UP + rounds}", file=sys.stderr)
    return found


def ratio(one: list[float], other: list[float]) -> Ratio:
    """Compare round by round."""
    each = [a / b for a, b in zip(one, other, strict=True)]
    return Ratio(median(each), min(each), max(each))


@contextlib.contextmanager
def _started(
    contender: Contender,
) -> Iterator[tuple["subprocess.Popen[str]", IO[bytes]]]:
    arguments = contender.task.arguments() if contender.task else []
    module = f"tests.benchmarks.contenders.{contender.module}"
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            yield process, errors
        finally:
            process.terminate()
            process.communicate()


def _turn(
    alive: tuple["subprocess.Popen[str]", IO[bytes]], label: str
) -> dict[str, float]:
    process, errors = alive
    assert process.stdin and process.stdout
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write("\n")
        process.stdin.flush()
    for line in process.stdout:
        if line.startswith("{"):
            return json.loads(line)
    errors.seek(0)
    raise SystemExit(f"{label} has ended:\n{errors.read().decode()}")
