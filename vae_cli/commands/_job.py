"""One job of a sweep: trains the config that comes on standard input."""

import json
import sys

from vae_cli.commands._main import run_guarded, set_up_logging
from vae_cli.commands.train import train_command
from vae_cli.config.load import load
from vae_cli.config.train import TrainConfig
from vae_cli.plugins import load_plugins


def main() -> int:
    """Train one job; returns the exit status."""
    set_up_logging()
    load_plugins()
    job = json.load(sys.stdin)
    sys.argv = job["argv"]  # the run records how it was made
    train_command(load(TrainConfig, job["config"]), [])
    return 0


if __name__ == "__main__":
    run_guarded(main)
