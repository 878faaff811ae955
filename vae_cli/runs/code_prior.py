"""The learned prior of a run's codes: its weights, beside those of the autoencoder."""

import logging
import warnings
from pathlib import Path

import keras
import numpy as np

from vae_cli.errors import RunError
from vae_cli.models.vae import VAE
from vae_cli.runs.folder import RunFolder

log = logging.getLogger(__name__)


def weights_file(folder: RunFolder) -> Path:
    """Return where the weights of the best prior are kept."""
    return folder.checkpoints / "prior.weights.h5"


def save_code_prior(network: keras.Model, folder: RunFolder) -> None:
    """Write a network's weights, in one step."""
    file = weights_file(folder)
    partial = file.with_name("prior.partial.weights.h5")
    network.save_weights(partial)
    partial.replace(file)


def load_code_prior(vae: VAE, folder: RunFolder, checkpoint: str) -> None:
    """Put the learned prior in place, or say why the uniform one is used.

    Args:
        vae: with the weights of the checkpoint.
        folder: of the run.
        checkpoint: `best` or `last`.

    Raises:
        RunError: the file is truncated, or of another network.
    """
    prior = vae.prior_network
    if not prior.has_second_stage:
        return
    file = weights_file(folder)
    if checkpoint != "best" or not file.is_file():
        reason = (
            "the learned one is of the best checkpoint's codes"
            if checkpoint != "best"
            else f"none was learned yet; vae-train resume={folder}"
        )
        log.warning("the prior of codes is uniform: %s", reason)
        return
    network = prior.new_network()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network.load_weights(file)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        first = str(error).strip().splitlines()[0]
        raise RunError(
            f"{file} can't be read, or doesn't fit {folder.config_file}: {first}",
            "delete it to use the uniform prior",
        ) from error
    if not all(np.isfinite(variable).all() for variable in network.variables):
        raise RunError(
            f"{file} holds weights that are NaN or infinite.",
            "delete it to use the uniform prior",
        )
    prior.learned = network
