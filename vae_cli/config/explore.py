"""Options of `vae-explore`."""

from dataclasses import dataclass

from vae_cli.config.dataset import MAX_SEED
from vae_cli.config.option import option
from vae_cli.config.run import SPLIT, SPLITS, RunConfig


@dataclass
class ExploreConfig(RunConfig):
    """`vae-explore`: explore a run on a page in the browser."""

    run: str = option("run folder, or latest; two, separated by a comma: side by side")
    split: str | None = option(SPLIT, choices=SPLITS)
    num_points: int = option(
        "at most this many images in the scatter", at_least=1, at_most=50_000
    )
    seed: int = option(
        "which images, if num_points is smaller than the split",
        at_least=0,
        at_most=MAX_SEED,
    )
    host: str = option(
        "address to listen on; 127.0.0.1: only this machine; 0.0.0.0: every machine "
        "that can reach it"
    )
    port: int = option("port to listen on", at_least=1, at_most=65535)
    open_browser: bool = option("open the page in the default browser")
