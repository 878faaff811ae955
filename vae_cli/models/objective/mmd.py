"""InfoVAE and WAE: the maximum mean discrepancy between codes and prior."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from vae_cli.config.objective_aggregate import MmdConfig
from vae_cli.models.distributions import code
from vae_cli.models.objective.base import (
    Draw,
    Elbo,
    TrainingSetup,
    for_each_image,
    prior_codes,
)
from vae_cli.models.objective.terms import Terms
from vae_cli.registry import builds


@builds(MmdConfig)
class Mmd(Elbo):
    """The ELBO, and how far the codes of all images are from the prior.

        penalty = mmd_weight * MMD^2(q(z), p(z))
        neg_infovae = reconstruction + beta * KL + penalty

    Codes of a batch's images are compared with as many codes from the prior. With
    beta = 0 it is the WAE; with beta = 1 - alpha and mmd_weight = alpha + lambda - 1
    the InfoVAE. `neg_infovae`, with the full beta whatever the schedule does, selects
    the best epoch: with beta = 0 nothing keeps the ELBO from growing worse.

    Sources: Zhao et al., "InfoVAE", 2019, eq. 6; Tolstikhin et al., "Wasserstein
    auto-encoders", 2018, algorithm 2.
    """

    adds: tuple[str, ...] = ("penalty",)
    extra_noise = 2  # of the prior's codes, and of the component of a mixture

    def __init__(self, config: MmdConfig, setup: TrainingSetup) -> None:
        super().__init__(config, setup)
        self._weight, self._full_beta = config.mmd_weight, setup.beta
        self._kernel, self._scales = config.kernel, config.scales

    def add(self, terms: Terms, images: Any, draw: Draw, training: bool) -> Terms:
        """Add the penalty, the same for each image; in a validation, too."""
        discrepancy = squared_mmd(
            code(draw.levels)[0], prior_codes(draw), self._kernel, self._scales
        )
        penalty = for_each_image(self._weight * discrepancy, terms)
        bound = terms.reconstruction + self._full_beta * terms.kl + penalty
        return terms.plus(extras={"penalty": penalty})._replace(neg_bound=bound)


def squared_mmd(x: Any, y: Any, kernel: str, scales: Sequence[float]) -> Any:
    """Return the unbiased estimate of MMD^2 between two samples of n, a scalar.

        1/(n(n-1)) sum_{i != j} (k(x_i, x_j) + k(y_i, y_j)) - 2/n^2 sum_ij k(x_i, y_j)

    With C = 2 d s for each scale s, k is the sum of C / (C + r^2) (`imq`) or of
    exp(-r^2 / C) (`rbf`), r the distance. It may be negative. It is 0 for n = 1.

    Source: Gretton et al., "A kernel two-sample test", 2012, eq. 3; the kernels are
    those of Tolstikhin et al. 2018, section 4, with the scales of their code.

    Args:
        x: float32 [n, d].
        y: likewise.
        kernel: `imq` or `rbf`.
        scales: of the kernels.
    """
    count = ops.cast(ops.shape(x)[0], "float32")
    widths = ops.convert_to_tensor([2.0 * x.shape[-1] * s for s in scales], "float32")

    def total(a: Any, b: Any) -> Any:
        # not by differences of products, which cancel for codes close to each other
        square = ops.sum((a[:, None] - b[None]) ** 2, axis=-1)[..., None]
        if kernel == "rbf":
            return ops.sum(ops.exp(-square / widths))
        return ops.sum(widths / (widths + square))

    # k(x, x) = 1 for each kernel, on the diagonals
    itself = len(scales) * count
    pairs = ops.maximum(count * (count - 1), 1.0)
    within = (total(x, x) - itself + total(y, y) - itself) / pairs
    return ops.where(count > 1, within - 2 * total(x, y) / count**2, 0.0)
