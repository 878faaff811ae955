"""Sends what the record of a run lacks from the run folder."""

import contextlib
import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from vae_cli.config.tracker import TrackerOptions
from vae_cli.config.train import TrainConfig
from vae_cli.errors import VaeCliError
from vae_cli.registry import build
from vae_cli.runs.files import write_json
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.metrics_file import read_rows
from vae_cli.training.trackers.base import Tracker, TrackerError, reason, results

log = logging.getLogger(__name__)


def send(folder: RunFolder, tracker: TrackerOptions) -> str:
    """Send what the record of a run lacks, in this process.

    Args:
        folder: the run; no other process may train it meanwhile.
        tracker: where to send it.

    Returns:
        where to view the record.

    Raises:
        RunError: the folder is not a run, or lacks files.
        TrackerError: the package is missing, or the server doesn't answer or refuses
            something.
    """
    config = replace(folder.load_config(), tracker=tracker)
    sending = Sending(folder, config, warn=lambda text: log.warning("%s", text))
    state = ended(folder)
    try:
        if sending.is_complete(state):
            log.info("%s: its record of tracker=%s is complete", folder, tracker.name)
        else:
            sending.finish(state)
    except VaeCliError:
        raise
    except Exception as error:
        raise TrackerError(
            f"tracker={tracker.name}: {reason(error)}",
            "the run folder is unchanged; try again later",
        ) from error
    return sending.place


def ended(folder: RunFolder) -> str:
    """Return how training ended: finished, failed or interrupted."""
    state = folder.status()["state"]
    # a run that is still marked as running was killed
    return state if state in ("finished", "failed") else "interrupted"


class Sending:
    """Keeps a run's record up to date with its folder.

    `tracker.json` in the folder holds, for each tracker, the record's id and its number
    of epochs, so that a resumed run continues the same record.

    Args:
        folder: the run.
        config: its config, with the tracker.
        alive: called whenever something has been sent.
        warn: called with warnings for the user.
    """

    def __init__(
        self,
        folder: RunFolder,
        config: TrainConfig,
        alive: Callable[[], None] = lambda: None,
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._alive = alive
        self._warn = warn
        self._folder = folder
        self._config = config
        self._tracker: Tracker | None = None
        self._record: dict[str, Any] = {}
        self.place = ""
        """Where to view the record."""

    def update(self) -> None:
        """Send the epochs that the record lacks.

        Raises:
            Exception: any exception of a tracker; another call retries.
        """
        try:
            if self._tracker is None:
                self._start()
            self._send_epochs()
        except BaseException:
            self._drop()
            raise

    def is_complete(self, state: str) -> bool:
        """Return whether the record has been closed with all that the folder has.

        Args:
            state: of the run.
        """
        record = self._records().get(self._config.tracker.name)
        if not isinstance(record, dict) or record.get("state") != state:
            return False
        tracker: Tracker = build(
            self._config.tracker, self._config, self._folder, record
        )
        rows = read_rows(self._folder.metrics_csv)
        self.place = record.get("place", "")
        return (
            record.get("epochs") == (int(rows[-1]["epoch"]) if rows else 0)
            and record.get("files") == _digest(tracker)
            and tracker.is_recorded()
        )

    def finish(self, state: str) -> None:
        """Send everything that is missing, and close the record.

        Args:
            state: of the run: finished, interrupted or failed.

        Raises:
            Exception: as `update`.
        """
        self.update()
        try:
            assert self._tracker is not None  # noqa: S101  # update has started it
            numbers = results(self._folder) if state == "finished" else {}
            files = _digest(self._tracker)  # before: what changes meanwhile is sent
            self._tracker.finish(state, numbers, self._record.get("epochs", 0))
        except BaseException:
            self._drop()
            raise
        self._tracker = None
        self._record |= {"state": state, "files": files, "place": self.place}
        self._save()

    def _start(self) -> None:
        name = self._config.tracker.name
        kept = self._records().get(name)
        self._record = kept if isinstance(kept, dict) else {}
        self._record.pop("state", None)
        tracker: Tracker = build(
            self._config.tracker, self._config, self._folder, self._record
        )
        self._tracker = tracker
        tracker.alive, tracker.warn = self._alive, self._warn
        try:
            self.place = tracker.start()
        finally:
            self._save()

    def _send_epochs(self) -> None:
        assert self._tracker is not None  # noqa: S101
        sent = self._record.setdefault("epochs", 0)
        rows = [r for r in read_rows(self._folder.metrics_csv) if r["epoch"] > sent]
        if rows:
            self._tracker.log_epochs(rows)
            self._record["epochs"] = int(rows[-1]["epoch"])
            self._save()

    def _drop(self) -> None:
        """Stop and discard a tracker that has failed."""
        tracker, self._tracker = self._tracker, None
        if tracker is not None:
            with contextlib.suppress(Exception):  # it has failed already
                tracker.stop()

    def _records(self) -> dict[str, Any]:
        file = self._folder.tracker_file
        return self._folder.read_json(file) if file.exists() else {}

    def _save(self) -> None:
        name = self._config.tracker.name
        write_json(self._folder.tracker_file, {**self._records(), name: self._record})


def _digest(tracker: Tracker) -> str:
    """Return a digest of the files to send: names, sizes and times.

    Without `train.log`, which still gets lines after the files are sent.
    """
    files = [
        (name, file.stat().st_size, file.stat().st_mtime_ns)
        for file, name in tracker.files()
        if name != "train.log"
    ]
    return hashlib.sha256(repr(files).encode()).hexdigest()[:16]
