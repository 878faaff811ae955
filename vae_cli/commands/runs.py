"""`vae runs`: look through run folders, without TensorFlow."""

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from vae_cli.commands.runs_tools import delete_command, diff_command
from vae_cli.errors import RunError, UsageError
from vae_cli.runs.find import find_runs
from vae_cli.runs.ranking import comparable
from vae_cli.runs.table import (
    SHOWN,
    RunSummary,
    check_columns,
    check_filters,
    matches,
    ordered,
    runs_table,
    value_of,
)
from vae_cli.text import printable

VALUED = ("--sort", "--columns")
FLAGS = ("--best", "--json", "--csv")


class _Wanted(NamedTuple):
    """What was typed."""

    root: str | None
    filters: list[tuple[str, str]]
    sort: str | None
    columns: Sequence[str]
    flags: set[str]


def runs_command(arguments: list[str]) -> int:
    """Print the runs below a folder, `outputs` by default, as a table, JSON or CSV.

    `diff` and `delete` as the first word are commands of their own.

    Raises:
        ConfigError: an unknown column or state.
        RunError: the folder doesn't exist.
        UsageError: another flag, or more than one folder.
    """
    if arguments[:1] == ["diff"]:
        return diff_command(arguments[1:])
    if arguments[:1] == ["delete"]:
        return delete_command(arguments[1:])
    wanted = _parsed(arguments)
    root = Path(wanted.root or "outputs")
    if wanted.root is not None and not root.is_dir():
        raise RunError(
            f"{root} is not a folder.",
            "name a folder of runs, such as: vae runs outputs",
        )
    runs = [
        summary
        for summary in map(RunSummary, find_runs(root))
        if all(matches(summary, key, value) for key, value in wanted.filters)
    ]
    if wanted.sort:
        runs = ordered(runs, wanted.sort)
    if "--best" in wanted.flags:
        runs = _best_of_each(runs)
    if not runs and not wanted.flags & {"--json", "--csv"}:
        typed = " ".join(f"{key}={value}" for key, value in wanted.filters)
        print(f"no runs below {root}/ {typed}".rstrip(), file=sys.stderr)
        return 0
    _print(runs, wanted)
    return 0


def _parsed(arguments: list[str]) -> _Wanted:
    folders, filters, flags = [], [], set()
    valued: dict[str, str] = {}
    words = iter(arguments)
    for word in words:
        flag, equals, value = word.partition("=")
        if flag in VALUED:
            valued[flag] = value if equals else next(words, "")
            if not valued[flag]:
                raise UsageError(f"{flag} needs a column, such as {flag} test_neg_elbo")
        elif word in FLAGS:
            flags.add(word)
        elif word.startswith("-"):
            raise UsageError(
                f"vae runs: {word} is not a flag.",
                f"flags: {', '.join([*VALUED, *FLAGS])}; see vae runs --help",
            )
        elif equals:
            filters.append((flag, value))
        else:
            folders.append(word)
    if len(folders) > 1:
        raise UsageError("vae runs takes one folder.", "vae runs outputs")
    columns = valued["--columns"].split(",") if "--columns" in valued else SHOWN
    sort = valued.get("--sort")
    check_columns([*columns, *([sort] if sort else [])])
    check_filters(filters)
    return _Wanted(folders[0] if folders else None, filters, sort, columns, flags)


def _best_of_each(runs: list[RunSummary]) -> list[RunSummary]:
    """Return the run with the smallest bound among those whose bounds compare."""
    best: dict[str, tuple[float, RunSummary]] = {}
    for summary in runs:
        kind, bound = comparable(summary.run)
        if bound is not None and (kind not in best or bound < best[kind][0]):
            best[kind] = bound, summary
    return [summary for _, summary in best.values()]


def _print(runs: list[RunSummary], wanted: _Wanted) -> None:
    rows = [
        [value_of(summary, column) for column in wanted.columns] for summary in runs
    ]
    if "--json" in wanted.flags:
        named = [dict(zip(wanted.columns, row, strict=True)) for row in rows]
        print(json.dumps(named, indent=2))
    elif "--csv" in wanted.flags:
        safe = [
            [printable(v) if isinstance(v, str) else v for v in row] for row in rows
        ]
        csv.writer(sys.stdout, lineterminator="\n").writerows([wanted.columns, *safe])
    else:
        print(runs_table(runs, wanted.columns))
