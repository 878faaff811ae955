"""What a model makes of a picture of the user's."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scored:
    """An own picture, and what the model makes of it.

    Attributes:
        name: of the file, safe to print.
        picture: as the model gets it, float32 [H, W, C] in [0, 1].
        reconstruction: likewise.
        mean: its code, float32 [latent_dim].
        scores: name -> nats, but for `unexplained_variance`.
        rank: fraction of images of the split with a lower `neg_elbo`.
        label: class that it was encoded as, for a conditional model.
    """

    name: str
    picture: np.ndarray
    reconstruction: np.ndarray
    mean: np.ndarray
    scores: dict[str, float]
    rank: float
    label: int | None = None
