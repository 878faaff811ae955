"""Generated images, and what all ways to generate them need."""

import math
from dataclasses import dataclass

import numpy as np

from vae_cli.errors import ConfigError
from vae_cli.evaluation.batches import ConditionArrays
from vae_cli.evaluation.latent import decode, encode, kl_to_normal
from vae_cli.memory import check_arrays
from vae_cli.models.vae import VAE
from vae_cli.runs.opened import OpenRun


@dataclass(frozen=True)
class Generated:
    """Decoded images and how to lay them out.

    Attributes:
        images: float32 [N, H, W, C] in [0, 1].
        z: their codes, float32 [N, latent_dim].
        columns: images in a row.
        labels: class of each image, int [N]; None for a model without labels.
        ends: images drawn left and right of each row, float32 [rows, 2, H, W, C].
    """

    images: np.ndarray
    z: np.ndarray
    columns: int
    labels: np.ndarray | None = None
    ends: np.ndarray | None = None

    def cells(self) -> tuple[np.ndarray, int]:
        """Return the images of a grid, `ends` included, and its number of columns."""
        if self.ends is None:
            return self.images, self.columns
        rows = self.images.reshape(-1, self.columns, *self.images.shape[1:])
        cells = np.concatenate([self.ends[:, :1], rows, self.ends[:, 1:]], axis=1)
        return cells.reshape(-1, *self.images.shape[1:]), self.columns + 2


def whole_images(run: OpenRun) -> VAE:
    """Return a run's model, which must draw whole images.

    Raises:
        ConfigError: it inpaints.
    """
    if run.config.conditioning.on_observed:
        raise ConfigError(
            f"{run.folder} inpaints, and can't generate images without observed pixels "
            f"(conditioning={run.config.conditioning.name}).",
            f"fill in some: vae-reconstruct run={run.folder}",
        )
    return run.vae


def dimensions_by_kl(run: OpenRun) -> np.ndarray:
    """Return the latent dimensions, that of largest KL on held-out images first."""
    some = run.split(run.data.held_out).take(slice(2000))
    codes = encode(run.vae, some.images, condition=some.condition)
    return np.argsort(-kl_to_normal(*codes))


def check_size(vae: VAE, count: int) -> None:
    """Refuse more images than memory holds, before there are any."""
    pixels = math.prod(vae.decoder.output_shape[1:])
    check_arrays(
        f"{count:,} images and their grid",
        (count, pixels + vae.latent_dim),
        "num_images, rows or columns",
        copies=3,
    )


def decoded(
    vae: VAE,
    z: np.ndarray,
    columns: int,
    batch_size: int,
    condition: ConditionArrays,
    ends: np.ndarray | None = None,
) -> Generated:
    """Decode codes; the arguments are those of `Generated`."""
    images = decode(vae, z, batch_size, condition)
    return Generated(images, z, columns, condition.get("label"), ends)
