"""The table of `vae runs`."""

import math
from typing import Any

from vae_cli.errors import PluginError, VaeCliError
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.metrics_file import read_rows
from vae_cli.text import printable

HEADER = (
    "state", "epochs", "dataset", "architecture", "z", "beta", "likelihood",
    "binarize", "best epoch", "val neg. ELBO", "test neg. ELBO", "run",
)  # fmt: skip
"""Bounds compare within a data set, a likelihood and a binarization."""


def runs_table(runs: list[RunFolder]) -> str:
    """Return one line a run, oldest first."""
    lines = [HEADER, *(tuple(map(printable, _line(run))) for run in runs)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER))]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _line(run: RunFolder) -> tuple[str, ...]:
    try:
        config, status = run.load_config(), run.status()
    except VaeCliError as error:
        state = "needs plugin" if isinstance(error, PluginError) else "unreadable"
        return (state, *[""] * (len(HEADER) - 2), str(run))
    best = _best_epoch(run, f"val_{config.objective.bound}")
    return (
        str(status["state"]),
        f"{status['epoch']}/{config.epochs}",
        _variant(run, "dataset", config.dataset.name),
        _variant(run, "architecture", config.architecture.name),
        str(config.latent_dim),
        f"{config.beta:g}",
        _variant(run, "likelihood", config.likelihood.name),
        config.dataset.binarize,
        _number(best.get("epoch"), ".0f"),
        _number(best.get("val_neg_elbo"), ".2f"),
        _number(_test_bound(run), ".2f"),
        str(run),
    )


def _variant(run: RunFolder, group: str, base: str) -> str:
    """Return the option that was typed, where the run has recorded it."""
    try:
        recorded = run.read_json(run.environment_file).get("variants")
    except VaeCliError:
        return base
    named = recorded.get(group) if isinstance(recorded, dict) else None
    return named if isinstance(named, str) else base


def _best_epoch(run: RunFolder, bound: str) -> dict[str, float]:
    try:
        rows = read_rows(run.metrics_csv)
    except VaeCliError:
        return {}
    measured = [row for row in rows if math.isfinite(row.get(bound, math.nan))]
    return min(measured, key=lambda row: row[bound], default={})


def _test_bound(run: RunFolder) -> Any:
    try:
        test = run.read_json(run.metrics_json).get("test")
    except VaeCliError:  # not finished, or damaged: no figure
        return None
    return test.get("neg_elbo") if isinstance(test, dict) else None


def _number(value: Any, form: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "-"
    return format(value, form if abs(value) < 1e6 else ".3g")
