"""`vae-track`: send runs to a tracker."""

import logging
from typing import NoReturn

from vae_cli.commands._main import run_command
from vae_cli.config.track import TrackConfig
from vae_cli.errors import RunError
from vae_cli.runs.selection import open_runs
from vae_cli.runs.sweep_folder import RECORD
from vae_cli.training.trackers.known import remember
from vae_cli.training.trackers.sending import send

log = logging.getLogger("vae_cli")


def main() -> NoReturn:
    """Entry point of `vae-track`."""
    run_command("track", track)


def track(config: TrackConfig, overrides: list[str]) -> None:
    """Send whatever the records of runs lack; prints how to view each record."""
    if config.tracker:
        remember(config.tracker.address)
    sent = []
    for folder in open_runs(config.run, config.output_root):
        tracker = config.tracker or folder.load_config().tracker
        if not tracker.keeps_record:
            raise RunError(
                f"{folder}: tracker={tracker.name} keeps no record outside the run "
                "folder.",
                "choose one that does: tracker=mlflow or tracker=wandb",
            )
        sweep = folder.path.absolute().parent
        if (sweep / RECORD).is_file():  # as training itself groups the jobs
            tracker = tracker.in_sweep(sweep)
        sent.append((folder, tracker))
    for folder, tracker in sent:
        with folder.locked():
            print(send(folder, tracker), flush=True)
