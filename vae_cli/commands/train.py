"""`vae-train`: train a variational autoencoder, or continue to train one."""

import logging
import shlex
from typing import NoReturn

from vae_cli.commands._main import run_command
from vae_cli.commands.sweep.command import sweep
from vae_cli.config.train import TrainConfig
from vae_cli.plugins import plugin_words
from vae_cli.training.stop import listening
from vae_cli.workers import follow_launcher

log = logging.getLogger(__name__)


def main() -> NoReturn:
    """Entry point of `vae-train`."""
    run_command("train", train_command, sweep)


def train_command(config: TrainConfig, overrides: list[str]) -> None:
    """Start or resume a run; prints its folder."""
    from vae_cli.training.session import train

    with listening() as stop:
        follow_launcher(lambda: stop.received)
        folder = train(config, overrides, stop, own_process=True)
    if folder:
        print(folder)
        named = f"{plugin_words()}run={shlex.quote(str(folder))}"
        log.info("next: vae-generate %s", named)
        log.info("      vae-evaluate %s", named)
