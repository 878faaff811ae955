"""Generated images, and what all ways to generate them need."""

import math
from dataclasses import dataclass

import numpy as np

from vae_cli.errors import ConfigError
from vae_cli.evaluation.batches import ConditionArrays
from vae_cli.evaluation.latent import decode, encode, kl_to_normal
from vae_cli.evaluation.names import GridNames
from vae_cli.memory import check_arrays
from vae_cli.models.vae import VAE
from vae_cli.pixels import EIGHT_BIT, Pixels
from vae_cli.runs.opened import OpenRun


@dataclass(frozen=True)
class Generated:
    """Decoded images and how to lay them out.

    Attributes:
        images: float32 [N, H, W, C] in the data's own range; [0, 1] for 8-bit pictures.
        z: their codes, float32 [N, latent_dim].
        columns: images in a row.
        labels: class of each image, int [N]; None for a model without labels.
        ends: images drawn left and right of each row, float32 [rows, 2, H, W, C].
        pixels: range and precision of the data.
        names: of rows and columns; None where there is nothing to say.
    """

    images: np.ndarray
    z: np.ndarray
    columns: int
    labels: np.ndarray | None = None
    ends: np.ndarray | None = None
    pixels: Pixels = EIGHT_BIT
    names: GridNames | None = None

    def stored(self, rows: slice = slice(None)) -> np.ndarray:
        """Return images as values of the data's own type, [N, H, W, C]."""
        images = self.images[rows]
        return self.pixels.typed(images * 255 if self.pixels.eight_bit else images)

    def pictures(self, rows: slice = slice(None)) -> np.ndarray:
        """Return images as they are looked at, float32 in [0, 1]."""
        return self._shown(self.images[rows])

    def cells(self) -> tuple[np.ndarray, int]:
        """Return the pictures of a grid, `ends` included, and its number of columns."""
        pictures = self.pictures()
        if self.ends is None:
            return pictures, self.columns
        rows = pictures.reshape(-1, self.columns, *pictures.shape[1:])
        ends = self._shown(self.ends)
        cells = np.concatenate([ends[:, :1], rows, ends[:, 1:]], axis=1)
        return cells.reshape(-1, *pictures.shape[1:]), self.columns + 2

    def _shown(self, images: np.ndarray) -> np.ndarray:
        if self.pixels.eight_bit:
            return images
        return self.pixels.shown(self.pixels.to_model(images))


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


def dimensions_by_kl(run: OpenRun) -> tuple[np.ndarray, np.ndarray]:
    """Return the latent dimensions, that of largest KL on held-out images first.

    Returns:
        int [latent_dim], and the KL of dimension 0, 1, ..., float [latent_dim], nats.
    """
    some = run.split(run.data.held_out).take(slice(2000))
    codes = encode(run.vae, some.images, condition=some.condition)
    kl = kl_to_normal(*codes)
    return np.argsort(-kl), kl


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
    run: OpenRun,
    z: np.ndarray,
    columns: int,
    batch_size: int,
    condition: ConditionArrays,
    ends: np.ndarray | None = None,
    names: GridNames | None = None,
) -> Generated:
    """Decode codes; arguments as those of `Generated`, `ends` as models get them."""
    pixels = run.spec.pixels
    images = pixels.from_model(decode(run.vae, z, batch_size, condition))
    if ends is not None:
        ends = pixels.from_model(ends)
    return Generated(images, z, columns, condition.get("label"), ends, pixels, names)
