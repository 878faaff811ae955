"""`vae runs diff` and `vae runs delete`; without TensorFlow."""

import json
import sys
from pathlib import Path

from vae_cli.errors import UsageError
from vae_cli.runs.delete import (
    delete,
    looks_like_run,
    plan_lines,
    planned_deletions,
    runs_of,
)
from vae_cli.runs.delete_sweep import emptied_sweeps
from vae_cli.runs.differences import compare_runs, comparison_text
from vae_cli.runs.find import find_runs, has_config, open_run
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.table import RunSummary, check_filters, matches
from vae_cli.text import printable

ROOT = "outputs"


def diff_command(arguments: list[str]) -> int:
    """Print what differs between two runs, as tables or JSON.

    Raises:
        RunError: a run doesn't exist, or its config can't be read.
        UsageError: not exactly two runs, or an unknown flag.
    """
    flags, names = _flags(arguments, ("--json",))
    if len(names) != 2:
        raise UsageError(
            f"vae runs diff takes two runs, got {len(names)}.",
            "vae runs diff latest outputs/my-run",
        )
    runs = [open_run(name, ROOT, has_config) for name in names]
    found = compare_runs(*runs)
    if flags:
        print(json.dumps({"a": str(runs[0]), "b": str(runs[1]), **found}, indent=2))
    else:
        print(comparison_text([str(run) for run in runs], found))
    return 0


def delete_command(arguments: list[str]) -> int:
    """Delete runs, after confirmation.

    Raises:
        ConfigError: a filter names an unknown column or state.
        RunError: a word doesn't name a run, a run is training, or can't be deleted.
        UsageError: no runs are named, an unknown flag, or no terminal to ask on.
    """
    flags, words = _flags(arguments, ("--dry-run", "--yes"))
    named, filters = _split(words)
    if not words:
        raise UsageError(
            "vae runs delete needs the runs to delete.",
            "vae runs delete outputs/my-run, or a filter: state=failed --dry-run",
        )
    check_filters(filters)
    runs = [
        run
        for run in _chosen(named)
        if all(matches(RunSummary(run), key, value) for key, value in filters)
    ]
    plan = planned_deletions(runs)
    folders = [] if filters else [Path(name) for name in named]
    sweeps = emptied_sweeps([each.run.path for each in plan], folders)
    if not plan and not sweeps:
        print("no such runs: nothing is deleted", file=sys.stderr)
        return 0
    print(*plan_lines(plan, sweeps), sep="\n")
    if "--dry-run" in flags:
        print("nothing is deleted: --dry-run", file=sys.stderr)
        return 0
    if "--yes" not in flags and not _agreed(len(plan)):
        print("nothing is deleted", file=sys.stderr)
        return 0
    roots = [Path(ROOT), *(Path(name).absolute().parent for name in named)]
    for each in delete(plan, sweeps, roots):
        print(f"deleted {printable(each)}", file=sys.stderr)
    return 0


def _flags(arguments: list[str], known: tuple[str, ...]) -> tuple[set[str], list[str]]:
    """Return the flags and the other words of a command line."""
    flags = {word for word in arguments if word.startswith("-")}
    for flag in sorted(flags - set(known)):
        raise UsageError(
            f"vae runs: {flag} is not a flag of this command.",
            f"flags: {', '.join(known)}; see vae runs --help",
        )
    return flags, [word for word in arguments if word not in flags]


def _split(words: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Return names of folders, which may contain `=`, and filters `key=value`."""
    if "" in words:  # a shell's variable that is not set; Path("") is all of "."
        raise UsageError(
            "vae runs: an empty name stands for no run.",
            "name run folders, such as: vae runs delete outputs/my-run --dry-run",
        )
    named = [word for word in words if "=" not in word or Path(word).is_dir()]
    pairs = [word.partition("=") for word in words if word not in named]
    return named, [(key, value) for key, _, value in pairs]


def _chosen(named: list[str]) -> list[RunFolder]:
    """Return the runs that the names stand for; without names, all below `outputs`."""
    if not named:
        runs = find_runs(Path(ROOT))
        return [run for run in runs if _is_run(run)]
    folders = [open_run(name, ROOT, _is_run) for name in named]
    return [run for folder in folders for run in runs_of(folder.path)]


def _is_run(run: RunFolder) -> bool:
    return looks_like_run(run.path)


def _agreed(count: int) -> bool:
    """Ask for confirmation on the terminal.

    Raises:
        UsageError: there is no terminal.
    """
    if not sys.stdin.isatty():
        raise UsageError(
            "vae runs delete asks for confirmation, and there is no terminal: nothing "
            "is deleted.",
            "add --yes, or --dry-run to see what would be deleted",
        )
    noun = {0: "this sweep", 1: "this run"}.get(count, f"these {count} runs")
    print(f"delete {noun}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
