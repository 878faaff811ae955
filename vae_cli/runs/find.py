"""Which run is meant: found by name, by folder, or as the latest."""

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

from vae_cli.errors import PluginError, RunError
from vae_cli.paths import is_there
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.sweep_folder import FAILED, RECORD

DELETED = ".deleted-run"
"""Suffix of a run folder's hidden name while its files are deleted."""

TRACKERS = ("mlflow-artifacts", "mlartifacts", "mlruns")
"""Folders in which MLflow keeps copies of run folders."""

log = logging.getLogger(__name__)


def find_runs(root: Path) -> list[RunFolder]:
    """Return the runs below a folder, the one that moved last at the end.

    What a sweep has set aside is left out, unless the folder lies in it.
    """
    moved: list[tuple[int, Path]] = []
    for file in root.rglob("status.json"):
        with contextlib.suppress(OSError):  # gone since, or not ours to look at
            inside = file.relative_to(root)
            left_out = _is_hidden(inside) or _is_set_aside(root, inside)
            if file.is_file() and not left_out:
                moved.append((file.stat().st_mtime_ns, file))
    return [RunFolder(file.parent) for _, file in sorted(moved)]


def _is_hidden(path: Path) -> bool:
    """Return whether a path leads to a deleted run, or to a tracker's copy of one."""
    return any(
        (part[0] == "." and part.endswith(DELETED)) or part in TRACKERS
        for part in path.parts
    )


def _is_set_aside(root: Path, path: Path) -> bool:
    """Return whether a file below `root` is in the `failed/` of a sweep."""
    return any(
        part == FAILED and root.joinpath(*path.parts[:depth], RECORD).is_file()
        for depth, part in enumerate(path.parts)
    )


def has_weights(run: RunFolder) -> bool:
    """Return whether a run can be opened: its config loads, it has weights."""
    files = (run.checkpoints / f"{name}.weights.h5" for name in ("best", "last"))
    return any(file.is_file() for file in files) and has_config(run)


def has_config(run: RunFolder) -> bool:
    """Return whether a run's config loads.

    Raises:
        PluginError: it would, with a plugin: another run is not what was meant.
    """
    try:
        run.load_config()
    except PluginError:
        raise
    except RunError:
        return False
    return True


def _is_named(run: RunFolder, name: str) -> bool:
    """Return whether a run was given this name, after its date and time."""
    return run.path.name == name or run.path.name.endswith(f"-{name}")


def open_run(
    run: str,
    output_root: str,
    usable: Callable[[RunFolder], bool] = has_weights,
    key: str = "run",
) -> RunFolder:
    """Find the run that a command names.

    Args:
        run: a folder, or `latest`.
        output_root: where `latest` looks.
        usable: what `latest` takes; it passes over other runs, and says so.
        key: that names the run, for messages.

    Raises:
        RunError: there is none.
    """
    if run != "latest":
        folder = RunFolder(Path(run))
        if not is_there(folder.path) or not folder.path.is_dir():
            named = [str(r) for r in find_runs(Path(output_root)) if _is_named(r, run)]
            raise RunError(
                f"{key}={run} does not exist.",
                *(f"did you mean: {key}={name}" for name in named[-3:]),
                f"vae runs lists the runs below {output_root}/",
            )
        return folder
    runs = find_runs(Path(output_root))
    if not runs:
        raise RunError(
            f"run=latest found no run below {output_root}/.",
            "train one: vae-train experiment=quickstart",
            "or name a folder: run=<folder>, or output_root=<folder of runs>",
        )
    passed: list[str] = []
    for latest in reversed(runs):
        if usable(latest):
            if passed:
                log.warning(
                    "run=latest passes over %s: no weights, or a config that can't be "
                    "read",
                    ", ".join(passed),
                )
            log.info("run=latest is %s", latest)
            return latest
        passed.append(str(latest))
    raise RunError(
        f"run=latest found no run with weights below {output_root}/; of "
        f"{len(runs)} there, the last is {runs[-1]}.",
        "vae runs shows their states; train one: vae-train experiment=quickstart",
    )
