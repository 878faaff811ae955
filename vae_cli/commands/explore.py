"""`vae-explore`: explore a run on a page in the browser."""

import logging
from importlib.util import find_spec
from typing import NoReturn

from vae_cli.commands._main import run_command
from vae_cli.config.explore import ExploreConfig
from vae_cli.errors import ConfigError
from vae_cli.run import Run
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.selection import open_runs
from vae_cli.runtime import start_tensorflow

MOST = 2
"""Runs side by side."""

log = logging.getLogger(__name__)


def main() -> NoReturn:
    """Entry point of `vae-explore`."""
    run_command("explore", explore)


def explore(config: ExploreConfig, overrides: list[str]) -> None:
    """Serve the page until Ctrl-C; prints its address."""
    folders = _one_or_two(config)
    runs = [Run(folder, config.checkpoint, config.dataset.path) for folder in folders]
    for run in runs:
        run.refuse_discrete("vae-explore")
    from vae_cli.explore.ports import listening_socket
    from vae_cli.explore.results import training_notice

    notices = [notice for run in runs if (notice := training_notice(run))]
    for notice in notices:
        log.warning("%s", notice)
    with listening_socket(config.host, config.port) as own:
        log.info("opening %s ...", " and ".join(str(run.folder) for run in runs))
        start_tensorflow()
        from vae_cli.explore.explorer import Explorer
        from vae_cli.explore.server import serve

        shown = config.split, config.num_points, config.seed
        explorers = [Explorer(run, *shown) for run in runs]
        for explorer in explorers:
            explorer.warm_up()
        serve(explorers, notices, own, config.host, config.open_browser)


def _one_or_two(config: ExploreConfig) -> list[RunFolder]:
    """Return the folders of the runs.

    Raises:
        ConfigError: NiceGUI is missing, or there are more runs than the page shows.
    """
    if find_spec("nicegui") is None:
        raise ConfigError(
            "vae-explore needs NiceGUI, which is not installed.",
            "install it: pip install 'vae-cli[explore]'",
        )
    folders = open_runs(config.run, config.output_root)
    if len(folders) > MOST:
        raise ConfigError(
            f"run={config.run} names {len(folders)} runs; the page shows one or two.",
            f"run={folders[0]},{folders[1]}",
        )
    return folders
