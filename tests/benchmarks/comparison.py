"""The product beside what people would otherwise use: speed, memory, start."""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace
from statistics import median
from typing import Any

from tests.benchmarks.contenders.task import Task
from tests.benchmarks.rounds import Contender, alternate, ratio

OWN = "vae-cli"
CURED = "Keras guide, autotune off"
QUIET = 0.9
"""Of the best matrix product: in a round that reaches it, nothing else was at work."""
CONV = Task(model="conv", latent_dim=2, count=20_480)
DENSE = Task(model="dense", latent_dim=20, count=61_440)
MACHINE = Contender("matrix product", "matrix_product")
CONTENDERS = {
    "conv": [
        MACHINE,
        Contender(OWN, "product", CONV),
        Contender(
            f"{OWN}, bfloat16", "product", replace(CONV, precision="mixed_bfloat16")
        ),
        Contender(f"{OWN}, streamed", "product", replace(CONV, memory_mb=1)),
        Contender("Keras guide", "keras_guide", CONV),
        Contender(CURED, "keras_guide", replace(CONV, autotune=0)),
        Contender("PyTorch eager", "torch_eager", CONV),
    ],
    "dense": [
        MACHINE,
        Contender(OWN, "product", DENSE),
        Contender(f"{OWN}, batch 512", "product", replace(DENSE, batch_size=512)),
        Contender(f"{OWN}, streamed", "product", replace(DENSE, memory_mb=1)),
        Contender("Keras guide", "keras_guide", DENSE),
        Contender(CURED, "keras_guide", replace(DENSE, autotune=0)),
        Contender("PyTorch eager", "torch_eager", DENSE),
        Contender("pythae", "pythae_trainer", DENSE),
    ],
}


def speed(model: str, rounds: int) -> dict[str, Any]:
    """Return each contender's speed, and how much faster the product's lines are."""
    contenders = CONTENDERS[model]
    lines = alternate(contenders, rounds)
    products = lines.pop(MACHINE.label)
    machine = {name: median(line[name] for line in products) for name in products[0]}
    best = max(line["float32"] for line in products)
    quiet = [i for i, x in enumerate(products) if x["float32"] >= QUIET * best]
    speeds = {k: [line["images_per_second"] for line in v] for k, v in lines.items()}
    calm = {k: [v[i] for i in quiet] for k, v in speeds.items()}
    rows = {}
    for contender in contenders[1:]:
        label, task = contender.label, contender.task
        assert task
        gflops = median(speeds[label]) * task.operations / 1e9
        kind = "bfloat16" if "bfloat16" in label else "float32"
        rows[label] = {
            "images_per_second": median(speeds[label]),
            "images_per_second_quiet": median(calm[label]),
            "gflops": gflops,
            "share_of_matrix_product": gflops / machine[kind],
            "peak_mb": max(line["peak_mb"] for line in lines[label]),
        }
        if label.startswith(OWN):
            for name, of in (("all", speeds), ("quiet", calm)):
                rows[label][f"times_as_fast_as_{name}"] = {
                    other: asdict(ratio(of[label], of[other]))
                    for other in of
                    if not other.startswith(OWN)
                }
    return {
        "matrix_product_gflops": machine,
        "rounds": rounds,
        "quiet_rounds": len(quiet),
        "contenders": rows,
    }


def start(model: str, rounds: int) -> dict[str, float]:
    """Return seconds from command to first step, and those of a bare script."""
    task = {"conv": CONV, "dense": DENSE}[model]
    found: dict[str, list[float]] = {"built": [], "traced": [], "done": []}
    for _ in range(rounds):
        for module in ("bare_script", "first_step"):
            for name, seconds in _seconds(module, task).items():
                found[name].append(seconds)
    pairs = zip(found["done"], found["traced"], found["built"], strict=True)
    later = [(done - built, traced - built) for done, traced, built in pairs]
    return {
        "bare_script": median(found["built"]),
        "first_step_done": median(found["done"]),
        "first_step_begins": median(found["traced"]),
        "done_later_than_bare_script": median(pair[0] for pair in later),
        "begins_later_than_bare_script": median(pair[1] for pair in later),
    }


def _seconds(module: str, task: Task) -> dict[str, float]:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            f"tests.benchmarks.contenders.{module}",
            *task.arguments(),
        ],
        capture_output=True,
        text=True,
        env=os.environ | {"BEGAN": str(time.perf_counter())},
    )
    if done.returncode:
        raise SystemExit(f"{module} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])
