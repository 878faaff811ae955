"""When a run happened, from its folder: a record may be made much later.

Times are seconds since 1970.
"""

import time
from datetime import datetime

from vae_cli.errors import RunError
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.metrics_file import read_rows


def started(folder: RunFolder) -> float:
    """Return when a run was started; now, if its folder doesn't say."""
    try:
        text = folder.read_json(folder.environment_file)["time"]
        return min(datetime.fromisoformat(text).timestamp(), time.time())
    except (KeyError, TypeError, ValueError, RunError):
        return time.time()


def ended_at(folder: RunFolder) -> float:
    """Return when a run's last state was written."""
    return min(folder.status_file.stat().st_mtime, time.time())


def epoch_times(folder: RunFolder) -> dict[float, float]:
    """Return when each epoch ended: the start, and the seconds trained since.

    Pauses before a resume don't count, because `metrics.csv` doesn't have them.
    """
    at = started(folder)
    times = {}
    for row in read_rows(folder.metrics_csv):
        at += row.get("seconds", 0.0)
        times[row["epoch"]] = min(at, time.time())
    return times
