"""How `vae-evaluate` scores one run."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from vae_cli.config.commands import EvaluateConfig
from vae_cli.errors import RunError
from vae_cli.runs.evaluations import (
    one_line,
    protocol,
    saved_report,
    weights_digest,
    write_report,
)
from vae_cli.runs.files import write_npz
from vae_cli.runs.folder import RunFolder

log = logging.getLogger(__name__)


def evaluate_run(
    config: EvaluateConfig, folder: RunFolder, reuse: bool
) -> dict[str, Any]:
    """Score one run and write its `evaluation/`.

    Args:
        config: what to score, and how.
        folder: the run.
        reuse: take an earlier evaluation by the same protocol instead.
    """
    run_config = folder.load_config()
    from vae_cli.data.prepare import some
    from vae_cli.runs.data import load_run_data, scored_split, split_name

    data = load_run_data(folder, run_config, config.dataset.path)
    name = split_name(data, config.split)  # told before TensorFlow starts
    config = replace(config, split=name)
    seed = run_config.seed if config.seed is None else config.seed
    how = protocol(folder, run_config, config, seed, data)
    report = saved_report(folder, name, how) if reuse else None
    if report is not None:
        log.info("%s: evaluated already, with the same protocol", folder)
        return report
    from vae_cli.runtime import start_tensorflow

    start_tensorflow()
    from vae_cli.commands._samples import sample_report
    from vae_cli.evaluation.summary import evaluate_split
    from vae_cli.runs.trained import load_trained
    from vae_cli.training.progress_bar import share_bar
    from vae_cli.visualize.model_figures import evaluation_figure

    split = scored_split(data, run_config, name)
    split = some(split, config.num_images, run_config.dataset.seed)
    run = load_trained(folder, config.checkpoint)
    if weights_digest(folder, config.checkpoint) != how["weights_sha256"]:
        raise RunError(
            f"{folder} has new {config.checkpoint} weights since a moment ago.",
            "it is being trained: evaluate it when it has finished",
        )
    train = None
    if name != "train":
        train = scored_split(data, run_config, "train")
    with share_bar(f"log p(x), {folder.path.name}") as progress:
        evaluation = evaluate_split(
            run.vae,
            data.spec,
            split,
            train,
            seed,
            config.importance_samples,
            progress,
            batch_size=config.batch_size,
            chunk_size=config.chunk_size,
            memory_mb=config.memory_mb,
        )
    try:
        quality = sample_report(run, data, split, config.samples, seed)
        report = {
            "split": name, **evaluation.report, **quality, "protocol": how,
        }  # fmt: skip
        log.info("%s", one_line(report))
        write_report(folder, report)
        figure = folder.evaluation / f"{name}.png"
        title = f"{folder.path.resolve().name}: {len(split):,} {name} images"
        evaluation_figure(run.vae, split, evaluation, title, figure)
        if config.npz:
            write_npz(Path(config.npz), evaluation.arrays(split))
            print(config.npz)
    except OSError as error:
        raise RunError(
            f"{error.filename or folder.evaluation} can't be written: "
            f"{error.strerror or error}."
        ) from error
    for suffix in ("json", "md", "png"):
        print(folder.evaluation / f"{name}.{suffix}")
    return report
