"""`vae-inspect`: what `vae-train` would do, before it does it."""

from pathlib import Path
from typing import NoReturn

from vae_cli.commands._main import run_command
from vae_cli.config.inspect import InspectConfig
from vae_cli.errors import DataError
from vae_cli.inspection import inspect_config
from vae_cli.runs.inspections import FOLDER, as_text, checked_output, write_inspection


def main() -> NoReturn:
    """Entry point of `vae-inspect`."""
    run_command("inspect", inspect_command)


def inspect_command(config: InspectConfig, overrides: list[str]) -> None:
    """Print a report of what training would do and write it; prints the files."""
    folder = checked_output(config)
    inspection = inspect_config(config, overrides, own_process=True, progress=True)
    if inspection.run and config.output is None:
        folder = Path(inspection.run) / FOLDER
    files = write_inspection(inspection, folder, config.num_images, config.dataset.seed)
    print(as_text(inspection))
    print(*files, sep="\n")
    if inspection.refused:  # as vae-train would end
        raise DataError(*inspection.refused)
