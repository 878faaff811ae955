"""The end of a run: evaluation, export, figures and summary."""

import logging
from collections.abc import Iterable
from dataclasses import asdict
from statistics import median
from typing import Any

from vae_cli.config.train import TrainConfig
from vae_cli.data.prepare import pick_split
from vae_cli.data.splits import ImageData
from vae_cli.evaluation.bounds import ElboResult, bits_per_dim, evaluate_elbo
from vae_cli.models.vae import VAE
from vae_cli.runs.files import write_json
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.metrics_file import complete_rows
from vae_cli.training.checkpoints import Progress
from vae_cli.training.report import draw_figures
from vae_cli.training.tensorboard import complete_tensorboard
from vae_cli.visualize.options import drawn_as

log = logging.getLogger(__name__)


def complete_folder(
    config: TrainConfig,
    data: ImageData,
    folder: RunFolder,
    vae: VAE,
    progress: Progress,
) -> None:
    """Score the test images and write metrics, exported networks and figures.

    Args:
        config: the run's config.
        data: images.
        folder: the run.
        vae: the model with its best weights.
        progress: where training ended.
    """
    result: ElboResult | None = None
    at_most: Iterable[float] = ()
    name = data.held_out
    held_out = pick_split(data, config.dataset, name, config.corruption)
    if name == "test":
        log.info("scoring %s test images", f"{len(held_out):,}")
        result = evaluate_elbo(
            vae, held_out.images, config.seed, condition=held_out.condition
        )
        if held_out.mask is None:
            at_most = bits_per_dim(vae, data.spec, result.neg_elbo).values()
    else:
        log.info("this data set has no test images; what it has: vae-evaluate")
    measure = vae.likelihood.measure(data.spec)
    rows = complete_rows(folder.metrics_csv, progress.epoch)
    write_json(
        folder.metrics_json,
        _summary(progress, config.objective.bound, rows, measure, result),
    )
    encoder, decoder = vae.export_networks()
    encoder.save(folder.model / "encoder.keras")
    decoder.save(folder.model / "decoder.keras")
    with drawn_as(config.figure):
        draw_figures(
            folder, vae, name, held_out, rows, data.spec, config.seed, config.figure
        )
    if config.tracker.writes_tensorboard:
        complete_tensorboard(
            config, data, folder, vae, progress.epoch, progress.seconds
        )
    best, last = rows[progress.best_epoch - 1]["beta"], rows[-1]["beta"]
    if best < 0.99 * last:
        log.warning(
            "the best weights (smallest validation bound at beta 1) are of epoch %d, "
            "when beta was still %.3g; for those of full beta use checkpoint=last",
            progress.best_epoch,
            best,
        )
    if result is not None:
        log.info(
            "test neg. ELBO %.2f nats per image = %.2f %s + %.2f KL%s; %s; weights of "
            "epoch %d",
            result.neg_elbo,
            result.reconstruction_loss,
            measure,
            result.kl_loss,
            "".join(f"; at most {bits:.3f} bits per dimension" for bits in at_most),
            _used(result, vae),
            progress.best_epoch,
        )


def _used(result: ElboResult, vae: VAE) -> str:
    """Return how much of the latent space is used, in words."""
    if result.codebook_use is None:
        return f"{result.active_units} of {vae.latent_dim} units active"
    words = f"codes used {result.codebook_use:.0%}, perplexity {result.perplexity:.1f}"
    if result.neg_elbo_uniform is not None:
        words += f"; with the uniform prior {result.neg_elbo_uniform:.2f}"
    return words


def _summary(
    progress: Progress,
    bound: str,
    rows: list[dict[str, float]],
    measure: str,
    result: ElboResult | None,
) -> dict[str, Any]:
    """Return the contents of `metrics.json`."""
    return {
        "best_epoch": progress.best_epoch,
        f"best_{bound}": progress.best_bound,
        "train_seconds": round(progress.seconds, 2),
        "images_per_second": round(median(row["images_per_second"] for row in rows), 1),
        "reconstruction_measure": measure,
        "test": None if result is None else asdict(result),
    }
