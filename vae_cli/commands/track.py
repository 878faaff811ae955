"""`vae-track`: send a run to a tracker."""

import logging
from typing import NoReturn

from vae_cli.commands._main import run_command
from vae_cli.config.track import TrackConfig
from vae_cli.errors import RunError
from vae_cli.runs.find import open_run
from vae_cli.training.trackers.known import remember
from vae_cli.training.trackers.sending import send

log = logging.getLogger("vae_cli")


def main() -> NoReturn:
    """Entry point of `vae-track`."""
    run_command("track", track)


def track(config: TrackConfig, overrides: list[str]) -> None:
    """Send whatever a run's record lacks; prints how to view the record."""
    folder = open_run(config.run, config.output_root)
    tracker = config.tracker or folder.load_config().tracker
    if config.tracker:
        remember(config.tracker.address)
    if not tracker.keeps_record:
        raise RunError(
            f"tracker={tracker.name} keeps no record outside the run folder.",
            "choose one that does: tracker=mlflow or tracker=wandb",
        )
    with folder.locked():
        print(send(folder, tracker))
