"""One job of a sweep: trains the config that comes on standard input."""

import json
import sys
import traceback
from pathlib import Path

from vae_cli.commands._main import run_guarded, set_up_logging
from vae_cli.commands.train import train_command
from vae_cli.config.load import load
from vae_cli.config.train import TrainConfig
from vae_cli.errors import Interrupted, VaeCliError
from vae_cli.plugins import load_plugins
from vae_cli.runs.sweep_folder import SweepFolder, write_error
from vae_cli.training.stop import listening
from vae_cli.workers import follow


def main() -> int:
    """Train one job; returns the exit status."""
    set_up_logging()
    job = json.load(sys.stdin)
    sys.argv = job["argv"]  # the run records how it was made
    with listening() as stop:
        if job["follows"]:
            sweep = SweepFolder(Path(job["sweep"]))
            follow(sweep.goes_on, lambda: stop.received)
    try:
        load_plugins()
        train_command(load(TrainConfig, job["config"]), [])
    except Interrupted:
        raise
    except Exception as error:
        ours = isinstance(error, VaeCliError)
        folder = job["config"]["resume"] or job["config"]["run_dir"]
        write_error(Path(folder), str(error) if ours else traceback.format_exc())
        raise
    return 0


if __name__ == "__main__":
    run_guarded(main)
