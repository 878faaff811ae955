"""The table of a sweep: the overrides and results of each job."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vae_cli.errors import VaeCliError
from vae_cli.runs.metrics_file import read_rows
from vae_cli.runs.ranking import comparable
from vae_cli.runs.report import csv_text, markdown_table
from vae_cli.runs.sweep_folder import SweepFolder, SweepJob, short_number
from vae_cli.runs.table import RunSummary


@dataclass(frozen=True)
class SweepRow:
    """The results of a job.

    Attributes:
        job: the job.
        kind: which bound, on which data; bounds of one kind are comparable.
        bound: the best one, nats per image; None before a job has finished.
        best_epoch: the epoch of the best bound.
        kl: the KL term of that epoch, nats per image.
        minutes: of training.
    """

    job: SweepJob
    kind: str
    bound: float | None
    best_epoch: int | None
    kl: float | None
    minutes: float | None


@dataclass(frozen=True)
class SweepSummary:
    """The jobs of a sweep, best first; jobs without a bound come last."""

    rows: list[SweepRow]

    @property
    def keys(self) -> list[str]:
        """The keys that vary."""
        return list(
            dict.fromkeys(key for row in self.rows for key in row.job.overrides)
        )

    @property
    def kinds(self) -> list[str]:
        """The kinds of bounds, the most frequent first."""
        kinds = [row.kind for row in self.rows if row.bound is not None]
        return sorted(dict.fromkeys(kinds), key=kinds.count, reverse=True)

    def jobs(self, *states: str) -> list[SweepJob]:
        """Return the jobs in these states, by number."""
        jobs = [row.job for row in self.rows if row.job.state in states]
        return sorted(jobs, key=lambda job: job.number)

    def finished(self, kind: str) -> list[SweepRow]:
        """Return the rows with a bound of this kind."""
        return [r for r in self.rows if r.kind == kind and r.bound is not None]

    def markdown(self, title: str) -> str:
        """Return the table in Markdown."""
        lines = [f"# {title}", ""]
        for kind in self.kinds:
            lines += [f"Bound: best {kind}, nats per image, beta 1.", ""]
        if len(self.kinds) > 1:
            lines += ["**These bounds are not comparable across kinds.**", ""]
        return (
            "\n".join([*lines, *markdown_table(*self._cells(_rounded, short_number))])
            + "\n"
        )

    def csv(self) -> str:
        """Return the table as CSV, with all digits."""
        header, rows = self._cells(lambda value: "" if value is None else value, str)
        return csv_text([header, *rows])

    def _cells(
        self, text: Callable[[Any], Any], number: Callable[[str], str]
    ) -> tuple[list[str], list[list[Any]]]:
        header = [
            "job", *self.keys, "state", "bound", "best epoch", "KL", "minutes",
            "folder", "error",
        ]  # fmt: skip
        rows = [
            [
                row.job.number,
                *(number(row.job.overrides.get(key, "")) for key in self.keys),
                row.job.state,
                *map(text, (row.bound, row.best_epoch, row.kl, row.minutes)),
                row.job.run.path.name,
                row.job.error,
            ]
            for row in self.rows
        ]
        return header, rows


def summary_of(folder: SweepFolder) -> SweepSummary:
    """Return the results of a sweep's jobs."""
    rows = [_row(job) for job in folder.jobs()]

    def order(row: SweepRow) -> tuple[float, int]:
        return math.inf if row.bound is None else row.bound, row.job.number

    return SweepSummary(sorted(rows, key=order))


def _row(job: SweepJob) -> SweepRow:
    summary = RunSummary(job.run)
    kind, bound = comparable(job.run)
    epoch = summary.metrics.get("best_epoch")
    row = _epoch_row(job, epoch)
    return SweepRow(
        job=job,
        kind=kind,
        bound=bound if job.state == "finished" else None,
        best_epoch=epoch,
        kl=row.get("val_kl_loss", row.get("kl_loss")),
        minutes=summary.minutes,
    )


def _epoch_row(job: SweepJob, epoch: Any) -> dict[str, float]:
    try:
        rows = read_rows(job.run.metrics_csv)
    except VaeCliError:
        return {}
    return next((row for row in rows if row["epoch"] == epoch), {})


def _rounded(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if isinstance(value, float) else str(value)
