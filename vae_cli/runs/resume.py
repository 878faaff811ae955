"""Which run to go on with, and whether it may."""

import logging
from pathlib import Path

from vae_cli.config.schema import TrainConfig
from vae_cli.errors import UsageError, VaeCliError
from vae_cli.runs.folder import RunFolder, find_runs, open_run
from vae_cli.runs.metrics_file import read_rows

log = logging.getLogger(__name__)

ALLOWED = ("resume", "epochs", "output_root")
"""Keys that may stand beside `resume=`."""


def resumed_config(
    config: TrainConfig, overrides: list[str]
) -> tuple[RunFolder, TrainConfig]:
    """Find the run that `resume=` names and return it with its own config.

    Args:
        config: as composed; `resume`, `epochs` and `output_root` are read.
        overrides: as typed; tells whether `epochs` was given.

    Raises:
        UsageError: another override, fewer epochs, or nothing left to train.
        RunError: there is no such run.
    """
    refused = [text for text in overrides if text.split("=")[0] not in ALLOWED]
    if refused:
        raise UsageError(
            "resume= takes no other override than a larger epochs=, got: "
            f"{' '.join(refused)}",
            "the run goes on with its own config.yaml; to change something, start a "
            "new run",
        )
    longer = any(text.startswith("epochs=") for text in overrides)
    folder = resumable(str(config.resume), config.output_root, longer)
    saved = folder.load_config()
    if longer:
        if config.epochs < saved.epochs:
            raise UsageError(
                f"epochs={config.epochs} is less than the run's {saved.epochs}; only a "
                "larger number can be given."
            )
        if saved.learning_rate_schedule.name == "cosine":
            log.warning(
                "the cosine learning rate stretches to %d epochs, so the rate jumps; "
                "the run will not equal one planned for %d from the start",
                config.epochs,
                config.epochs,
            )
        saved.epochs = config.epochs
    elif _finished(folder):
        raise UsageError(
            f"{folder} is finished.",
            f"to train on: vae-train resume={folder} epochs={saved.epochs * 2}",
        )
    if _stopped_early(folder, saved):
        raise UsageError(
            f"{folder} has stopped early: {saved.early_stopping} epochs without a "
            f"better val_{saved.objective.bound}.",
            "to train longer, start a new run with a larger early_stopping=",
        )
    return folder, saved


def resumable(resume: str, output_root: str, longer: bool) -> RunFolder:
    """Find the run to continue; `latest` passes over finished ones."""
    if resume != "latest" or longer:
        return open_run(resume, output_root)
    runs = find_runs(Path(output_root))
    unfinished = [run for run in runs if not _finished(run) and not run.in_use()]
    if unfinished:
        return unfinished[-1]
    if runs:
        raise UsageError(
            f"resume=latest: every run below {output_root}/ is finished or in use.",
            "to train one on: vae-train resume=<folder> epochs=<more>",
        )
    return open_run(resume, output_root)


def _stopped_early(folder: RunFolder, config: TrainConfig) -> bool:
    bound, patience = f"val_{config.objective.bound}", config.early_stopping
    scores = [row.get(bound, 0.0) for row in read_rows(folder.metrics_csv)]
    waited = len(scores) - 1 - scores.index(min(scores)) if scores else 0
    return patience is not None and waited >= patience and _finished(folder)


def _finished(folder: RunFolder) -> bool:
    try:
        return bool(folder.status()["state"] == "finished")
    except (VaeCliError, KeyError):  # no status: cut short before the first one
        return False
