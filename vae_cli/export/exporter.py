"""Exports a run: writes each network in each format, loads and compares it."""

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import keras

from vae_cli import __version__
from vae_cli.config.export import TOLERANCES, ExportConfig
from vae_cli.errors import ConfigError, RunError
from vae_cli.export.compare import (
    BATCHES,
    differences,
    milliseconds_an_image,
    outputs_of,
)
from vae_cli.export.examples import Example, Examples
from vae_cli.export.formats import Format, Settings
from vae_cli.export.keras_format import KerasFormat
from vae_cli.export.litert import LiteRT
from vae_cli.export.networks import Builder
from vae_cli.export.onnx import Onnx
from vae_cli.export.page import page
from vae_cli.export.report import Array, ExportReport, FileReport, files_before
from vae_cli.export.saved_model import SavedModel
from vae_cli.lock import take_lock
from vae_cli.runs.data import check_outputs
from vae_cli.runs.evaluations import weights_digest
from vae_cli.runs.files import write_json, write_text
from vae_cli.runs.opened import OpenRun
from vae_cli.runs.report import writing
from vae_cli.workers import cores

FORMATS: dict[str, Format] = {
    each.name: each for each in (SavedModel(), Onnx(), LiteRT(), KerasFormat())
}
LEVEL = 1 / 255
"""Difference of one uint8 level, which rounding may cause."""
LOCK = ".lock"
"""File in the temporary folder that is locked while the export runs."""
NUM_CALIBRATION = 200
"""Images for calibrating the ranges of int8."""

log = logging.getLogger(__name__)


def export(
    run: OpenRun, how: ExportConfig, progress: Callable[[float], None]
) -> ExportReport:
    """Write a run's networks to files, and compare each with the run.

    The files appear in the folder only after all of them have passed. Files of the same
    name are replaced; others stay.

    Args:
        run: the run.
        how: options of `vae-export`.
        progress: called with the fraction that is done.

    Raises:
        ConfigError: a package is missing, or a format doesn't support a network.
        RunError: a file differs from the run by more than the tolerance, or can't be
            written.
    """
    if run.config.latent.is_discrete:
        raise ConfigError(
            f"vae-export exports networks of real vectors; {run.folder} has discrete "
            f"codes (latent={run.config.latent.name}).",
            f"open {run.folder.model}/encoder.keras (image -> codes, z) and "
            "decoder.keras (z -> image) in Keras",
        )
    for name in how.format:
        FORMATS[name].check()
    folder = Path(how.output or run.folder.path / "export")
    named = {folder / _file_name(how, n, f) for n in how.networks for f in how.format}
    for file in sorted(named):
        check_outputs(run.folder, run.config, output=file)
    with (
        writing(folder, "choose another place: output=<folder>"),
        _staging(folder) as staging,
    ):
        rows = _Exporter(run, how, staging).all_files(progress)
        before = files_before(folder, rows)
        for row in before:
            if row.checkpoint == how.checkpoint and row.weights_sha256 not in {
                new.weights_sha256 for new in rows
            }:
                log.warning("%s has earlier weights of the run", folder / row.file)
        labels = run.vae.labels.tolist() if run.vae.num_labels else []
        report = ExportReport(
            folder=folder,
            run=run.name,
            version=__version__,
            pixels=str(run.spec.pixels),
            classes={label: run.spec.class_name(label) for label in labels},
            latent_dim=run.vae.latent_dim,
            cores=cores(),
            files=sorted([*before, *rows], key=lambda row: row.file),
        )
        for row in rows:
            _move(staging / row.file, folder / row.file)
        write_json(folder / "report.json", report.to_json())
        write_text(folder / "README.md", page(report))
    return report


class _Exporter:
    """Writes and compares one file after another."""

    def __init__(self, run: OpenRun, how: ExportConfig, folder: Path) -> None:
        self._run, self._how, self._folder = run, how, folder
        self._in_data_range = how.pixels == "data"
        size = how.batch_size or max(BATCHES)
        self._count = size * max(1, max(BATCHES) // size)
        self._split = run.data.held_out
        self._digest = weights_digest(run.folder, run.checkpoint)
        self._builder = Builder(
            run.vae,
            run.spec.pixels if self._in_data_range else None,
            how.batch_size,
            run.config.corruption.likelihood_pixels == "missing",
        )

    def all_files(self, progress: Callable[[float], None]) -> list[FileReport]:
        how, rows = self._how, []
        examples = self._examples(self._split, self._count, 0)
        for name in how.networks:
            network, example = self._builder.build(name), examples.of(name)
            # examples have the inputs of every kind of model
            inputs = {x.name: example.inputs[x.name] for x in network.inputs}
            example = Example(inputs, example.outputs)
            for each in how.format:
                rows.append(self._file(network, example, FORMATS[each]))
                progress(len(rows) / len(how.networks) / len(how.format))
        return rows

    def _examples(self, split: str, count: int, seed: int) -> Examples:
        return Examples(self._run, split, count, seed, self._in_data_range)

    def _file(self, network: keras.Model, example: Example, kind: Format) -> FileReport:
        how, run = self._how, self._run
        quantize = how.quantize if kind.name == "litert" else "none"
        path = self._folder / _file_name(how, network.name, kind.name)
        calibration = None
        if quantize == "int8":
            calibration = self._calibration(network)
        settings = Settings(how.batch_size, quantize, calibration)
        name, inputs = network.name, example.inputs
        kind.attempt(name, "converted", lambda: kind.write(network, path, settings))
        call = kind.attempt(name, "opened again", lambda: kind.open(path))
        outputs = kind.attempt(
            name, "run", lambda: outputs_of(call, inputs, how.batch_size)
        )
        largest, rms = differences(outputs, example)
        tolerance = how.tolerance or TOLERANCES[quantize]
        if any(array.dtype == "uint8" for array in network.outputs):
            tolerance = max(tolerance, LEVEL * (1 + 1e-6))
        row = FileReport(
            network=name,
            format=kind.name,
            file=path.name,
            runtime=kind.version(),
            checkpoint=run.checkpoint,
            weights_sha256=self._digest,
            pixels=how.pixels,
            batch_size=how.batch_size,
            quantize=quantize,
            inputs={x.name: Array(x.dtype, tuple(x.shape)) for x in network.inputs},
            outputs={
                name: Array(x.dtype, tuple(x.shape))
                for name, x in network.output.items()
            },
            images=f"{self._count} {self._split} images",
            differences=largest,
            root_mean_squares=rms,
            tolerance=tolerance,
            bytes=_size(path),
            milliseconds_an_image=milliseconds_an_image(call, inputs, how.batch_size),
        )
        _check(row)
        log.info("%s", row.one_line())
        return row

    def _calibration(self, network: keras.Model) -> dict:
        split = "validation" if self._run.data.validation else "train"
        count = max(NUM_CALIBRATION, self._how.batch_size or 1)
        inputs = self._examples(split, count, 1).of(network.name).inputs
        return {x.name: inputs[x.name] for x in network.inputs}


def _check(row: FileReport) -> None:
    """Refuse a file that differs from the run by more than the tolerance, or by NaN."""
    for name, difference in row.held_to_tolerance.items():
        if difference <= row.tolerance:
            continue
        advice = "the format computes differently from TensorFlow; use another"
        if row.quantize == "int8":
            advice = "quantize=float16 is closer"
        how = "" if row.quantize == "none" else " (root mean square)"
        raise RunError(
            f"format={row.format}: {name} of the {row.network} differs from the run's "
            f"by {difference:.2g}{how} on {row.images}, more than tolerance="
            f"{row.tolerance:.2g}; no file is kept.",
            f"{advice}, or accept it: tolerance={1.2 * difference:.2g}",
        )


def _file_name(how: ExportConfig, network: str, kind: str) -> str:
    """Return a file's name, with the options that aren't the defaults."""
    parts = [network]
    parts += ["data"] if how.pixels == "data" else []
    parts += [f"batch{how.batch_size}"] if how.batch_size else []
    parts += [how.quantize] if kind == "litert" and how.quantize != "none" else []
    parts += ["last"] if how.checkpoint == "last" else []
    return "-".join(parts) + FORMATS[kind].suffix


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder in `folder`, which is removed if it is new and empty."""
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder)
    staging = folder / f".{os.getpid()}.partial"
    try:
        staging.mkdir()
        with (staging / LOCK).open("w") as lock:
            take_lock(lock, exclusive=True)
            yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if is_new and not any(folder.iterdir()):
            folder.rmdir()


def _remove_leftovers(folder: Path) -> None:
    """Remove temporary folders of exports that were killed; a live one is locked."""
    for staging in folder.glob(".*.partial"):
        if not (staging / LOCK).exists():
            continue
        with (staging / LOCK).open("r+") as lock:
            if take_lock(lock, exclusive=True):
                shutil.rmtree(staging, ignore_errors=True)


def _move(source: Path, target: Path) -> None:
    """Move a file or folder, replacing the target."""
    if target.is_dir() and not target.is_symlink():
        earlier = source.with_name(f"{source.name}.earlier")
        target.rename(earlier)
    source.rename(target)


def _size(path: Path) -> int:
    """Return the bytes of a file, or of a folder's files."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
