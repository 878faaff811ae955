"""Quantizers: from what an encoder gives for each position to one of K codes.

Each is a Keras layer, which holds the codes' vectors, and says:

- `posterior(features, training)`: q(z|x) of features [..., B, N, C].
- `vectors(codes)`, `indices(z)`: codes int32 [..., N] <-> z float32 [..., N * D].
- `terms(features, posterior)`: what is minimised besides the bound, and what the
  codes are learned from, [B, ...] each.
- `update(...)`: what is learned from whole batches, not by gradients.
"""

from vae_cli.models.quantizers.base import Quantizer
from vae_cli.models.quantizers.categorical import CategoricalQuantizer
from vae_cli.models.quantizers.finite_scalar import FiniteScalarQuantizer
from vae_cli.models.quantizers.vector import VectorQuantizer

__all__ = [
    "CategoricalQuantizer",
    "FiniteScalarQuantizer",
    "Quantizer",
    "VectorQuantizer",
]
