"""`vae cache`: the decoded pictures on disk; imports no TensorFlow."""

import sys

from vae_cli.data import cache, cache_contents
from vae_cli.errors import UsageError
from vae_cli.text import printable

HEADER = ("key", "MiB", "images", "size", "type", "written", "source")


def cache_command(arguments: list[str]) -> int:
    """List the cache's entries, clear them, or print where they are.

    Raises:
        DataError: there is no such entry, or a folder that can't be read or changed.
        UsageError: something else was typed.
    """
    action, *keys = arguments or ["list"]
    if action == "clear":
        count, freed = cache_contents.clear(keys or None)
        noun = "entry" if count == 1 else "entries"
        print(f"{count} {noun} deleted, {freed:,.1f} MiB freed")
    elif action == "path" and not keys:
        print(cache.cache_folder())
    elif action == "list" and not keys:
        _list()
    else:
        raise UsageError(
            f"vae cache takes no argument, path, or clear [KEY ...]; got "
            f"{' '.join(arguments)}.",
            "see vae cache --help",
        )
    return 0


def _list() -> None:
    """Print a line for each entry; what they take in all goes to stderr."""
    entries, left = cache_contents.entries(), cache_contents.leftovers()
    lines = [HEADER, *map(_line, entries)] if entries else []
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(w) for cell, w in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())
    total = sum(entry.megabytes for entry in entries)
    noun = "entry" if len(entries) == 1 else "entries"
    place = f"in {printable(cache.cache_folder())}"
    print(f"{len(entries)} {noun}, {total:,.1f} MiB, {place}", file=sys.stderr)
    if left:
        print(
            f"besides, {left:,.1f} MiB of entries that are unfinished or were "
            "changed; vae cache clear deletes them, too",
            file=sys.stderr,
        )


def _line(entry: cache.Entry) -> tuple[str, ...]:
    images, *size = entry.about["shape"]
    texts = (
        entry.path.name,
        f"{entry.megabytes:,.1f}",
        f"{images:,}",
        " x ".join(map(str, size)),
        entry.about["dtype"],
        entry.about["written"],
        entry.about.get("source", ""),
    )
    return tuple(map(printable, texts))
