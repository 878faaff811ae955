"""How `vae-evaluate` scores one run and writes what it finds."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vae_cli.config.commands import EvaluateConfig
from vae_cli.errors import RunError
from vae_cli.run import Run
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

SHOWN = 12
"""Samples of a run in the figure."""
MOST_SAMPLES = 2**31
"""Bytes of the samples and real images that are kept of a run."""

log = logging.getLogger(__name__)


def evaluate_run(config: EvaluateConfig, run: Run, reuse: bool) -> dict[str, Any]:
    """Score one run and write its `evaluation/`; prints the files.

    Args:
        config: what to score, and how.
        run: the run.
        reuse: take an earlier evaluation by the same protocol instead.
    """
    folder, name = run.folder, run.split_name(config.split)
    config = replace(config, split=name)
    seed = run.config.seed if config.seed is None else config.seed
    how = protocol(folder, run.config, config, seed, run.data)
    report = saved_report(folder, name, how) if reuse else None
    if report is not None:
        log.info("%s: evaluated already, with the same protocol", folder)
        return report
    _ = run.vae
    if weights_digest(folder, config.checkpoint) != how["weights_sha256"]:
        raise RunError(
            f"{folder} has new {config.checkpoint} weights since a moment ago.",
            "it is being trained: evaluate it when it has finished",
        )
    from vae_cli.data.images import to_float
    from vae_cli.training.progress_bar import fraction_bar
    from vae_cli.visualize.model_figures import evaluation_figure

    with fraction_bar(f"log p(x), {folder.path.name}") as progress:
        found = run.evaluate(
            name,
            importance_samples=config.importance_samples,
            num_images=config.num_images,
            generated_images=config.generated_images,
            seed=seed,
            batch_size=config.batch_size,
            chunk_size=config.chunk_size,
            memory_mb=config.memory_mb,
            progress=progress,
        )
    split = found.split
    report = {**found.to_json(), "protocol": how}
    with writing(folder.evaluation):
        if found.samples is not None:
            real = to_float(split.images[:SHOWN])
            shown = {"samples": found.samples[:SHOWN], "real": real}
            write_npz(shown_file(folder), shown)
        log.info("%s", one_line(report))
        write_report(folder, report)
        title = f"{run.name}: {len(split):,} {name} images"
        figure = folder.evaluation / f"{name}.png"
        evaluation_figure(run.vae, split, found.evaluation, title, figure)
        if config.save_npz:
            write_npz(Path(config.save_npz), found.evaluation.arrays(split))
            print(config.save_npz)
    for suffix in ("json", "md", "png"):
        print(folder.evaluation / f"{name}.{suffix}")
    return report


def shown_file(folder: RunFolder) -> Path:
    """Return where a run's first samples are kept for the figure."""
    return folder.evaluation / "samples.npz"


def draw_side_by_side(
    names: list[str], reports: list[dict[str, Any]], path: Path
) -> None:
    """Draw samples of several runs, a row each, below real images."""
    from vae_cli.visualize.plots import plot_rows

    rows: dict[str, np.ndarray] = {}
    for name, report in zip(names, reports, strict=True):
        file = shown_file(RunFolder(Path(name)))
        arrays = read_arrays(file, MOST_SAMPLES)
        if not {"real", "samples"} <= arrays.keys():
            raise RunError(f"{file} holds no samples: delete it and evaluate again.")
        rows.setdefault("real images", arrays["real"])
        label = f"{Path(name).name}\nsharpness {report.get('sharpness') or 0:.2f}"
        if report.get("frechet_distance") is not None:
            label += f"\nFrechet {report['frechet_distance']:.2f}"
        rows[label] = arrays["samples"]
    plot_rows(rows, "samples from the prior", path)
