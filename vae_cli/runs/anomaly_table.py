"""Anomaly scores of several runs in one table."""

import os
import statistics
from pathlib import Path
from typing import Any

from vae_cli.runs.files import write_text
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.report import csv_text, markdown_table
from vae_cli.runs.selection import common_folder

NOTE = (
    "AUROC in percent. A likelihood ranks simple images as normal, such as the digit "
    "1; `mean_intensity`, the mean pixel alone, is there to compare with."
)


def write_table(
    runs: list[RunFolder], reports: list[dict[str, Any]], name: str
) -> list[Path]:
    """Write AUROC by run and score, and the mean over runs; returns the files.

    Args:
        runs: the table goes to the folder that holds them all.
        reports: of each.
        name: of the files, without .md and .csv.
    """
    home = common_folder([run.path for run in runs])
    names = list(reports[0]["scores"])
    header = ["run", "normal", *names, "mean_intensity", "score", "AUROC of score"]
    rows = []
    for run, report in zip(runs, reports, strict=True):
        figures = {n: report["scores"][n].get("auroc") for n in names}
        figures["mean_intensity"] = (report["mean_intensity"] or {}).get("auroc")
        chosen = report["score"]
        rows.append(
            [
                os.path.relpath(run.path, home),
                _normal(report),
                *figures.values(),
                chosen,
                figures[chosen],
            ]
        )
    columns = list(zip(*rows, strict=True))
    means = [_mean(c) for c in columns[2:-2]]
    rows.append(["mean", "", *means, "", _mean(columns[-1])])
    files = [home / f"{name}{end}" for end in (".md", ".csv")]
    lines = markdown_table(header, [map(_text, row) for row in rows])
    note = f"The score is chosen by: {reports[0]['chosen_by']}. {NOTE}"
    write_text(files[0], "\n".join([*lines, "", note]) + "\n")
    write_text(files[1], csv_text([header, *rows]))
    return files


def _normal(report: dict[str, Any]) -> str:
    """Return the normal classes, or where it is shorter, the others."""
    normal, classes = report["normal_classes"], report["classes"]
    if not normal:
        return ""
    every = classes if isinstance(classes, list) else range(classes or 0)
    others = [one for one in every if one not in normal]
    if 0 < len(others) < len(normal):
        return "all but " + _joined(others)
    return _joined(normal)


def _joined(classes: list[Any]) -> str:
    """Return classes in one cell; names may hold spaces."""
    named = any(isinstance(one, str) for one in classes)
    return (", " if named else " ").join(map(str, classes))


def _mean(column: Any) -> float | None:
    return None if None in column else statistics.fmean(column)


def _text(cell: Any) -> str:
    if cell is None:
        return "-"
    return f"{100 * cell:.1f}" if isinstance(cell, float) else str(cell)
