"""Ctrl-C or SIGTERM during a sweep: its jobs save before the sweep ends.

Launchers with worker processes, such as joblib, kill them as soon as the sweep's own
process is interrupted, in the middle of a save. So the interruption waits.
"""

import contextlib
import logging
import signal
from collections.abc import Iterator
from types import FrameType

from vae_cli.runs.sweep_folder import SweepFolder
from vae_cli.workers import handling, wait_until

log = logging.getLogger("vae_cli")

TOLD = 2
"""Seconds in which jobs that have the signal, too, have usually saved."""
LONGEST = 60
"""Seconds that jobs have to save in all."""


@contextlib.contextmanager
def saving_jobs(folder: SweepFolder) -> Iterator[None]:
    """Within the block, a signal raises only after the jobs have saved.

    A second signal raises at once.

    Args:
        folder: of the sweep.

    Raises:
        KeyboardInterrupt: SIGINT or SIGTERM has come.
    """
    received: list[int] = []

    def saved() -> bool:
        return not any(job.run.in_use() for job in folder.jobs())

    def stop(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) == 1:
            folder.ask_to_stop()
            # a terminal sends Ctrl-C to the jobs as well; a second signal would end
            # them at once, so only those that go on are told
            if not wait_until(saved, TOLD):
                log.info("waiting until the jobs have saved; Ctrl-C: don't wait")
                folder.tell_jobs_to_end()
                wait_until(saved, LONGEST)
        raise KeyboardInterrupt

    with handling((signal.SIGINT, signal.SIGTERM), stop):
        yield
