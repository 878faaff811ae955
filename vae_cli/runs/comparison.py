"""Several evaluated runs side by side: mean and deviation over seeds."""

import json
import logging
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vae_cli.config.train import NOT_TRAINING, TrainConfig
from vae_cli.runs.files import write_text
from vae_cli.runs.measures import ROWS
from vae_cli.runs.report import csv_text, markdown_table, writing
from vae_cli.runs.selection import common_folder
from vae_cli.text import printable

log = logging.getLogger(__name__)

PROTOCOL = (
    "split", "num_images", "dataset", "binarization", "likelihood", "estimator",
    "importance_samples", "checkpoint", "corruption", "pixels", "samples_are",
    "probes_of", "samples_from", "features_of",
)  # fmt: skip
"""What a row must be quoted with."""
COMPARED = (
    "split", "num_images", "dataset", "images_sha256", "binarization",
    "dequantization", "likelihood", "corruption", "corruption_options", "pixels",
    "conditioning", "classes", "draw_seed", "features_of",
)  # fmt: skip
"""What rows must have in common for their figures to be compared."""
NOT_SETTINGS = (*NOT_TRAINING, "seed", "deterministic")
"""Keys of a config in which runs of one group may differ."""


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seed alone.

    Attributes:
        settings: those in which groups differ, key -> value.
        config: of one of the runs.
        runs: their folders.
        reports: their evaluations.
    """

    settings: dict[str, Any]
    config: TrainConfig
    runs: list[str]
    reports: list[dict[str, Any]]

    def mean(self, measure: str) -> float | None:
        """Return the mean over runs, None where one has no such figure."""
        values = [report.get(measure) for report in self.reports]
        if any(value is None for value in values):
            return None
        return statistics.fmean(values)  # type: ignore[arg-type]

    def error(self, measure: str) -> float | None:
        """Return the standard error over images, where there is a single run."""
        if len(self.reports) > 1:
            return None
        return self.reports[0].get(f"{measure}_se")

    def protocol(self, key: str) -> Any:
        """Return how the runs were evaluated, in one respect."""
        report = self.reports[0]
        return report.get(key, report.get("protocol", {}).get(key))

    def deviation(self, measure: str) -> float | None:
        """Return the standard deviation over runs, None for a single one."""
        if len(self.reports) < 2 or self.mean(measure) is None:
            return None
        return statistics.stdev(report[measure] for report in self.reports)


def group_runs(
    runs: list[str], configs: list[TrainConfig], reports: list[dict[str, Any]]
) -> list[Group]:
    """Put runs together that differ in their seed alone, in the order they come."""
    flat = [
        _flat({k: v for k, v in asdict(config).items() if k not in NOT_SETTINGS})
        for config in configs
    ]
    keys = dict.fromkeys(key for settings in flat for key in settings)
    varying = [key for key in keys if _varies(key, flat)]
    groups: dict[str, Group] = {}
    for run, config, settings, report in zip(runs, configs, flat, reports, strict=True):
        own = {
            key.removesuffix(".name"): settings[key]
            for key in varying
            if key in settings
        }
        identity = json.dumps(settings, sort_keys=True)
        group = groups.setdefault(identity, Group(own, config, [], []))
        group.runs.append(run)
        group.reports.append(report)
    return list(groups.values())


def write_comparison(
    runs: list[str],
    configs: list[TrainConfig],
    reports: list[dict[str, Any]],
    split: str,
    output: str | None,
) -> list[Path]:
    """Write the table as Markdown and CSV, and a figure where beta varies.

    Args:
        runs: folders.
        configs: their configs.
        reports: their evaluations.
        split: names the files.
        output: folder to write to; `evaluation/` in the runs' common folder if None.

    Returns:
        the files.
    """
    digests = [report.get("protocol", {}).get("weights_sha256") for report in reports]
    twice = {d for d in digests if d is not None and digests.count(d) > 1}
    for run, digest in zip(runs, digests, strict=True):
        if digest in twice:
            log.warning(
                "%s has the same weights as another run: it adds no independent result",
                run,
            )
    common = common_folder([Path(run) for run in runs])
    folder = Path(output) if output else common / "evaluation"
    groups = group_runs(runs, configs, reports)
    if mixed := mixed_protocols(reports):
        log.warning("%s", mixed)
    table, values = folder / f"{split}.md", folder / f"{split}.csv"
    written = [table, values]
    with writing(folder, "choose another folder: output=<folder>"):
        folder.mkdir(parents=True, exist_ok=True)
        write_text(table, markdown(groups))
        write_text(values, csv_text(csv_rows(groups)))
        if len({group.config.beta for group in groups}) > 1:
            from vae_cli.visualize.evaluation_plots import plot_rate_distortion
            from vae_cli.visualize.files import figure_path, save_figure

            curve = plot_rate_distortion(
                [group.mean("kl_loss") or 0.0 for group in groups],
                [group.mean("reconstruction_loss") or 0.0 for group in groups],
                [group.config.beta for group in groups],
                [_curve(group) for group in groups],
            )
            written.append(figure_path(folder / f"{split}-rate-distortion"))
            save_figure(curve, written[-1])
    return written


def mixed_protocols(reports: list[dict[str, Any]]) -> str:
    """Return in what respects reports can't be compared; empty where they can."""
    differences = []
    for key in COMPARED:
        values = [r.get(key, r.get("protocol", {}).get(key)) for r in reports]
        different = list(dict.fromkeys(map(_text, values)))
        if len(different) > 1:
            named = key != "images_sha256"
            differences.append(f"{key} ({', '.join(different)})" if named else "images")
    if not differences:
        return ""
    listed = ", ".join(differences)
    return f"These figures are not comparable: the runs differ in {listed}."


def markdown(groups: list[Group]) -> str:
    """Return the groups as a Markdown table, below the protocol of the figures."""
    measures, settings = _measured(groups), _settings(groups)
    header = ["run", *settings, *measures]
    how = {key: [_text(group.protocol(key)) for group in groups] for key in PROTOCOL}
    shown = [
        f"{k} {', '.join(dict.fromkeys(text or 'none' for text in v))}"
        for k, v in how.items()
        if any(v)
    ]
    mixed = mixed_protocols([report for group in groups for report in group.reports])
    lines = [
        printable("; ".join(shown)),
        "",
        *([f"**{printable(mixed)}**", ""] if mixed else []),
        *_legend(groups, measures),
    ]
    rows = []
    for group in groups:
        several = len(group.runs) > 1
        cells = [f"{len(group.runs)} runs" if several else Path(group.runs[0]).name]
        cells += [_text(group.settings.get(key)) for key in settings]
        for measure in measures:
            mean, deviation = group.mean(measure), group.deviation(measure)
            cell = "-" if mean is None else _number(mean)
            error = group.error(measure)
            cell += "" if deviation is None else f" +- {deviation:.2g}"
            cells.append(cell + ("" if error is None else f" ({error:.2g})"))
        rows.append(cells)
    return "\n".join([*lines, *markdown_table(header, rows)]) + "\n"


def csv_rows(groups: list[Group]) -> list[list[Any]]:
    """Return a header and a row for each group, `<measure>_sd` beside each mean."""
    measures, settings = _measured(groups), _settings(groups)
    columns = [name for m in measures for name in (m, f"{m}_sd")]
    columns += PROTOCOL
    rows: list[list[Any]] = [[*settings, "runs", *columns, "folders"]]
    for group in groups:
        values = [v for m in measures for v in (group.mean(m), group.deviation(m))]
        values += [group.protocol(key) for key in PROTOCOL]
        own = [_text(group.settings.get(key)) for key in settings]
        rows.append([*own, len(group.runs), *values, " ".join(group.runs)])
    return rows


def _curve(group: Group) -> str:
    """Name the rate-distortion curve that a group lies on: its settings but beta."""
    own = {key: value for key, value in group.settings.items() if key != "beta"}
    return " ".join(f"{key}={_text(value)}" for key, value in own.items())


def _settings(groups: list[Group]) -> list[str]:
    return list(dict.fromkeys(key for group in groups for key in group.settings))


def _varies(key: str, runs: list[dict[str, Any]]) -> bool:
    """Return whether runs differ in a setting, beyond its group's option differing."""
    option = f"{key.rpartition('.')[0]}.name"
    values: dict[Any, set[str]] = {}
    for settings in runs:
        if key in settings:
            same = None if key == option else settings.get(option)
            values.setdefault(same, set()).add(json.dumps(settings[key]))
    return any(len(different) > 1 for different in values.values())


def _measured(groups: list[Group]) -> list[str]:
    return [m for m, *_ in ROWS if any(g.mean(m) is not None for g in groups)]


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return settings under dotted keys."""
    settings: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            settings |= _flat(value, f"{prefix}{key}.")
        else:
            settings[prefix + key] = value
    return settings


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.4g}"


def _legend(groups: list[Group], measures: list[str]) -> list[str]:
    """Return what the signs in the table mean, those that are in it."""
    pairs = [(group, measure) for group in groups for measure in measures]
    signs = []
    if any(group.deviation(measure) is not None for group, measure in pairs):
        signs.append("+- is the standard deviation over runs")
    if any(group.error(measure) is not None for group, measure in pairs):
        signs.append("(...) is the standard error over images")
    return [", ".join(signs), ""] if signs else []
