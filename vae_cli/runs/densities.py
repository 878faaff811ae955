"""`fitted/` of a run folder: densities of its codes, so that none is fitted twice.

Each is an .npz of arrays, with the digest of the weights whose codes it is of: when a
resumed run has other weights, it is fitted again.
"""

import hashlib
import logging
from pathlib import Path
from typing import Any

import numpy as np

from vae_cli.errors import RunError
from vae_cli.runs.files import write_npz
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.reading import read_arrays

MAX_BYTES = 2**31
"""Of a density's arrays: 400 components in 800 dimensions."""
DIGEST = "weights_sha256"

log = logging.getLogger(__name__)


def read_density(
    folder: RunFolder, checkpoint: str, name: str
) -> dict[str, np.ndarray] | None:
    """Return the arrays of a stored density; None if there is none of these weights.

    Args:
        folder: the run.
        checkpoint: `best` or `last`.
        name: of the density, such as `mixture-10`.

    Raises:
        RunError: the file is damaged.
    """
    file = _file(folder, checkpoint, name)
    if not file.exists():
        return None
    arrays = read_arrays(file, MAX_BYTES)
    if str(arrays.pop(DIGEST, "")) != _digest(folder, checkpoint):
        return None
    return arrays


def store_densities(
    folder: RunFolder, checkpoint: str, densities: dict[str, Any]
) -> None:
    """Store densities that are not stored yet; warns where nothing can be written."""
    for name, density in densities.items():
        try:
            if read_density(folder, checkpoint, name) is not None:
                continue
            digest = np.array(_digest(folder, checkpoint))
            arrays = {**density.arrays(), DIGEST: digest}
            write_npz(_file(folder, checkpoint, name), arrays)
        except (OSError, RunError) as error:
            log.warning("the density is not stored, and is fitted again: %s", error)


def _file(folder: RunFolder, checkpoint: str, name: str) -> Path:
    return folder.fitted / f"{checkpoint}-{name}.npz"


def _digest(folder: RunFolder, checkpoint: str) -> str:
    return hashlib.sha256(folder.weights(checkpoint).read_bytes()).hexdigest()
