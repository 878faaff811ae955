"""Images drawn from the model, each with the code that it was drawn from.

The code is an exact sample of the posterior p(z|x) of its image.

Source: Grosse et al., "Sandwiching the marginal likelihood using bidirectional Monte
Carlo", 2015, section 3.
"""

from typing import Any

import numpy as np

from vae_cli.evaluation.batches import (
    ConditionArrays,
    checked_condition,
    over_batches,
)
from vae_cli.evaluation.latent import sample_prior
from vae_cli.models.vae import VAE
from vae_cli.randomness import Stream, generator


def simulated(
    vae: VAE, count: int, seed: int, condition: ConditionArrays | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Draw images from the model: float32 [count, H, W, C], and the code of each.

    Args:
        vae: the model, whose likelihood has samples.
        count: how many.
        seed: fixes the draw.
        condition: of each, as `Split.condition` has it.
    """
    z = sample_prior(vae, count, seed, condition=condition)

    def outputs(z: Any, condition: Any) -> tuple[Any]:
        return (vae.decode(z, vae.condition(**condition)),)

    (logits,) = over_batches(outputs, (z, checked_condition(vae, condition)), 250)
    images = vae.likelihood.sample(logits, generator(seed, Stream.SIMULATION))
    return images.astype(np.float32), z
