"""The report of an export: one row per file, in `report.json`."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from vae_cli.errors import RunError
from vae_cli.runs.reading import read_json


@dataclass(frozen=True)
class Array:
    """An input or output of a network.

    Attributes:
        dtype: of its values.
        shape: of the array; None for any number of images.
    """

    dtype: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        sizes = ("N" if size is None else str(size) for size in self.shape)
        return f"{self.dtype} [{', '.join(sizes)}]"


@dataclass(frozen=True)
class FileReport:
    """A file, compared with the run.

    Attributes:
        network: `encoder`, `decoder` or `sampler`.
        format: of the file.
        file: its name in the export folder.
        runtime: name and version of what loaded it.
        checkpoint: `best` or `last`.
        weights_sha256: digest of that checkpoint.
        pixels: `model` or `data`.
        batch_size: images per call; None: any number.
        quantize: `none`, `float16` or `int8`.
        inputs: by name.
        outputs: by name.
        images: number and split of the images for the comparison.
        differences: largest difference of each output from the run's.
        root_mean_squares: of the differences of each output.
        tolerance: upper limit of `held_to_tolerance`.
        bytes: size of the file, or of all files of a folder.
        milliseconds_an_image: images per call -> milliseconds per image.
    """

    network: str
    format: str
    file: str
    runtime: str
    checkpoint: str
    weights_sha256: str
    pixels: str
    batch_size: int | None
    quantize: str
    inputs: dict[str, Array]
    outputs: dict[str, Array]
    images: str
    differences: dict[str, float]
    root_mean_squares: dict[str, float]
    tolerance: float
    bytes: int
    milliseconds_an_image: dict[int, float]

    @property
    def difference(self) -> float:
        """The largest of the differences."""
        return max(self.differences.values())

    @property
    def held_to_tolerance(self) -> dict[str, float]:
        """The differences, or their root mean squares if weights are rounded."""
        exact = self.quantize == "none"
        return self.differences if exact else self.root_mean_squares

    def one_line(self) -> str:
        """Return the row in a line."""
        times = ", ".join(
            f"{value:.3g} ms an image by {size}"
            for size, value in self.milliseconds_an_image.items()
        )
        return (
            f"{self.file}: difference {self.difference:.1e}, root mean square "
            f"{max(self.root_mean_squares.values()):.1e}, "
            f"{self.bytes / 1024:,.0f} KiB, {times}, {self.runtime}"
        )

    @staticmethod
    def from_json(values: dict[str, Any]) -> "FileReport":
        """Rebuild a row of `report.json`.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it isn't a row of a report.
        """
        row = {field.name: values[field.name] for field in fields(FileReport)}
        for key in ("inputs", "outputs"):
            row[key] = {
                str(name): Array(str(array["dtype"]), tuple(array["shape"]))
                for name, array in row[key].items()
            }
        for key in ("differences", "root_mean_squares"):
            row[key] = {str(name): float(value) for name, value in row[key].items()}
        row["milliseconds_an_image"] = {
            int(size): float(value)
            for size, value in row["milliseconds_an_image"].items()
        }
        file = str(row["file"])
        if Path(file).name != file or not row["differences"]:
            raise ValueError(f"file={file}")
        return FileReport(**row)


@dataclass(frozen=True)
class ExportReport:
    """The files of an export.

    Attributes:
        folder: of the files.
        run: name of the run folder.
        version: of this package.
        pixels: range and type of the data.
        classes: number -> name; empty unless the model is conditional.
        latent_dim: dimensions of z.
        cores: CPU cores of the machine that timed the files.
        files: one row per file.
    """

    folder: Path
    run: str
    version: str
    pixels: str
    classes: dict[int, str]
    latent_dim: int
    cores: int
    files: list[FileReport]

    def to_json(self) -> dict[str, Any]:
        """Return what `report.json` holds."""
        values = asdict(self)
        del values["folder"]
        for row, file in zip(values["files"], self.files, strict=True):
            row["difference"] = file.difference
        return values


def files_before(folder: Path, replaced: list[FileReport]) -> list[FileReport]:
    """Return the rows of an earlier export whose files are still there.

    Args:
        folder: of the export.
        replaced: rows of the new files, which replace earlier ones of the same name.

    Raises:
        RunError: `report.json` exists but isn't a report.
    """
    path = folder / "report.json"
    if not path.exists():
        return []
    try:
        rows = [FileReport.from_json(row) for row in read_json(path)["files"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(
            f"{path} is not a report of vae-export: {error}.",
            "delete it, or choose another place: output=<folder>",
        ) from error
    names = {row.file for row in replaced}
    return [r for r in rows if r.file not in names and (folder / r.file).exists()]
