"""`vae-anomaly`: anomaly scores of images."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from vae_cli.commands._main import run_command
from vae_cli.commands._run import options, suffix
from vae_cli.config.commands import AnomalyConfig
from vae_cli.config.run import SCORE
from vae_cli.data.given_files import own_name
from vae_cli.errors import ConfigError
from vae_cli.run import Run
from vae_cli.runs.files import write_json, write_text
from vae_cli.runs.report import csv_text, writing
from vae_cli.runs.selection import open_runs

if TYPE_CHECKING:
    from vae_cli.evaluation.anomaly_report import AnomalyReport

COMPUTED = (
    "normal", "score", "posterior_samples", "quantile", "num_images", "seed",
    "checkpoint",
)  # fmt: skip
"""Keys that change results: file names list those that aren't the defaults."""

log = logging.getLogger(__name__)


def main() -> NoReturn:
    """Entry point of `vae-anomaly`."""
    run_command("anomaly", anomaly)


def anomaly(config: AnomalyConfig, overrides: list[str]) -> None:
    """Score one run's images, or those of several runs, and compare them."""
    folders = open_runs(config.run, config.output_root)
    # all configs are read before any work
    runs = [Run(f, config.checkpoint, config.dataset.path) for f in folders]
    for run in runs:
        run.labels.check(config.label)
    if config.output and len(runs) > 1:
        raise ConfigError(f"output={config.output} takes one run, got {len(runs)}.")
    reports = [_score(config, run) for run in runs]
    if len(runs) > 1:
        from vae_cli.runs.anomaly_table import write_table

        images = own_name(config.images) if config.images else config.split
        name = (f"anomaly-{images}" if images else "anomaly") + _suffix(config)
        with writing(config.run):
            files = write_table(folders, [r.to_json() for r in reports], name)
        print(files[0].read_text(encoding="utf-8"))
        print(*files, sep="\n")


def _score(config: AnomalyConfig, run: Run) -> "AnomalyReport":
    """Score images by one run and write the report; prints the files."""
    report = run.anomaly_scores(config.images, **options(config, SCORE))
    for line in report.lines():
        log.info("%s", line)
    from vae_cli.visualize.files import save_figure

    output = Path(config.output or run.folder.path / "anomaly")
    stem = (own_name(config.images) if config.images else report.images) + _suffix(
        config
    )
    figures = run.plot_anomalies(report, config.columns)
    form = config.figure.format
    ends = (".json", ".csv", f".{form}", f"-images.{form}")
    files = [output / f"{stem}{end}" for end in ends]
    with writing(run.folder.path, "choose another place: output=<folder>"):
        output.mkdir(parents=True, exist_ok=True)
        write_json(files[0], report.to_json())
        write_text(files[1], csv_text(report.rows()))
        for figure, file in zip(figures, files[2:], strict=True):
            save_figure(figure, file)
    print(*files, sep="\n")
    return report


def _suffix(config: AnomalyConfig) -> str:
    return suffix("anomaly", config, COMPUTED)
