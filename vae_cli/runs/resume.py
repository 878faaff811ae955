"""Which run to go on with, and whether it may."""

from pathlib import Path
from typing import Any

from vae_cli.config.schema import TrainConfig
from vae_cli.errors import RunError, UsageError, VaeCliError
from vae_cli.runs.folder import RunFolder, find_runs, open_run

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
    folder = _resumable(str(config.resume), config.output_root, longer)
    saved = folder.load_config()
    if longer:
        if config.epochs < saved.epochs:
            raise UsageError(
                f"epochs={config.epochs} is less than the run's {saved.epochs}; only a "
                "larger number can be given."
            )
        saved.epochs = config.epochs
    elif _finished(folder):
        raise UsageError(
            f"{folder} is finished: its {saved.epochs} epochs are done.",
            f"to train on: vae-train resume={folder} epochs={saved.epochs * 2}",
        )
    return folder, saved


def check_same_data(folder: RunFolder, fingerprint: dict[str, Any]) -> None:
    """Refuse to go on with other images than the run began with.

    Raises:
        RunError: sizes or digests differ.
    """
    if not folder.data_file.exists():
        return
    saved = folder.read_json(folder.data_file).get("fingerprint")
    if saved != fingerprint:
        raise RunError(
            f"{folder} can't go on: its data have changed since it started.",
            f"then: {saved}",
            f"now:  {fingerprint}",
        )


def _resumable(resume: str, output_root: str, longer: bool) -> RunFolder:
    """Find the run to continue; `latest` passes over finished ones."""
    if resume != "latest" or longer:
        return open_run(resume, output_root)
    runs = find_runs(Path(output_root))
    unfinished = [run for run in runs if not _finished(run)]
    if unfinished:
        return unfinished[-1]
    if runs:
        raise UsageError(
            f"resume=latest: every run below {output_root}/ is finished.",
            "to train one on: vae-train resume=<folder> epochs=<more>",
        )
    return open_run(resume, output_root)


def _finished(folder: RunFolder) -> bool:
    try:
        return bool(folder.status()["state"] == "finished")
    except (VaeCliError, KeyError):  # no status: cut short before the first one
        return False
