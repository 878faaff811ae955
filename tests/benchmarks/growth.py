"""How cost grows: steps of ten in batch, code, image and set size."""

import itertools
import math
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from statistics import median
from typing import Any

from tests.benchmarks.contenders.task import Task
from tests.benchmarks.rounds import Contender, alternate

BASE = Task(model="dense", latent_dim=20, count=12_800)
AXES: dict[str, tuple[str, list[Task]]] = {
    "batch size": (
        "seconds a step",
        [replace(BASE, batch_size=size) for size in (16, 160, 1600)],
    ),
    "latent dimensions": (
        "seconds an image",
        [replace(BASE, latent_dim=size) for size in (2, 20, 200)],
    ),
    "pixels": (
        "seconds an image",
        [replace(BASE, model="conv", size=size, count=1_280) for size in (9, 28, 88)],
    ),
    "training images": (
        "seconds an epoch",
        [replace(BASE, count=count) for count in (2_000, 20_000, 200_000)],
    ),
}
ROUNDS = 2


def training() -> dict[str, Any]:
    """Return, for each axis, sizes, seconds, peak memory and the steepest slope.

    A slope of 1 is a straight line: ten times as much takes ten times as long.
    """
    found = {}
    for axis, (unit, tasks) in AXES.items():
        sizes = [_size(axis, task) for task in tasks]
        contenders = [
            Contender(str(n), "product", task)
            for n, task in zip(sizes, tasks, strict=True)
        ]
        lines = alternate(contenders, ROUNDS)
        seconds, memory = [], []
        for size, task in zip(sizes, tasks, strict=True):
            speeds = [line["images_per_second"] for line in lines[str(size)]]
            images = {
                "seconds a step": task.batch_size,
                "seconds an image": 1,
                "seconds an epoch": task.count,
            }[unit]
            seconds.append(images / median(speeds))
            memory.append(max(line["peak_mb"] for line in lines[str(size)]))
        found[axis] = {
            "unit": unit,
            "sizes": sizes,
            "seconds": seconds,
            "peak_mb": memory,
            "steepest_slope": steepest(sizes, seconds),
        }
    return found


def commands() -> dict[str, Any]:
    """Return what `vae-generate` and the importance-sampled NLL do in a second.

    Each is timed at two sizes, so that what comes before the work drops out.
    """
    with tempfile.TemporaryDirectory() as folder:
        run = f"{folder}/run"
        _vae(
            "train", "epochs=1", "dataset.max_images_per_split=12800", f"run_dir={run}"
        )
        few, many = (
            _vae(
                "generate",
                f"run={run}",
                f"num_images={n}",
                f"save_npz={folder}/{n}.npz",
            )
            for n in (1_000, 10_000)
        )
        scored = [
            _vae("evaluate", f"run={run}", "num_images=500", f"importance_samples={n}")
            for n in (50, 500)
        ]
    # 450 samples more for each of 500 images
    samples = 450 * 500 / (scored[1] - scored[0])
    return {
        "generated_images_per_second": 9_000 / (many - few),
        "scored_samples_per_second": samples,
        "images_per_second_at_500_samples": samples / 500,
    }


def steepest(sizes: list[int], seconds: list[float]) -> float:
    """Return the largest slope between neighbours in log-log coordinates."""
    points = list(zip(sizes, seconds, strict=True))
    return max(
        math.log(b[1] / a[1]) / math.log(b[0] / a[0])
        for a, b in itertools.pairwise(points)
    )


def _size(axis: str, task: Task) -> int:
    return {
        "batch size": task.batch_size,
        "latent dimensions": task.latent_dim,
        "pixels": task.size**2,
        "training images": task.count,
    }[axis]


def _vae(*arguments: str) -> float:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "vae_cli", *arguments], capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return time.perf_counter() - began
