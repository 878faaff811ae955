"""What memory there is, and refusals of what takes more; imports no TensorFlow."""

import math
import os
from collections.abc import Sequence
from pathlib import Path

from vae_cli.errors import ConfigError

FLOAT = 4
GPU_BYTES = 80 * 2**30
"""Taken for the memory of a GPU: what no GPU holds is refused, the rest is tried."""


def check_arrays(what: str, shape: Sequence[float], keys: str, copies: int = 1) -> None:
    """Refuse float32 arrays that can't be held.

    Args:
        what: what they hold.
        shape: of one of them.
        keys: which to make smaller.
        copies: how many are held at a time.

    Raises:
        ConfigError: they take more memory than there is.
    """
    refuse_beyond({what: float(FLOAT * copies * math.prod(shape))}, keys)


def available() -> int:
    """Return the bytes that this process may still take, GPUs' included."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    system = Path("/proc/meminfo")
    if system.is_file():
        for line in system.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                limits.append(int(line.split()[1]) * 1024)
    # a container's limit, of either version of cgroups
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        file = Path("/sys/fs/cgroup") / name
        if file.is_file() and file.read_text().strip().isdigit():
            limits.append(int(file.read_text()))
    return min(limits) + GPU_BYTES * len(list(Path("/dev").glob("nvidia[0-9]*")))


def refuse_beyond(parts: dict[str, float], keys: str) -> None:
    """Refuse what can't be held.

    Args:
        parts: what is held -> its bytes.
        keys: which to make smaller.

    Raises:
        ConfigError: they take more memory than there is.
    """
    most = available()
    if sum(parts.values()) <= most:
        return
    listed = ", ".join(f"{_size(value)} for {what}" for what, value in parts.items())
    raise ConfigError(
        f"This takes about {_size(sum(parts.values()))} of memory, and "
        f"{_size(most)} are free: {listed}.",
        f"make {keys} smaller",
    )


def _size(count: float) -> str:
    if count < 2**30:
        return f"{count / 2**20:,.0f} MiB"
    gigabytes = count / 2**30
    return f"{gigabytes:,.1f} GiB" if gigabytes < 1e6 else f"{gigabytes:.0e} GiB"
