"""How `vae-evaluate` evaluates one run and writes its report."""

import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vae_cli.commands._run import options
from vae_cli.config.evaluate import RUN_EVALUATE_KEYS, EvaluateConfig
from vae_cli.data.images import to_float
from vae_cli.errors import RunError
from vae_cli.run import Run
from vae_cli.runs.densities import store_densities
from vae_cli.runs.evaluations import (
    one_line,
    protocol,
    saved_report,
    weights_digest,
    write_report,
)
from vae_cli.runs.files import write_npz
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.reading import read_arrays
from vae_cli.runs.report import writing

if TYPE_CHECKING:
    from vae_cli.evaluation.split_report import SplitReport

NUM_SAMPLES = 12
"""Samples of a run in the figure of several runs."""
MAX_SAMPLE_BYTES = 2**31
"""Of the samples and real images that are kept of a run."""

log = logging.getLogger(__name__)


def evaluate_run(config: EvaluateConfig, run: Run, reuse: bool) -> dict[str, Any]:
    """Evaluate one run and write its `evaluation/`; prints the files.

    Args:
        config: what to measure, and how.
        run: the run.
        reuse: take an earlier evaluation by the same protocol instead.
    """
    folder, name = run.folder, run.split_name(config.split)
    seed = run.config.seed if config.seed is None else config.seed
    config = replace(config, split=name, seed=seed)
    how = protocol(folder, run.config, config, seed, run.data)
    saved = saved_report(folder, name, how) if reuse else None
    if saved is not None:
        log.info("%s: evaluated already, with the same protocol", folder)
        return saved
    _ = run.vae
    if weights_digest(folder, config.checkpoint) != how["weights_sha256"]:
        raise RunError(
            f"{folder} has new {config.checkpoint} weights since a moment ago.",
            "it is being trained: evaluate it when it has finished",
        )
    from vae_cli.progress import fraction_bar

    with fraction_bar(f"log p(x), {folder.path.name}") as progress:
        how_much = options(config, RUN_EVALUATE_KEYS)
        for section in ("prior", "ais", "gap"):
            how_much[section] = asdict(how_much[section])
        report = run.evaluate(**how_much, progress=progress)
    store_densities(folder, run.checkpoint, run.densities)
    values = {**report.to_json(), "protocol": how}
    log.info("%s", one_line(values))
    with writing(folder.evaluation):
        _write(run, report, values, config)
    return values


def _write(
    run: Run, report: "SplitReport", values: dict[str, Any], config: EvaluateConfig
) -> None:
    """Write a report, its figure and its arrays; prints the files."""
    from vae_cli.visualize.files import save_figure

    folder = run.folder
    if report.samples is not None:
        real = to_float(report.split.images[:NUM_SAMPLES])
        arrays = {"samples": report.samples[:NUM_SAMPLES], "real": real}
        write_npz(_samples_file(folder), arrays)
    form = config.figure.format
    write_report(folder, values, form)
    stem = folder.evaluation / report.split_name
    save_figure(run.plot_evaluation(report), stem.with_suffix(f".{form}"))
    if report.disentanglement is not None:
        second = stem.with_name(f"{stem.name}-disentanglement.{form}")
        save_figure(run.plot_disentanglement(report), second)
    if config.save_npz:
        write_npz(Path(config.save_npz), report.evaluation.arrays(report.split))
        print(config.save_npz)
    for suffix in (".json", ".md", f".{form}"):
        print(stem.with_suffix(suffix))
    if report.disentanglement is not None:
        print(second)


def _samples_file(folder: RunFolder) -> Path:
    """Return where a run's first samples are kept for the figure."""
    return folder.evaluation / "samples.npz"


def draw_side_by_side(
    names: list[str], reports: list[dict[str, Any]], path: Path
) -> None:
    """Draw samples of several runs, a row each, below real images."""
    from vae_cli.visualize.files import save_figure
    from vae_cli.visualize.plots import plot_rows

    rows: dict[str, np.ndarray] = {}
    for name, report in zip(names, reports, strict=True):
        file = _samples_file(RunFolder(Path(name)))
        arrays = read_arrays(file, MAX_SAMPLE_BYTES)
        if not {"real", "samples"} <= arrays.keys():
            raise RunError(f"{file} holds no samples: delete it and evaluate again.")
        rows.setdefault("real images", arrays["real"])
        label = f"{Path(name).name}\nsharpness {report.get('sharpness') or 0:.2f}"
        if report.get("frechet_distance") is not None:
            label += f"\nFrechet {report['frechet_distance']:.2f}"
        rows[label] = arrays["samples"]
    save_figure(plot_rows(rows, "samples from the prior"), path)
