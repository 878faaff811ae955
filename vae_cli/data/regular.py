"""Files that are files: reading a pipe or a device could wait for ever."""

import stat
from pathlib import Path

from vae_cli.errors import DataError

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def special_kind(path: Path) -> str | None:
    """Return what a path is, such as `a folder`; None if it is a regular file.

    It isn't opened; symbolic links are followed.

    Raises:
        OSError: it doesn't exist, or can't be looked at.
    """
    mode = path.stat().st_mode
    if stat.S_ISREG(mode):
        return None
    return KINDS.get(stat.S_IFMT(mode), "something else")


def check_regular(path: Path, key: str) -> None:
    """Refuse what is no regular file, without opening it; symbolic links are followed.

    Args:
        path: what should be read.
        key: the option that names it, for the message.

    Raises:
        DataError: it is a folder, a pipe, a socket or a device.
        OSError: it doesn't exist, or can't be looked at.
    """
    kind = special_kind(path)
    if kind:
        raise DataError(
            f"{key}={path} is {kind}, and only regular files are read.",
            "write what it gives into a file first",
        )
