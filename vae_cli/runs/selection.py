"""Which runs a command means that takes several."""

import logging
import os
from pathlib import Path

from vae_cli.errors import ConfigError, RunError
from vae_cli.runs.find import find_runs, has_weights, open_run
from vae_cli.runs.folder import RunFolder

log = logging.getLogger(__name__)

MAX_COMMAS = 20
"""In a folder's name."""


def common_folder(runs: list[Path]) -> Path:
    """Return the innermost folder that holds all runs, relative where they are."""
    common = os.path.commonpath([run.absolute().parent for run in runs])
    if any(run.is_absolute() for run in runs):
        return Path(common)
    return Path(os.path.relpath(common))


def open_runs(names: str, output_root: str) -> list[RunFolder]:
    """Find runs by name.

    Args:
        names: run folders, folders of runs (a sweep's), or `latest`, parted by commas.
        output_root: where `latest` looks.

    Raises:
        RunError: a folder is neither a run nor holds finished ones.
        ConfigError: nothing is named.
    """
    folders: list[RunFolder] = []
    for name in _parts(names):
        folder = open_run(name, output_root)
        if folder.config_file.exists():
            folders.append(folder)
            continue
        runs = find_runs(folder.path)
        finished = [run for run in runs if run.metrics_json.exists()]
        inside = [run for run in finished if has_weights(run)]
        if not inside:
            raise RunError(
                f"run={name} is not a run folder, and holds no finished runs.",
                "vae runs lists the runs below outputs/",
            )
        if len(finished) < len(runs):
            left = len(runs) - len(finished)
            log.warning("%s: %d unfinished runs are left out", name, left)
        useless = sorted(str(run) for run in finished if run not in inside)
        if useless:
            log.warning(
                "left out, without weights or a config that can be read: %s",
                ", ".join(useless),
            )
        folders += sorted(inside, key=lambda run: run.path)
    if not folders:
        raise ConfigError("run= names no folder.", "vae-evaluate run=latest")
    # one named twice, or beside its sweep, would count twice in a mean
    return list({run.path.resolve(): run for run in folders}.values())


def _parts(names: str) -> list[str]:
    """Part names at commas, but those of a folder: a sweep's jobs have some."""
    words = [word.strip() for word in names.split(",")]
    parts: list[str] = []
    while words:
        lengths = range(min(len(words), MAX_COMMAS + 1), 0, -1)
        joined = (",".join(words[:length]) for length in lengths)
        part = next(filter(_is_folder, joined), words[0])
        words = words[part.count(",") + 1 :]
        parts += [part] if part else []
    return parts


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir() and bool(name)
    except OSError:  # too long for one
        return False
