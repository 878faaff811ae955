"""Locks of files, which the kernel lets go of when their process dies."""

import time
from typing import Any


def take_lock(file: Any, exclusive: bool) -> bool:
    """Lock an open file until it is closed; the kernel lets go if the process dies.

    Args:
        file: an open file.
        exclusive: whether no other process may hold it, not even for reading.

    Returns:
        whether the lock was free.
    """
    try:
        import fcntl
    except ImportError:  # no such locks on this platform: trust the user
        return True
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    # someone who only looks (`vae runs`) holds the lock for an instant
    for _ in range(10 if exclusive else 1):
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.05 if exclusive else 0)
        else:
            return True
    return False
