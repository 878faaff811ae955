"""Options of `vae-track`."""

from dataclasses import dataclass

from vae_cli.config.option import option
from vae_cli.config.tracker import TrackerOptions


@dataclass
class TrackConfig:
    """`vae-track`: send existing runs to a tracker."""

    run: str = option("run folders, a sweep's folder, or latest; several with commas")
    output_root: str = option("where `latest` looks")
    tracker: TrackerOptions | None = option(
        "where to record the run; null: the tracker it was trained with"
    )
