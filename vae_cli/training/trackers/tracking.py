"""Training's side of a tracker: starts the sending process, and never waits for it.

Errors become warnings, and training continues.
"""

import contextlib
import json
import logging
import os
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from vae_cli.config.train import TrainConfig
from vae_cli.runs.folder import RunFolder
from vae_cli.training.trackers.known import remember

PATIENCE = 30.0
"""Seconds to wait at the end of training while nothing is being sent."""

MOST_REPLACED = 3
"""Most restarts of a process that has died."""

log = logging.getLogger("vae_cli")


class Tracking:
    """The process that sends a run to its tracker.

    Args:
        config: of the run.
        folder: the run.
    """

    def __init__(self, config: TrainConfig, folder: RunFolder) -> None:
        self._name = config.tracker.name
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""
        self._failed = False
        self._place = ""
        self._replaced = 0

    def start(self) -> None:
        """Start the process; the config must be in the folder."""
        with self._guarded():
            self._start()

    def epoch_written(self) -> None:
        """Signal a new epoch; logs the process's answers so far."""
        with self._guarded():
            self._read()
            self._replace_dead()
            if self._process and self._process.stdin:
                # a full pipe already holds a signal
                with contextlib.suppress(BrokenPipeError, BlockingIOError):
                    os.write(self._process.stdin.fileno(), b"epoch\n")

    def finish(self) -> None:
        """Signal the end of training, and wait while something is being sent."""
        with self._guarded():
            self._read()
            self._replace_dead()
            if self._process:
                self._finish(self._process)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turn exceptions into warnings."""
        try:
            yield
        except Exception as error:
            self._warn_of_failure(f"{type(error).__name__}: {error}")

    def _start(self) -> None:
        folder = self._folder.path.absolute()
        with (folder / "tracker.log").open("ab") as noise:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", f"{__package__}.process", str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=noise,
                # Ctrl-C goes to training, which then ends this process
                start_new_session=True,
            )
        assert process.stdin and process.stdout  # noqa: S101
        os.set_blocking(process.stdin.fileno(), False)
        os.set_blocking(process.stdout.fileno(), False)
        self._process = process

    def _finish(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin and process.stdout  # noqa: S101
        try:
            process.stdin.close()
            last = time.monotonic()
            while (left := last + PATIENCE - time.monotonic()) > 0:
                if select.select([process.stdout], [], [], left)[0]:
                    last = time.monotonic()
                    if not self._read():
                        break
            else:
                self._warn_of_failure(f"nothing was sent for {PATIENCE:.0f} seconds")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1)
            if process.returncode and not self._failed:
                self._warn_of_failure("its process has ended unexpectedly")
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            process.stdout.close()
            self._process = None
            if not self._failed:
                with contextlib.suppress(OSError):
                    (self._folder.path / "tracker.log").unlink(missing_ok=True)

    def _replace_dead(self) -> None:
        """Restart the process if it was killed, by lack of memory or by hand."""
        process = self._process
        if process is None or process.poll() is None or self._replaced == MOST_REPLACED:
            return
        self._replaced += 1
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()
        self._unread = b""
        self._process = None
        self._start()

    def _read(self) -> bool:
        """Log the process's answers; returns whether more may follow."""
        if self._process is None or self._process.stdout is None:
            return False
        while True:
            try:
                part = os.read(self._process.stdout.fileno(), 65536)
            except BlockingIOError:
                return True
            if not part:
                return False
            *lines, self._unread = (self._unread + part).split(b"\n")
            for line in lines:
                self._take(json.loads(line))

    def _take(self, answer: dict[str, Any]) -> None:
        if "place" in answer and answer["place"] != self._place:
            self._place = answer["place"]
            log.info("tracker=%s: %s", self._name, answer["place"])
        elif "warning" in answer:
            log.warning("tracker=%s: %s", self._name, _indented(answer["warning"]))
        elif "failed" in answer:
            self._warn_of_failure(answer["failed"])
        elif "recovered" in answer:
            self._failed = False
            log.info("tracker=%s: all that was missing has been sent", self._name)

    def _warn_of_failure(self, reason: str) -> None:
        if self._failed:
            return
        self._failed = True
        log.warning(
            "tracker=%s: %s\n  training continues, and the run folder is complete; "
            "what is missing is sent at the end, if possible, or with:\n  "
            "vae-track run=%s",
            self._name,
            _indented(reason),
            shlex.quote(str(self._folder)),
        )


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")


@contextlib.contextmanager
def tracked(
    config: TrainConfig, folder: RunFolder, resumed: bool
) -> Iterator[Tracking | None]:
    """Send a run while it trains, if its tracker keeps a record.

    Args:
        config: of the run.
        folder: the run; its final state must be written before the block ends.
        resumed: whether the config comes from the folder: may be a stranger's.

    Yields:
        the `Tracking` to start once the config is written; None without a record.
    """
    if not config.tracker.keeps_record:
        yield None
        return
    if not resumed:
        remember(config.tracker.address)
    tracking = Tracking(config, folder)
    try:
        yield tracking
    finally:
        tracking.finish()
