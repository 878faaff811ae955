"""The scores of one of the user's own pictures."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scored:
    """An own picture with its code, reconstruction and scores.

    Attributes:
        name: of the file, safe to print.
        picture: as prepared for the model, float32 [H, W, C] in [0, 1].
        reconstruction: likewise.
        mean: its code, float32 [latent_dim].
        scores: name -> value, in nats except `unexplained_variance`.
        rank: fraction of images of the split with a lower `neg_elbo`.
        label: class used for encoding, for a conditional model.
    """

    name: str
    picture: np.ndarray
    reconstruction: np.ndarray
    mean: np.ndarray
    scores: dict[str, float]
    rank: float
    label: int | None = None
