"""Which run to go on with, and whether it may."""

import logging
from pathlib import Path

from vae_cli.config.compose import FROM_FILE
from vae_cli.config.train import TrainConfig
from vae_cli.errors import RunError, UsageError, VaeCliError
from vae_cli.runs.files import check_name
from vae_cli.runs.find import find_runs, has_config, open_run
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.metrics_file import read_rows
from vae_cli.runs.reading import read_json

log = logging.getLogger(__name__)

ALLOWED = ("resume", "epochs", "output_root", "dataset.path")
"""Keys that may stand beside `resume=`."""


def resumed_config(
    config: TrainConfig, overrides: list[str]
) -> tuple[RunFolder, TrainConfig]:
    """Find the run that `resume=` names and return it with its own config.

    Args:
        config: as composed; `resume`, `epochs` and `output_root` are read.
        overrides: as typed; they say whether `epochs` was given.

    Raises:
        UsageError: there is another override.
        RunError: there is no such run, it can't be continued, there are fewer epochs,
            or nothing is left to train.
    """
    typed = [text for text in overrides if text != FROM_FILE]
    refused = [text for text in typed if text.split("=")[0] not in ALLOWED]
    if refused:
        raise UsageError(
            "resume= takes no other override than a larger epochs=, and dataset.path= "
            f"of a file that has moved; got: {' '.join(refused)}",
            "the run goes on with its own config.yaml; to change something, start a "
            "new run",
        )
    longer = any(text.startswith("epochs=") for text in overrides)
    folder = resumable(str(config.resume), config.output_root, longer)
    saved = folder.load_config()
    check_files(folder)
    if longer:
        if config.epochs < saved.epochs:
            raise RunError(
                f"epochs={config.epochs} is less than the run's {saved.epochs}; only a "
                "larger number can be given."
            )
        if saved.learning_rate_schedule.spans_the_run:
            log.warning(
                "the learning rate of %s stretches to %d epochs, so the rate jumps; "
                "the run will not equal one planned for %d from the start",
                saved.learning_rate_schedule.name,
                config.epochs,
                config.epochs,
            )
        saved.epochs = config.epochs
    elif _finished(folder):
        raise RunError(
            f"{folder} is finished.",
            f"to train on: vae-train resume={folder} epochs={saved.epochs * 2}",
        )
    if _stopped_early(folder, saved):
        raise RunError(
            f"{folder} has stopped early: {saved.early_stopping.patience} epochs "
            f"without a better val_{saved.objective.bound}.",
            "to train longer, start a new run with a larger early_stopping.patience=",
        )
    return folder, saved


def resumable(resume: str, output_root: str, longer: bool) -> RunFolder:
    """Find the run to continue; `latest` passes over finished ones."""
    if resume != "latest" or longer:
        return open_run(resume, output_root, usable=has_config)
    runs = find_runs(Path(output_root))
    for run in reversed(runs):
        if not _finished(run) and not run.in_use() and has_config(run):
            return run
    if runs:
        raise RunError(
            f"resume=latest: every run below {output_root}/ is finished or in use.",
            "to train one on: vae-train resume=<folder> epochs=<more>",
        )
    return open_run(resume, output_root)


def check_files(folder: RunFolder) -> None:
    """Refuse a run whose files can't be gone on with, before any is written.

    Raises:
        RunError: one can't be read, or stands where a folder must be.
    """
    check_name(folder.path)
    read_rows(folder.metrics_csv)
    if folder.environment_file.exists():
        advice = "put the file back as it was, or delete it, then resume"
        try:
            resumed = read_json(folder.environment_file).get("resumed", [])
        except RunError as error:
            raise RunError(*error.args, advice) from error
        if not isinstance(resumed, list):
            raise RunError(f"{folder.environment_file}: resumed is no list.", advice)
    written = (folder.status_file, folder.metrics_json, folder.log_file)
    given = (folder.data_file, folder.environment_file, folder.tracker_file)
    for file in (*written, *given):
        if file.exists() and not file.is_file():
            raise RunError(
                f"{file} must be a file, and is something else.",
                "move it away, then resume",
            )
    for place in (folder.path, folder.checkpoints):
        for entry in place.iterdir() if place.is_dir() else ():
            if entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
                raise RunError(
                    f"{entry} is a link, a pipe or a device; a run goes on in a folder "
                    "of its own files alone.",
                    "replace it by a copy of what it stands for, or delete it",
                )
    boards = [folder.tensorboard / name for name in ("train", "validation", "images")]
    own = (folder.checkpoints, folder.model, folder.figures, folder.tensorboard)
    for place in (*own, *boards):
        if place.exists() and not place.is_dir():
            raise RunError(
                f"{place} must be a folder, and is a file.",
                "move it away, then resume",
            )


def _stopped_early(folder: RunFolder, config: TrainConfig) -> bool:
    bound, patience = f"val_{config.objective.bound}", config.early_stopping.patience
    scores = [row.get(bound, 0.0) for row in read_rows(folder.metrics_csv)]
    waited = len(scores) - 1 - scores.index(min(scores)) if scores else 0
    return patience is not None and waited >= patience and _finished(folder)


def _finished(folder: RunFolder) -> bool:
    try:
        return bool(folder.status()["state"] == "finished")
    except (VaeCliError, KeyError):  # no status: cut short before the first one
        return False
