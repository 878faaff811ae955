"""The jobs of a sweep, best first."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from vae_cli.config.train import TrainConfig
from vae_cli.errors import VaeCliError
from vae_cli.runs.find import find_runs
from vae_cli.runs.folder import RunFolder

MAX_LINES = 20
"""Jobs in a ranking."""
FREE = ("scale", "learn_std", "memory_mb", "channels_first", "channels")
"""Keys in which jobs with comparable bounds may differ."""


def ranking(folder: Path) -> list[str]:
    """Return a line for each job, by its best bound, and what to type next.

    Bounds of different objectives, data, likelihoods, conditions or corruptions are not
    comparable: such jobs are ranked apart.
    """
    ranked: dict[str, list[tuple[float, str]]] = {}
    for run in find_runs(folder):
        bound, value = comparable(run)
        if value is not None:
            ranked.setdefault(bound, []).append((value, run.path.name))
    lines = []
    for bound, jobs in ranked.items():
        lines.append(f"best {bound}, nats per image:")
        lines += [
            f"  {value:10.2f}  {name}" for value, name in sorted(jobs)[:MAX_LINES]
        ]
        if len(jobs) > MAX_LINES:
            lines.append(f"  and {len(jobs) - MAX_LINES} more")
    if len(ranked) > 1:
        lines.append("figures of different lists are not comparable")
    return [*lines, f"next: vae-evaluate run={folder}"]


def _words(part: Any) -> str:
    """Return an option's name and its keys, but those that may differ."""
    values = asdict(part)
    name = values.pop("name")
    if name == "none":
        return ""
    own = [
        f"{k}={v}"
        for k, v in values.items()
        if k not in FREE and v not in (None, "none", "auto", [])
    ]
    return " ".join([name, *own])


def comparable(run: RunFolder) -> tuple[str, float | None]:
    """Return what a run's bound is, and its best value if there is one."""
    try:
        config = run.load_config()
        values = run.read_json(run.metrics_json)
    except VaeCliError:
        return "", None
    value = values.get(f"best_{config.objective.bound}")
    kind = kind_of(config)
    return kind, float(value) if isinstance(value, (int, float)) else None


def kind_of(config: TrainConfig) -> str:
    """Return which bound a run has, on which data; equal kinds are comparable."""
    split = "training" if config.dataset.validation_size == 0 else "validation"
    parts = (config.dataset, config.likelihood, config.conditioning, config.corruption)
    words = [_words(part) for part in parts]
    return f"{split} {config.objective.bound} ({', '.join(filter(None, words))})"
