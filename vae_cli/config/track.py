"""Options of `vae-track`."""

from dataclasses import dataclass

from vae_cli.config.option import option
from vae_cli.config.tracker import TrackerConfig


@dataclass
class TrackConfig:
    """`vae-track`: send a run to a tracker, now."""

    run: str = option("run folder, or latest")
    output_root: str = option("where `latest` looks")
    tracker: TrackerConfig | None = option(
        "where the run is recorded; if null what it was trained with"
    )
