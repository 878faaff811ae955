"""Picture files on all cores: their headers read, their pixels decoded to a file.

Many files are shared out among processes, since Python runs on one core in each; a file
that brings a decoder down then takes one of them with it, and not the run. They are
started as commands of their own: nothing of the caller's script is imported again.
"""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from vae_cli.data.decode import (
    Header,
    Preparation,
    decode,
    or_reason,
    read_file,
    read_header,
)
from vae_cli.errors import DataError

CHUNK = 64
"""Files that a process takes at a time."""
FEW = 256
"""Files that take less time than processes take to start."""

START = f"import sys; sys.path[:] = sys.argv[1:]; from {__name__} import main; main()"
"""Unlike -m, it imports nothing from the current folder before the path is set."""

Outcome = Header | str | None
"""Of a file: its header, None once it is decoded, or why it can't be read."""


def read_headers(
    files: Sequence[str], progress: Callable[[float], None]
) -> list[Header | str]:
    """Return the headers of picture files, or why a file can't be read.

    Args:
        files: to read.
        progress: called with the fraction that is done.
    """
    outcomes: Any = _spread({"task": "header"}, files, progress)
    return [Header(tuple(o[0]), *o[1:]) if isinstance(o, list) else o for o in outcomes]


def decode_to(
    target: Path,
    shape: tuple[int, ...],
    files: Sequence[str],
    preparation: Preparation,
    progress: Callable[[float], None],
) -> list[str | None]:
    """Write the pixels of files to a file of the shape [N, H, W, C].

    Args:
        target: the file, of its full size.
        shape: of what it holds.
        files: one a row.
        preparation: what they are brought to.
        progress: called with the fraction that is done.

    Returns:
        why each can't be decoded; None where it was.
    """
    job = {
        "task": "decode",
        "target": str(target),
        "shape": shape,
        "preparation": asdict(preparation),
    }
    return _spread(job, files, progress)


def _spread(
    job: dict[str, Any], files: Sequence[str], progress: Callable[[float], None]
) -> list[Any]:
    """Return what comes of a job on each of the files, in their order."""
    chunks = [range(i, min(i + CHUNK, len(files))) for i in range(0, len(files), CHUNK)]
    outcomes: list[Any] = [None] * len(files)

    def keep(rows: range, results: list[Any]) -> None:
        outcomes[rows.start : rows.stop] = results

    if len(files) <= FEW:
        work = _worker(job)
        for rows in chunks:
            keep(rows, work(rows.start, [files[row] for row in rows]))
            progress(rows.stop / len(files))
        return outcomes
    queue: SimpleQueue[range] = SimpleQueue()
    for rows in chunks:
        queue.put(rows)
    done: SimpleQueue[range | Exception | None] = SimpleQueue()

    def feed(process: subprocess.Popen[str]) -> None:
        try:
            for rows in _taken(queue):
                keep(rows, _asked(process, rows.start, [files[r] for r in rows]))
                done.put(rows)
            done.put(None)
        except Exception as error:  # raised again by the caller's thread
            done.put(error)

    count = min(len(os.sched_getaffinity(0)), len(chunks))
    processes = [_started(job) for _ in range(count)]
    try:
        for process in processes:
            threading.Thread(target=feed, args=(process,), daemon=True).start()
        finished = left = 0
        while left < count:
            event = done.get()
            if isinstance(event, Exception):
                raise event
            if event is None:
                left += 1
            else:
                finished += len(event)
                progress(finished / len(files))
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return outcomes


def _taken(queue: "SimpleQueue[range]") -> Iterator[range]:
    while True:
        try:
            yield queue.get_nowait()
        except Empty:
            return


def _started(job: dict[str, Any]) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", START, *_path()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # a Ctrl-C is for the parent, which ends it
        start_new_session=True,
    )
    _write(process, job)
    return process


def _path() -> list[str]:
    """Return where a process imports from: where this one does."""
    package = str(Path(__file__).parents[2])
    return [folder for folder in sys.path if folder] + [package]


def _write(process: "subprocess.Popen[str]", message: Any) -> None:
    assert process.stdin  # noqa: S101  opened above
    process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()


def _asked(
    process: "subprocess.Popen[str]", first: int, files: list[str]
) -> list[Outcome]:
    """Let a process do its job on some files, and return the results.

    Raises:
        DataError: it has crashed.
    """
    assert process.stdout  # noqa: S101  opened above
    try:
        _write(process, [first, files])
        answer = process.stdout.readline()
    except BrokenPipeError:
        answer = ""
    if not answer:
        raise DataError(
            "a process that decodes pictures has crashed at one of the files "
            f"{files[0]} to {files[-1]}.",
            "free memory, or move the file that crashes the decoder away",
        )
    outcomes: list[Outcome] = json.loads(answer)
    return outcomes


def _worker(job: dict[str, Any]) -> Callable[[int, list[str]], list[Any]]:
    """Return the function that does a job on files, given the row of the first one."""
    if job["task"] == "header":
        return lambda first, files: [or_reason(_header, Path(file)) for file in files]
    values = job["preparation"]
    preparation = Preparation(**{**values, "size": tuple(values["size"])})
    pixels = np.memmap(
        job["target"], preparation.dtype, "r+", shape=tuple(job["shape"])
    )

    def write(path: Path, row: int) -> None:
        pixels[row] = decode(read_file(path), preparation)

    return lambda first, files: [
        or_reason(write, Path(file), first + i) for i, file in enumerate(files)
    ]


def _header(path: Path) -> list[Any]:
    """Return the values of a `Header`, as JSON has them."""
    data = read_file(path)
    said = dict(vars(read_header(data)))
    said["sha256"] = hashlib.sha256(data).hexdigest()
    return list(said.values())


def main() -> None:
    """Do the job of the first line of stdin on the files of the others."""
    lines = map(json.loads, sys.stdin)
    work = _worker(next(lines))
    for first, files in lines:
        print(json.dumps(work(first, files)), flush=True)
