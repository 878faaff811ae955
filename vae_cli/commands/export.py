"""`vae-export`: export the networks of a run for other runtimes."""

from typing import NoReturn

from vae_cli.commands._main import run_command
from vae_cli.commands._run import opened, options
from vae_cli.config.export import EXPORT, ExportConfig
from vae_cli.progress import fraction_bar


def main() -> NoReturn:
    """Entry point of `vae-export`."""
    run_command("export", export)


def export(config: ExportConfig, overrides: list[str]) -> None:
    """Export a run and compare each file with it; prints the files."""
    run = opened(config)
    with fraction_bar(f"exporting, {run.name}") as progress:
        report = run.export(config.output, **options(config, EXPORT), progress=progress)
    for file in report.files:
        print(report.folder / file.file)
    for name in ("report.json", "README.md"):
        print(report.folder / name)
