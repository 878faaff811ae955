"""Servers that the user has named: a run folder, which may be a stranger's, can't.

A tracker sends the user's login along, so the address must not come from a file alone.
"""

from vae_cli.data.cache import cache_folder

FILE = "trackers.txt"


def remember(uri: str | None) -> None:
    """Remember an address that the user typed."""
    if uri is None or is_known(uri):
        return
    file = cache_folder() / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lines:
        lines.write(f"{uri.rstrip('/')}\n")


def is_known(uri: str) -> bool:
    """Return whether the user has typed an address before."""
    file = cache_folder() / FILE
    return file.is_file() and uri.rstrip("/") in file.read_text().splitlines()
