"""Deletes run folders, the files of sweeps that lose their last run, and nothing else.

A folder counts as a run if it has the files that training writes first. It is renamed
before its files are deleted, so that an interrupted deletion leaves a hidden folder,
which no command takes for a run. The next deletion in the same place removes it.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from vae_cli.errors import RunError
from vae_cli.runs.delete_sweep import delete_own_files, is_sweep, own_files
from vae_cli.runs.find import DELETED, find_runs
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.report import writing
from vae_cli.text import megabytes, printable, shortened

OWN = {
    "config.yaml", "environment.json", "data.json", "status.json", "metrics.csv",
    "metrics.json", "train.log", ".lock", ".reserve", "checkpoints", "model", "figures",
    "tensorboard", "samples", "reconstructions", "anomaly", "inspection", "evaluation",
    "fitted",
    "codes", "export", "report.html", "tracker.json", "tracker.log", "wandb",
    "error.txt",
}  # fmt: skip
"""What commands write into a run folder."""


class Deletion(NamedTuple):
    """A run that is to be deleted.

    Attributes:
        run: its folder, as it was named.
        place: the folder without symbolic links: what is deleted.
        size: of its files, bytes.
        foreign: names in it that no command writes.
    """

    run: RunFolder
    place: Path
    size: int
    foreign: list[str]


def looks_like_run(folder: Path) -> bool:
    """Return whether a folder has the files that training writes first."""
    files = (folder / "config.yaml", folder / "status.json")
    made = (folder / "train.log").is_file() or (folder / "checkpoints").is_dir()
    return made and all(map(Path.is_file, files))


def runs_of(folder: Path) -> list[RunFolder]:
    """Return the run in a folder, or all runs below it; none for an empty sweep.

    Raises:
        RunError: the folder is a symbolic link, or contains neither run nor sweep.
    """
    if folder.is_symlink():
        raise RunError(
            f"{folder} is a symbolic link: nothing is deleted.",
            f"name the folder itself: {folder.resolve()}",
        )
    if looks_like_run(folder):
        return [RunFolder(folder)]
    runs = [run for run in find_runs(folder) if looks_like_run(run.path)]
    if not runs and not is_sweep(folder):
        raise RunError(
            f"{folder} is not a run folder and contains none: nothing is deleted.",
            "a run has config.yaml, status.json and checkpoints/; vae runs lists them",
        )
    return runs


def planned_deletions(runs: Iterable[RunFolder]) -> list[Deletion]:
    """Return runs with what would go, in the order of their names, each once.

    Raises:
        RunError: a run is training, contains the current directory, or contains runs
            that are not among these.
    """
    chosen = {run.path.resolve(): run for run in runs}
    for place, run in chosen.items():
        if run.in_use():
            raise RunError(
                f"{run} is being trained: nothing is deleted.",
                "wait for it or stop it, or choose others, such as state=finished",
            )
        if Path.cwd().is_relative_to(place):
            raise RunError(
                f"{run} contains the current directory: nothing is deleted.",
                "change to another folder first",
            )
        inside = [str(r) for r in find_runs(run.path) if r.path.resolve() not in chosen]
        if inside:
            raise RunError(
                f"{run} contains other runs: nothing is deleted.",
                *shortened(inside, 5),
                "move them, or delete them as well",
            )
    ordered = sorted(chosen.items(), key=lambda item: item[1].path)
    return [Deletion(r, at, _size(at), _foreign(at)) for at, r in ordered]


def plan_lines(plan: Sequence[Deletion], sweeps: Sequence[Path] = ()) -> list[str]:
    """Return a line for each run and each emptied sweep, with sizes, and the total.

    A folder that is named through a symbolic link is also shown without it.
    """
    lines = [
        f"{megabytes(d.size / 2**20):>10}  {_named(d.run.path)}"
        + (f"  with {', '.join(map(printable, d.foreign))}" if d.foreign else "")
        for d in plan
    ]
    total = sum(d.size for d in plan)
    for sweep in sweeps:
        size = sum(map(_size, own_files(sweep)))
        text = f"{_named(sweep)}: what the sweep itself wrote"
        lines.append(f"{megabytes(size / 2**20):>10}  {text}")
        total += size
    count = f"{len(plan)} run{'' if len(plan) == 1 else 's'}"
    return [*lines, f"{count}, {megabytes(total / 2**20)}"]


def delete(
    plan: Iterable[Deletion], sweeps: Iterable[Path], roots: Sequence[Path]
) -> Iterator[RunFolder | Path]:
    """Delete runs, then what sweeps wrote; yields each one after it is deleted.

    Parent folders that become empty are deleted as well, if they lie below one of the
    `roots` and don't contain the current directory.

    Raises:
        RunError: a run has started to train, or can't be deleted.
    """
    for each in plan:
        path = each.place
        if not path.exists():  # deleted with a run that contained it
            yield each.run
            continue
        with writing(path, "what is left of it is hidden and not a run any more"):
            with each.run.locked():  # no process can resume it meanwhile
                trash = _free(path)
                path.rename(trash)
            shutil.rmtree(trash)
            for left in path.parent.glob(f".*{DELETED}"):  # of an interrupted deletion
                shutil.rmtree(left, ignore_errors=True)
            _remove_empty(path.parent, roots)
        yield each.run
    for sweep in sweeps:
        with writing(sweep, "delete the rest by hand"):
            delete_own_files(sweep)
            _remove_empty(sweep, roots)
        yield sweep


def _named(folder: Path) -> str:
    """Return a folder as it was named, and where it is if a link led there."""
    real = folder.resolve()
    where = "" if real == folder.absolute() else f" ({real})"
    return printable(f"{folder}{where}")


def _free(path: Path) -> Path:
    """Return an unused hidden path next to a run."""
    for number in range(1000):
        trash = path.with_name(f".{path.name[:200]}.{number}{DELETED}")
        if not os.path.lexists(trash):
            return trash
    raise RunError(f"{path.parent} holds too many folders {path.name}{DELETED}.")


def _remove_empty(folder: Path, roots: Sequence[Path]) -> None:
    """Remove a folder and those above it while they are empty and below a root."""
    here, tops = Path.cwd(), [root.resolve() for root in roots]
    place = folder.resolve()
    while place not in tops and any(place.is_relative_to(top) for top in tops):
        if here.is_relative_to(place):
            return
        try:
            place.rmdir()
        except OSError:  # not empty
            return
        place = place.parent


def _size(folder: Path) -> int:
    """Return the bytes of a file or of a folder's files, links not followed."""
    if not folder.is_dir() or folder.is_symlink():
        return folder.lstat().st_size
    paths = (Path(at, name) for at, _, names in os.walk(folder) for name in names)
    return sum(path.lstat().st_size for path in paths)


def _foreign(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.name not in OWN)
