"""Options of `vae-track`."""

from dataclasses import dataclass

from vae_cli.config.option import option
from vae_cli.config.tracker import TrackerConfig


@dataclass
class TrackConfig:
    """`vae-track`: send an existing run to a tracker."""

    run: str = option("run folder, or latest")
    output_root: str = option("where `latest` looks")
    tracker: TrackerConfig | None = option(
        "where to record the run; null: the tracker it was trained with"
    )
