"""The files of a sweep itself, which are deleted with the last of its runs."""

import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

from vae_cli.runs.find import find_runs
from vae_cli.runs.sweep_folder import ERROR_FILE, FAILED, RECORD, SweepFolder

OWN = (
    "summary.md", "summary.csv", "figures", "evaluation", "study.db", FAILED,
    ".submitit", "multirun.yaml", ".stop", ".end", ".jobs", ".lock", RECORD,
)  # fmt: skip
"""What commands write into the folder of a sweep; the record goes last."""
SCORES = "anomaly*.csv"
"""Tables of `vae-anomaly run=<sweep>`, each also as .md."""


def emptied_sweeps(runs: Iterable[Path], named: Iterable[Path] = ()) -> list[Path]:
    """Return the sweeps that have no run but these, without those in use.

    Args:
        runs: folders of runs that are to be deleted.
        named: folders that may be a sweep without any run.
    """
    runs = list(runs)
    gone = {run.resolve() for run in runs}
    places = {place.resolve(): place for place in (*named, *(r.parent for r in runs))}
    return [at for at in places.values() if is_sweep(at) and _only(at, gone)]


def is_sweep(folder: Path) -> bool:
    """Return whether a folder has the record of a sweep that no process is running."""
    found = (folder / RECORD).is_file() and not folder.is_symlink()
    return found and not SweepFolder(folder).in_use()


def own_files(folder: Path) -> list[Path]:
    """Return the files and folders of a sweep that are not runs, its record last."""
    jobs = [job.run.path for job in SweepFolder(folder).jobs()]
    # a job that failed before its run began has left its error, and nothing else
    errors = [job for job in jobs if job.is_dir() and _names(job) == {ERROR_FILE}]
    tables = [
        p.with_suffix(end) for p in folder.glob(SCORES) for end in (".md", ".csv")
    ]
    named = [*tables, *map(folder.joinpath, OWN)]
    return [*errors, *(path for path in named if path.is_symlink() or path.exists())]


def delete_own_files(folder: Path) -> None:
    """Delete the files of a sweep that has no run any more.

    Raises:
        OSError: one can't be deleted.
    """
    if not is_sweep(folder) or not _only(folder, ()):
        return
    for path in own_files(folder):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _only(folder: Path, gone: Collection[Path]) -> bool:
    return all(run.path.resolve() in gone for run in find_runs(folder))


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
