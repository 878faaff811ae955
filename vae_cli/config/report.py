"""Options of `vae-report`."""

from dataclasses import dataclass
from pathlib import PurePath

from vae_cli.config.option import option

SUFFIXES = (".html", ".htm")


@dataclass
class ReportConfig:
    """`vae-report`: write a run as one self-contained HTML page."""

    run: str = option("run folder, or latest")
    output_root: str = option("where `latest` looks")
    output: str | None = option(
        "HTML file to write; report.html in the run's folder if null"
    )

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        if self.output is None or PurePath(self.output).suffix.lower() in SUFFIXES:
            return []
        return [f"output={self.output} must end in {SUFFIXES[0]}"]
