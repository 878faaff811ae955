"""A data set: stripes, upright or level."""

from dataclasses import dataclass

import numpy as np

import vae_cli as vae


@vae.register("dataset", "stripes")
@dataclass
class StripesConfig(vae.DatasetConfig):
    """Stripes of random widths, upright or level."""

    num_images: int = vae.option("training images", at_least=2, default=200)
    validation_size: int = vae.option("validation images", at_least=0, default=50)


@vae.builds(StripesConfig)
def stripes(config):
    """Return (train, test) arrays: uint8 [N, 12, 12], labels 0 and 1."""
    return drawn(config.num_images, 0), drawn(50, 1)


def drawn(count, seed):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    widths = rng.integers(1, 5, count)
    rows = [(np.arange(12) // width % 2 * 255).astype(np.uint8) for width in widths]
    images = [np.tile(row, (12, 1)) for row in rows]
    turned = [x.T if y else x for x, y in zip(images, labels, strict=True)]
    return vae.Arrays(np.stack(turned), labels)
