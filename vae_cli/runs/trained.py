"""A trained model, back from its run folder."""

import math
import warnings
from pathlib import Path

import h5py
import keras
import numpy as np

from vae_cli.config.train import TrainConfig
from vae_cli.data_spec import DataSpec
from vae_cli.errors import RunError
from vae_cli.models.factory import build_model
from vae_cli.models.vae import VAE
from vae_cli.runs.code_prior import load_code_prior
from vae_cli.runs.folder import RunFolder

SLACK = 2**16
"""Bytes by which small arrays of a model may exceed its weights file."""


def load_trained(
    folder: RunFolder, config: TrainConfig, spec: DataSpec, checkpoint: str
) -> VAE:
    """Build a run's model and load its weights; starts no training, runs no code.

    Args:
        folder: the run.
        config: its config.
        spec: of its images.
        checkpoint: `best` or `last`.

    Raises:
        RunError: files are missing, truncated, or don't fit each other.
    """
    file = folder.weights(checkpoint)
    needed = 4 * parameter_count(config, spec)
    # before it is built: a damaged config can name a model beyond memory
    if needed > file.stat().st_size + SLACK:
        reason = f"the model has {needed:,} bytes of weights, the file fewer"
        raise _misfit(file, folder, reason)
    vae = build_model(config, spec)
    load_weights(vae, folder, checkpoint)
    load_code_prior(vae, folder, checkpoint)
    return vae


def parameter_count(config: TrainConfig, spec: DataSpec) -> int:
    """Return how many parameters a model has, without making room for them."""
    with keras.StatelessScope(initialize_variables=False):
        vae = build_model(config, spec)
    return sum(math.prod(variable.shape) for variable in vae.variables)


def load_weights(vae: VAE, folder: RunFolder, checkpoint: str) -> None:
    """Load a run's weights into a model of the same config.

    Raises:
        RunError: the file is missing, truncated, or of another model.
    """
    file = folder.weights(checkpoint)
    try:
        with warnings.catch_warnings():
            # Keras warns of each missing layer before it raises
            warnings.simplefilter("ignore")
            vae.load_weights(file)
            arrays = _count_arrays(file)
    except (OSError, RuntimeError) as error:
        raise RunError(
            f"{file} can't be read: it is truncated or not an HDF5 file.",
            "try the other checkpoint: checkpoint=best or checkpoint=last",
        ) from error
    except (ValueError, KeyError) as error:
        raise _misfit(file, folder, str(error).strip().splitlines()[0]) from error
    if arrays > len(vae.variables):  # Keras leaves out what it has no place for
        reason = f"it holds {arrays} arrays, the model {len(vae.variables)}"
        raise _misfit(file, folder, reason)
    if not all(np.isfinite(variable).all() for variable in vae.variables):
        raise RunError(
            f"{file} holds weights that are NaN or infinite.",
            "try the other checkpoint: checkpoint=best or checkpoint=last",
        )


def _count_arrays(file: Path) -> int:
    names: list[str] = []
    with h5py.File(file) as content:
        content.visit(names.append)
        return sum(isinstance(content[name], h5py.Dataset) for name in names)


def _misfit(file: Path, folder: RunFolder, reason: str) -> RunError:
    return RunError(
        f"{file} doesn't fit {folder.config_file} and {folder.data_file.name}: "
        f"{reason}",
        "the weights come from another model, or one of the two was edited",
    )
