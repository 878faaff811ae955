"""Runs that test everything that a resume could break, and what must be equal."""

import csv
import json
from pathlib import Path

import numpy as np

from tests.conftest import SMALL

EXACT = (*SMALL, "latent_dim=2")
"""Everything that could break exact resume, at once."""
STATEFUL = (
    *EXACT,
    "dataset.binarize=dynamic",
    "architecture.dropout=0.1",
    "architecture.normalization=batch",
    "optimizer.ema_decay=0.9",
    "kl_annealing=cyclical",
    "kl_annealing.period=2",
    "learning_rate_schedule=step",
    "learning_rate_schedule.every_epochs=2",
)

LAYERED = (
    *EXACT,
    "latent_dim=4",
    "hierarchy=two_level",
    "hierarchy.hidden_units=[8]",
    "prior=vamp",
    "prior.components=5",
    "prior.initialization=data",
    "objective=iwae",
    "objective.importance_samples=3",
    "kl_annealing=linear",
    "kl_annealing.duration=3",
)
"""Two levels, a learned prior and a bound of several samples."""

LADDER = (
    *(word for word in SMALL if not word.startswith("architecture")),
    "latent_dim=null",
    "architecture=residual_conv",
    "architecture.filters=[3,4]",
    "architecture.dense_units=6",
    "architecture.normalization=batch",
    "hierarchy=ladder",
    "hierarchy.channels=[3,2,1]",
    "free_bits=0.5",
    "free_bits_per=level",
    "optimizer.ema_decay=0.9",
    "kl_annealing=linear",
    "kl_annealing.duration=3",
)
"""Five levels at three sizes."""
SHORT_LADDER = (*LADDER, "hierarchy.levels_per_size=[1,1,1]")
"""One level of each size."""

CODES = (
    *(word for word in SMALL if not word.startswith("architecture")),
    "latent_dim=null",
    "architecture=conv",
    "architecture.filters=[4,6]",
)
TINY_PRIOR = (
    "latent.prior_epochs=2",
    "latent.prior_filters=4",
    "latent.prior_layers=2",
)
VQ = (
    *CODES,
    "latent=vq",
    "latent.codes=8",
    "latent.code_dim=3",
    "latent.decay=0.8",
    "latent.restart_below=0.2",
    "optimizer.learning_rate=0.003",
    *TINY_PRIOR,
)
"""3 x 3 positions of 8 codes, which are moving averages and restarted."""
CATEGORICAL = (
    *CODES,
    "latent=categorical",
    "latent.codes=8",
    "latent.code_dim=3",
    "latent.temperature_steps=10",
    *TINY_PRIOR,
)
FSQ = (*CODES, "latent=fsq", "latent.levels=[4,3]", "latent.prior=uniform")


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def state(run: Path) -> dict[str, np.ndarray]:
    with np.load(run / "checkpoints" / "training_state.npz") as file:
        return {name: file[name] for name in file.files if name != "progress"}


def assert_equal_runs(one: Path, other: Path) -> None:
    """Bitwise equal weights, optimizer, metrics and best weights."""
    first, second = state(one), state(other)
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    timing = ("seconds", "images_per_second")
    strip = [
        [{k: v for k, v in row.items() if k not in timing} for row in rows(run)]
        for run in (one, other)
    ]
    assert strip[0] == strip[1]
    tests = [json.loads((r / "metrics.json").read_text())["test"] for r in (one, other)]
    assert tests[0] == tests[1]
