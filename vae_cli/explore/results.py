"""Results in a run folder: losses, figures, evaluations, the state of training."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vae_cli.errors import RunError, VaeCliError
from vae_cli.runs.evaluations import ROWS, with_error
from vae_cli.runs.metrics_file import read_rows
from vae_cli.runs.opened import OpenRun
from vae_cli.text import printable

LOSSES = (
    ("loss", "loss, training"),
    ("neg_elbo", "neg. ELBO, training"),
    ("val_neg_elbo", "neg. ELBO, validation"),
)
"""Column of metrics.csv, and its name on the page."""
FIGURES = ("figures", "samples", "evaluation", "reconstructions", "anomaly")
"""Folders of a run whose figures are shown."""
SHOWN = (".png", ".svg")
"""Suffixes of figures that a browser shows inside a page."""
MAX_FIGURES = 60


@dataclass(frozen=True)
class Table:
    """Named values with units.

    Attributes:
        title: heading.
        rows: name, value and unit of each.
    """

    title: str
    rows: list[tuple[str, str, str]]


def training_notice(run: OpenRun) -> str | None:
    """Return a sentence about an unfinished run; None for a finished one.

    Raises:
        RunError: the run is still training and has no weights yet.
    """
    status = run.folder.status()
    if status["state"] == "finished":
        return None
    epochs = f"{status['epoch']} of {run.config.epochs} epochs"
    if status["state"] != "running":
        return f"{run.folder} is {status['state']} after {epochs}."
    file = run.folder.checkpoints / f"{run.checkpoint}.weights.h5"
    if not file.is_file():
        raise RunError(
            f"run={run.folder} is still training ({epochs}), and has no "
            f"{run.checkpoint} weights yet.",
            "wait for its first epoch, then repeat the command",
        )
    return (
        f"{run.folder} is still training ({epochs}): this is its {run.checkpoint} "
        "checkpoint so far. Restart vae-explore to see a later one."
    )


def losses(run: OpenRun) -> dict[str, list[tuple[float, float]]]:
    """Return the curves of a run: name -> (epoch, nats per image) of each epoch.

    With beta=1, the loss of many runs is the negative ELBO, and is left out.
    """
    try:
        rows = read_rows(run.folder.metrics_csv)
    except VaeCliError:
        return {}
    curves = {
        name: [(row["epoch"], row[key]) for row in rows if key in row]
        for key, name in LOSSES
    }
    loss, neg_elbo = (curves[name] for _, name in LOSSES[:2])
    if len(loss) == len(neg_elbo) and np.allclose(loss, neg_elbo, rtol=1e-6):
        del curves[LOSSES[0][1]]
    return {name: points for name, points in curves.items() if points}


def evaluations(run: OpenRun) -> list[Table]:
    """Return the results of training and of `vae-evaluate`, one table per split."""
    found = []
    files = {"Test at the end of training": run.folder.metrics_json}
    for split in ("test", "validation", "train"):
        files[f"vae-evaluate split={split}"] = run.folder.evaluation / f"{split}.json"
    for title, file in files.items():
        if not file.is_file():
            continue
        try:
            report = run.folder.read_json(file)
            values = report.get("test") if file == run.folder.metrics_json else report
            rows = [
                (name, with_error(values, key), unit)
                for key, name, unit in ROWS
                if isinstance(values, dict)
                and isinstance(values.get(key), (int, float))
            ]
        except (VaeCliError, ValueError, TypeError, KeyError):
            continue  # half-written, or not ours
        if rows:
            found.append(Table(title, rows))
    return found


def figures(run: OpenRun) -> dict[str, Path]:
    """Return the PNG and SVG figures of a run: path in its folder -> file."""
    return dict(list(_files(run, SHOWN).items())[:MAX_FIGURES])


def pdf_figures(run: OpenRun) -> list[str]:
    """Return the paths of PDF figures in a run's folder."""
    return list(_files(run, (".pdf",)))


def _files(run: OpenRun, suffixes: tuple[str, ...]) -> dict[str, Path]:
    return {
        f"{name}/{printable(file.name)}": file
        for name in FIGURES
        for file in sorted((run.folder.path / name).glob("*"))
        if file.suffix in suffixes and file.is_file() and not file.is_symlink()
    }


def facts(run: OpenRun) -> list[tuple[str, str]]:
    """Return the main options of a run: name and value of each."""
    config = run.config
    return [
        ("folder", str(run.folder)),
        ("data", config.dataset.name),
        ("architecture", config.architecture.name),
        ("latent dimensions", str(config.latent_dim)),
        ("likelihood", config.likelihood.name),
        ("latent", config.latent.name),
        ("posterior", config.posterior.name),
        ("prior", config.prior.name),
        ("hierarchy", config.hierarchy.name),
        ("conditioning", config.conditioning.name),
        ("objective", f"{config.objective.name}, beta {config.beta:g}"),
        ("checkpoint", run.checkpoint),
    ]
