"""`vae-anomaly`: how unlike a run's training images others are."""

import logging
from typing import Any, NoReturn

from vae_cli.commands._main import run_command
from vae_cli.config.commands import AnomalyConfig
from vae_cli.errors import ConfigError, RunError
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.selection import open_runs

log = logging.getLogger(__name__)


def main() -> NoReturn:
    """Entry point of `vae-anomaly`."""
    run_command("anomaly", anomaly)


def anomaly(config: AnomalyConfig, overrides: list[str]) -> None:
    """Score one run's images, or those of several runs, and compare them."""
    folders = open_runs(config.run, config.output_root)
    for folder in folders:
        folder.load_config()  # told before all work
    several = len(folders) > 1
    if config.output and several:
        raise ConfigError(f"output={config.output} takes one run, got {len(folders)}.")
    from vae_cli.runtime import start_tensorflow

    start_tensorflow()
    reports = [_of_run(config, folder) for folder in folders]
    if several:
        from vae_cli.commands._anomalies import table_name
        from vae_cli.runs.anomaly_table import write_table

        try:
            files = write_table(folders, reports, table_name(config))
        except OSError as error:
            raise RunError(
                f"{error.filename or config.run} can't be written: "
                f"{error.strerror or error}."
            ) from error
        print(files[0].read_text(encoding="utf-8"))
        print(*files, sep="\n")


def _of_run(config: AnomalyConfig, folder: RunFolder) -> dict[str, Any]:
    from vae_cli.commands._anomalies import found_in_run

    try:
        report, files = found_in_run(config, folder)
    except OSError as error:
        raise RunError(
            f"{error.filename or folder} can't be written: {error.strerror or error}.",
            "choose another place: output=<folder>",
        ) from error
    print(*files, sep="\n")
    return report
