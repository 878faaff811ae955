"""Which runs a command means that takes several."""

import logging
from pathlib import Path

from vae_cli.errors import RunError, UsageError
from vae_cli.runs.folder import RunFolder, find_runs, open_run

log = logging.getLogger(__name__)


def open_runs(names: str, output_root: str) -> list[RunFolder]:
    """Find runs by name.

    Args:
        names: run folders, folders of runs (a sweep's), or `latest`, parted by commas.
        output_root: where `latest` looks.

    Raises:
        RunError: a folder is neither a run nor holds finished ones.
        UsageError: nothing is named.
    """
    # a sweep's job may have commas in its name
    parts = [names] if Path(names).is_dir() else names.split(",")
    found: list[RunFolder] = []
    for name in filter(None, map(str.strip, parts)):
        folder = open_run(name, output_root)
        if folder.config_file.exists():
            found.append(folder)
            continue
        runs = find_runs(folder.path)
        inside = [run for run in runs if run.metrics_json.exists()]
        if not inside:
            raise RunError(
                f"run={name} is not a run folder, and holds no finished runs.",
                "vae runs lists the runs below outputs/",
            )
        if len(inside) < len(runs):
            left = len(runs) - len(inside)
            log.warning("%s: %d unfinished runs are left out", name, left)
        found += sorted(inside, key=lambda run: run.path)
    if not found:
        raise UsageError("run= names no folder.", "vae-evaluate run=latest")
    # one named twice, or beside its sweep, would count twice in a mean
    return list({run.path.resolve(): run for run in found}.values())
