"""DIP-VAE: codes whose covariance is the identity."""

from typing import Any

from keras import ops

from vae_cli.config.objective_aggregate import DipConfig
from vae_cli.models.objective.base import Draw, Elbo, TrainingSetup, for_each_image
from vae_cli.models.objective.terms import Terms
from vae_cli.registry import builds


@builds(DipConfig)
class Dip(Elbo):
    """The ELBO, and the distance of the codes' covariance C from the identity.

        penalty = lambda_od * sum_{i != j} C_ij^2 + lambda_d * sum_i (C_ii - 1)^2

    Type i: C = Cov[mean(x)]. Type ii: C = Cov[mean(x)] + E[diag(variance(x))], the
    covariance of z ~ q(z). Expectations are over the images of a batch.

    Source: Kumar et al., "Variational inference of disentangled latent concepts from
    unlabeled observations", 2018, eq. 6 and 7.
    """

    adds: tuple[str, ...] = ("penalty",)

    def __init__(self, config: DipConfig, setup: TrainingSetup) -> None:
        super().__init__(config, setup)
        self._of_codes = config.type == "ii"
        self._off_diagonal, self._diagonal = config.lambda_od, config.lambda_d

    def add(self, terms: Terms, images: Any, draw: Draw, training: bool) -> Terms:
        """Add the penalty, the same for each image, in training alone."""
        if not training:
            return terms
        posterior = draw.vae.mean_posterior(draw.encoded, training)
        covariance = covariance_of(posterior.mean)
        if self._of_codes:
            variance = ops.mean(ops.exp(posterior.log_var), axis=0)
            covariance = covariance + ops.diag(variance)
        diagonal = ops.diag(covariance)
        squares = ops.sum(covariance**2) - ops.sum(diagonal**2)
        penalty = self._off_diagonal * squares + self._diagonal * ops.sum(
            (diagonal - 1) ** 2
        )
        return terms.plus(extras={"penalty": for_each_image(penalty, terms)})


def covariance_of(values: Any) -> Any:
    """Return the covariance over a batch, [B, d] -> [d, d]: E[x x^T] - E[x] E[x]^T."""
    centred = values - ops.mean(values, axis=0)
    count = ops.cast(ops.shape(values)[0], "float32")
    return ops.matmul(ops.transpose(centred), centred) / count
