"""What a run writes about itself: log, environment, data, how it ended."""

import contextlib
import errno
import logging
import os
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from vae_cli.config.train import TrainConfig
from vae_cli.data_spec import DataSpec
from vae_cli.errors import Interrupted, RunError, VaeCliError
from vae_cli.plugins import used_plugins
from vae_cli.runs.files import write_json
from vae_cli.runs.folder import RunFolder, unwritable
from vae_cli.runs.metrics_file import read_rows
from vae_cli.runs.provenance import environment
from vae_cli.text import PrintableFormatter

log = logging.getLogger("vae_cli")

RESERVE = ".reserve"
"""File of a run that is trained: room for its last status, should the disk fill."""

RESERVED = 64 * 1024
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def record_start(
    folder: RunFolder,
    config: TrainConfig,
    spec: DataSpec,
    fingerprint: dict[str, Any],
    resumed: bool,
) -> None:
    """Write `environment.json` and `data.json`; a resume is added to the first."""
    now = {**environment(), "plugins": used_plugins(config)}
    if resumed and folder.environment_file.exists():
        first = folder.read_json(folder.environment_file)
        first.setdefault("resumed", []).append(now)
        now = first
        # results of an earlier finish no longer belong to the weights
        folder.metrics_json.unlink(missing_ok=True)
    write_json(folder.environment_file, now)
    write_json(folder.data_file, {"spec": spec.to_json(), "fingerprint": fingerprint})


class _RunLog(logging.FileHandler):
    """The run's log; a line that no longer fits on the disk is left out."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Go on without the line; what writes the run's results says what is wrong."""


@contextlib.contextmanager
def recorded(
    folder: RunFolder,
    resume_command: str,
    stopped: Callable[[], bool] = bool,
) -> Iterator[None]:
    """Copy the log into the folder and write down how training ended.

    Args:
        folder: the run.
        resume_command: what to type to go on with it.
        stopped: whether a signal has come; an error that follows one is no failure.
    """
    try:
        handler = _RunLog(folder.log_file, encoding="utf-8")
    except OSError as error:
        raise unwritable(folder.path, error) from error
    handler.setFormatter(PrintableFormatter("%(asctime)s %(levelname)s %(message)s"))
    undo = _listen(handler)
    reserve = folder.path / RESERVE
    try:
        # zeros would take no room on every file system
        reserve.unlink(missing_ok=True)
        with reserve.open("xb") as room:
            room.write(os.urandom(RESERVED))
        folder.write_status("running", _epochs(folder))
        log.info("run folder: %s", folder)
        yield
    except BaseException as error:
        reserve.unlink(missing_ok=True)
        if isinstance(error, KeyboardInterrupt) or stopped():
            what = str(error) if isinstance(error, Interrupted) else ""
            what = what or "stopped"
            message = f"{what}\n  resume with: {resume_command}"
            with _room(folder, resume_command):
                folder.write_status("interrupted", _epochs(folder), what)
            # the caller shows it on the console
            _write_line(handler, logging.INFO, message)
            raise Interrupted(message) from error
        if isinstance(error, OSError) or _is_full(error):
            # a full disk, or the folder is gone; the status may still fit
            reason = "the disk is full" if _is_full(error) else str(error)
            unwritten = RunError(
                f"The run folder {folder} can't be written any more: {reason}.",
                "what was completed is kept up to the last epoch",
                f"make room, then resume with: {resume_command}",
            )
            with contextlib.suppress(OSError):
                folder.write_status("failed", _epochs(folder), str(unwritten))
            _write_line(handler, logging.ERROR, str(unwritten))
            raise unwritten from error
        folder.write_status("failed", _epochs(folder), str(error))
        # the caller shows the message or the traceback on the console
        ours = isinstance(error, VaeCliError)
        text = str(error) if ours else traceback.format_exc()
        _write_line(handler, logging.ERROR, text)
        raise
    finally:
        undo()
        with contextlib.suppress(OSError):  # a full disk, which has been reported
            handler.close()
        reserve.unlink(missing_ok=True)


def _listen(handler: logging.Handler) -> Callable[[], None]:
    """Give a handler every line of our log, and all others what they get without it.

    Returns:
        a function that puts the log back as it was.
    """
    level, least = log.level, log.getEffectiveLevel()

    def as_before(record: logging.LogRecord) -> bool:
        ours = record.name.split(".")[0] == log.name
        return record.levelno >= least or not ours

    others = [*log.handlers, *(logging.getLogger().handlers if log.propagate else [])]
    for other in others:
        other.addFilter(as_before)
    log.setLevel(min(least, logging.INFO))
    log.addHandler(handler)

    def undo() -> None:
        log.removeHandler(handler)
        log.setLevel(level)
        for other in others:
            other.removeFilter(as_before)

    return undo


def record_stop(folder: RunFolder) -> None:
    """Write that a run was stopped at once, by a second signal."""
    (folder.path / RESERVE).unlink(missing_ok=True)
    folder.write_status("interrupted", _epochs(folder), "stopped at once")


@contextlib.contextmanager
def _room(folder: RunFolder, resume_command: str) -> Iterator[None]:
    """Say that a disk is full where not even a status fits."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"The run folder {folder} can't be written any more: {error}.",
            f"make room, then resume with: {resume_command}",
        ) from error


def _is_full(error: BaseException) -> bool:
    """Return whether an error, of whatever library, means a full disk."""
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    # TensorFlow and HDF5 have the system's message in theirs
    return any(os.strerror(number) in str(error) for number in FULL)


def _write_line(handler: logging.Handler, level: int, text: str) -> None:
    """Write to the run's log alone."""
    handler.handle(log.makeRecord(log.name, level, __file__, 0, text, (), None))


def _epochs(folder: RunFolder) -> int:
    rows = read_rows(folder.metrics_csv)
    return int(rows[-1]["epoch"]) if rows else 0
