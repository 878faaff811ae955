"""The jobs of a sweep, best first."""

from pathlib import Path

from vae_cli.errors import VaeCliError
from vae_cli.runs.folder import RunFolder, find_runs

MOST_LINES = 20
"""Jobs in a ranking."""


def ranking(folder: Path) -> list[str]:
    """Return a line for each job, by its best bound, and what to type next.

    Bounds of different objectives, likelihoods or binarizations don't compare: such
    jobs are ranked apart.
    """
    ranked: dict[str, list[tuple[float, str]]] = {}
    for run in find_runs(folder):
        bound, value = _best(run)
        if value is not None:
            ranked.setdefault(bound, []).append((value, run.path.name))
    lines = []
    for bound, jobs in ranked.items():
        lines.append(f"best {bound}, nats per image:")
        lines += [
            f"  {value:10.2f}  {name}" for value, name in sorted(jobs)[:MOST_LINES]
        ]
        if len(jobs) > MOST_LINES:
            lines.append(f"  and {len(jobs) - MOST_LINES} more")
    if len(ranked) > 1:
        lines.append("figures of different lists don't compare")
    return [*lines, f"next: vae-evaluate run={folder}"]


def _best(run: RunFolder) -> tuple[str, float | None]:
    """Return what a run's bound is, and its best value if there is one."""
    try:
        config = run.load_config()
        values = run.read_json(run.metrics_json)
    except VaeCliError:
        return "", None
    value = values.get(f"best_{config.objective.bound}")
    split = "validation" if config.dataset.validation_size else "training"
    kind = f"{split} {config.objective.bound} ({config.likelihood.name}, binarize "
    kind += f"{config.dataset.binarize}, {config.dataset.name})"
    return kind, float(value) if isinstance(value, (int, float)) else None
