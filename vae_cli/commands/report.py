"""`vae-report`: write a run as one HTML page; without TensorFlow."""

import logging
from pathlib import Path
from typing import NoReturn

from vae_cli.commands._main import run_command
from vae_cli.config.report import ReportConfig
from vae_cli.runs.data import check_outputs
from vae_cli.runs.files import write_text
from vae_cli.runs.find import has_config, open_run
from vae_cli.runs.report import writing
from vae_cli.text import megabytes

log = logging.getLogger(__name__)


def main() -> NoReturn:
    """Entry point of `vae-report`."""
    run_command("report", report)


def report(config: ReportConfig, overrides: list[str]) -> None:
    """Write the page of one run; prints its file."""
    from vae_cli.report.page import report_page

    folder = open_run(config.run, config.output_root, has_config)
    output = Path(config.output or folder.path / "report.html")
    check_outputs(folder, folder.load_config(), output=config.output)
    page = report_page(folder)
    with writing(output, "choose another place: output=<file>"):
        output.parent.mkdir(parents=True, exist_ok=True)
        write_text(output, page)
    size = megabytes(output.stat().st_size / 2**20)
    log.info("one self-contained page of %s", size)
    print(output)
