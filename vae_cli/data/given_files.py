"""Files of images that a caller names: paths, folders and patterns, resolved."""

import glob
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vae_cli.data.decode import SUFFIXES
from vae_cli.data.listing import pictures_below
from vae_cli.errors import DataError
from vae_cli.paths import is_there
from vae_cli.text import printable

ARRAYS = (".npy", ".npz")
AT_A_TIME = 256
"""Pictures that are decoded at a time."""

Given = Any
"""Images as a caller names them: an array; a path or pattern of pictures, folders or
arrays, or a list of such."""


def source_name(given: Given) -> str:
    """Return what messages and reports call images of a caller: a path, or `array`."""
    if not are_paths(given):
        return "array"
    return str(given) if isinstance(given, (str, Path)) else ", ".join(map(str, given))


def own_name(given: Given) -> str:
    """Return the name of results about own images, which is no split's."""
    first = given[0] if isinstance(given, (list, tuple)) else given
    stem = Path(str(first).replace("*", "").replace("?", "")).resolve().stem
    more = (
        f"-and-{len(given) - 1}-more" if isinstance(given, list) and given[1:] else ""
    )
    return f"images-{printable(stem)}{more}"


def are_paths(given: Given) -> bool:
    """Return whether images are named by paths, and are no array."""
    if isinstance(given, (list, tuple)):
        return bool(given) and all(isinstance(one, (str, Path)) for one in given)
    return isinstance(given, (str, Path))


def groups(given: Given) -> Iterator[tuple[list[Path], list[str], float]]:
    """Yield pictures, a few at a time, or one array file, in the order of the files.

    Names to print come with them, and the fraction of files that are there then.
    """
    files, waiting = _files(given), 0
    for end, (path, _) in enumerate(files, 1):
        waiting += 1
        array = path.suffix.lower() in ARRAYS
        following = files[end][0].suffix.lower() if end < len(files) else ".npy"
        if array or following in ARRAYS or waiting == AT_A_TIME:
            some = files[end - waiting : end]
            yield [p for p, _ in some], [n for _, n in some], end / len(files)
            waiting = 0


def _files(given: Given) -> list[tuple[Path, str]]:
    """Return the files that a caller names, folders and patterns resolved.

    Raises:
        DataError: there are none.
    """
    files: list[tuple[Path, str]] = []
    for one in given if isinstance(given, (list, tuple)) else [given]:
        path = Path(one)
        if is_there(path):
            files += _below(path)
            continue
        matches = sorted(glob.glob(str(one), recursive=True))  # noqa: PTH207  not below a folder
        if not matches:
            raise DataError(
                f"images={one} does not exist.",
                "give pictures, folders of pictures, patterns ('scans/*.png'), or an "
                ".npy or .npz array",
            )
        top = _above_wildcards(str(one))
        for match in matches:
            found = _below(Path(match), must=False)
            files += [(p, printable(p.relative_to(top))) for p, _ in found]
    if not files:
        raise DataError(
            f"images={source_name(given)} matches no picture.",
            f"pictures are {', '.join(SUFFIXES)}",
        )
    # files of one name, from several folders, are named with these
    names = Counter(name for _, name in files)
    return [(p, printable(p) if names[name] > 1 else name) for p, name in files]


def _above_wildcards(pattern: str) -> Path:
    """Return the folder that names of a pattern's matches are relative to."""
    parts = Path(pattern).parts
    wild = (i for i, part in enumerate(parts) if glob.has_magic(part))
    first = next(wild, len(parts) - 1)
    return Path(*parts[:first])


def _below(path: Path, must: bool = True) -> list[tuple[Path, str]]:
    if not path.is_dir():
        return [(path, printable(path.name))]
    try:
        files = [(path / name, printable(name)) for name in pictures_below(path)]
    except OSError as error:
        raise DataError(f"images={path} can't be read: {error.strerror}.") from error
    if must and not files:
        raise DataError(
            f"images={path} holds no picture files.",
            f"pictures are {', '.join(SUFFIXES)}",
        )
    return files
