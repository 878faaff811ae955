"""The table of `vae runs`."""

import contextlib
from typing import Any

from vae_cli.errors import VaeCliError
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.metrics_file import read_rows

HEADER = (
    "state", "epochs", "dataset", "architecture", "z", "beta", "best epoch",
    "val -ELBO", "test -ELBO", "run",
)  # fmt: skip


def runs_table(runs: list[RunFolder]) -> str:
    """Return one line a run, oldest first."""
    lines = [HEADER, *(_line(run) for run in runs)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER))]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _line(run: RunFolder) -> tuple[str, ...]:
    try:
        config, status = run.load_config(), run.status()
    except VaeCliError:
        return ("unreadable", *[""] * (len(HEADER) - 2), str(run))
    rows = read_rows(run.metrics_csv)
    bound = f"val_{config.objective.bound}"
    scored = [row for row in rows if bound in row]
    best = min(scored, key=lambda row: row[bound], default={})
    test: dict[str, Any] = {}
    # not finished, or damaged: no figure
    with contextlib.suppress(VaeCliError, TypeError, ValueError):
        test = dict(run.read_json(run.metrics_json).get("test") or {})
        float(test.get("neg_elbo", 0))
    return (
        str(status["state"]),
        f"{status['epoch']}/{config.epochs}",
        config.dataset.name,
        config.architecture.name,
        str(config.latent_dim),
        f"{config.beta:g}",
        _number(best.get("epoch"), "d"),
        _number(best.get("val_neg_elbo"), ".2f"),
        _number(test.get("neg_elbo"), ".2f"),
        str(run),
    )


def _number(value: Any, form: str) -> str:
    if value is None:
        return "-"
    return format(int(value) if form == "d" else float(value), form)
