"""Folders of TensorFlow Datasets: what they hold, and their records one by one.

Nothing that a folder names is imported.
"""

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from vae_cli.data.records import Record
from vae_cli.data.regular import check_regular
from vae_cli.errors import DataError, first_line

FEATURES = "features.json"
"""The file by which a prepared set is known."""
OURS = "tensorflow_datasets."
"""What the classes of features begin with."""
LARGEST = 2**31
"""Bytes of a record; protocol buffers hold no more."""


def prepared_folder(path: Path) -> Path:
    """Return the folder that holds a set: this one, or the only one below it.

    Raises:
        DataError: there is none, or several.
    """
    if not path.is_dir():
        check_regular(path, "dataset.path")
        raise DataError(
            f"dataset.path={path} is a file, and dataset=tfds takes a folder.",
            f"give the folder that holds {FEATURES}",
        )
    if (path / FEATURES).is_file():
        return path
    below = sorted(file.parent for file in path.rglob(FEATURES) if file.is_file())
    if len(below) == 1:
        return below[0]
    if not below:
        raise DataError(
            f"dataset.path={path} holds no prepared set: there is no {FEATURES}, here "
            "or below.",
            "give the folder that a builder has written, such as mnist/3.0.1",
        )
    raise DataError(
        f"dataset.path={path} holds {len(below)} prepared sets: "
        f"{', '.join(str(folder.relative_to(path)) for folder in below[:8])}.",
        f"say which: dataset.path={below[-1]}",
    )


def check_features(folder: Path) -> None:
    """Refuse features whose classes are not the package's: it would import them.

    Raises:
        DataError: there is such a class, or the file can't be read.
    """
    file = folder / FEATURES
    try:
        check_regular(file, "dataset.path")
        waiting = [json.loads(file.read_text(encoding="utf-8"))]
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{file} can't be read as JSON.") from error
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            for key in ("pythonClassName", "python_class_name", "type"):
                name = value.get(key, OURS)
                if isinstance(name, str) and "." in name and not name.startswith(OURS):
                    raise DataError(
                        f"{file} names the code {name}, which is never imported.",
                        f"features must be classes of {OURS.rstrip('.')}",
                    )
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def check_there(files: list[Path], name: str) -> None:
    """Refuse a set whose files aren't all there.

    Raises:
        DataError: naming one of them.
    """
    for file in files:
        try:
            check_regular(file, "dataset.path")
        except OSError as error:
            raise DataError(
                f"dataset.path={name}: {file} can't be read: {error.strerror}.",
                "prepare the set again, or copy the whole folder",
            ) from error


Parser = Callable[[bytes], Record]


class RecordFiles:
    """The files of a split, one after the other.

    Args:
        files: in order.
        form: what the package calls their format.
        parsed: from a record's bytes to picture and label.
        name: of the set, for messages.

    Raises:
        DataError: the format is not read.
    """

    def __init__(self, files: list[Path], form: str, parsed: Parser, name: str) -> None:
        readers = {"tfrecord": _tfrecords, "array_record": _array_records}
        if form not in readers:
            raise DataError(
                f"dataset.path={name} is stored as {form}, which is not read.",
                f"prepare it as {' or '.join(readers)}: "
                "builder.download_and_prepare(file_format='tfrecord')",
            )
        self._files, self._read, self._parsed = files, readers[form], parsed

    def read(self, rows: np.ndarray) -> Iterator[Record]:
        """Yield the records of some rows, in order."""
        wanted = iter(rows.tolist())
        following = next(wanted, None)
        row = 0
        for file in self._files:
            for record in self._read(file):
                if following is None:
                    return
                if row == following:
                    try:
                        yield self._parsed(record)
                    except Exception as error:  # parsers raise anything
                        raise DataError(
                            f"{file} is damaged: record {row} can't be read: "
                            f"{first_line(error)}."
                        ) from error
                    following = next(wanted, None)
                row += 1


def _tfrecords(file: Path) -> Iterator[bytes]:
    """Yield the records of a TFRecord file: length, checksum, bytes, checksum.

    Raises:
        DataError: it is cut short.
    """
    with file.open("rb") as stream:
        while header := stream.read(12):
            length = struct.unpack("<Q", header[:8])[0] if len(header) == 12 else None
            record = b""
            if length is not None and length < LARGEST:
                record = stream.read(length)
            if length is None or len(record) < length or len(stream.read(4)) < 4:
                raise DataError(
                    f"{file} is damaged: it is cut short, or no TFRecord file.",
                    "prepare the set again, or copy the file again",
                )
            yield record


def _array_records(file: Path) -> Iterator[bytes]:
    """Yield the records of an ArrayRecord file.

    Raises:
        DataError: it is damaged.
    """
    from array_record.python.array_record_data_source import ArrayRecordDataSource

    try:
        source = ArrayRecordDataSource([str(file)])
        for row in range(len(source)):
            yield source[row]
    except (RuntimeError, ValueError, OSError) as error:
        raise DataError(
            f"{file} is damaged: {first_line(error)}.",
            "prepare the set again, or copy the file again",
        ) from error
