"""beta-TCVAE: the KL taken apart, and its total correlation weighed by itself."""

from typing import Any

from keras import ops

from vae_cli.config.objective_aggregate import BetaTcConfig
from vae_cli.models.distributions import Levels
from vae_cli.models.objective.base import Draw, Elbo, TrainingSetup
from vae_cli.models.objective.terms import Terms
from vae_cli.registry import builds


@builds(BetaTcConfig)
class BetaTc(Elbo):
    """The ELBO with a larger weight of the total correlation.

    Averaged over images, with q(z) the mean of q(z|x_n) over the N training images,

        KL = mutual information   E[log q(z|x) - log q(z)]
           + total correlation    E[log q(z) - sum_j log q(z_j)]
           + dimension-wise KL    E[sum_j log q(z_j) - log p(z)]

        penalty = (tc_weight - 1) * total correlation

    so that with beta = 1 the loss is reconstruction + mutual information + tc_weight *
    total correlation + dimension-wise KL. The whole KL keeps its closed form; the three
    estimates add up to its one-sample estimate.

    Source: Chen et al., "Isolating sources of disentanglement in variational
    autoencoders", 2018, eq. 2 and 4.
    """

    adds: tuple[str, ...] = (
        "penalty",
        "mutual_information",
        "total_correlation",
        "dimension_wise_kl",
    )

    def __init__(self, config: BetaTcConfig, setup: TrainingSetup) -> None:
        super().__init__(config, setup)
        self._extra_weight = config.tc_weight - 1
        self._num_images = setup.num_images

    def add(self, terms: Terms, images: Any, draw: Draw, training: bool) -> Terms:
        """Add the penalty and the three parts of the KL, in training alone."""
        if not training:
            return terms
        parts = kl_parts(draw.levels, self._num_images)
        penalty = self._extra_weight * parts["total_correlation"]
        return terms.plus(extras={"penalty": penalty}, statistics=parts)


def kl_parts(levels: Levels, num_images: int) -> dict[str, Any]:
    """Return estimates of the three parts of the KL for each image, [B].

    Args:
        levels: one, with one sample of each of B images that were drawn from the
            training images without replacement.
        num_images: training images, N.
    """
    ((z, posterior, prior),) = levels
    # [B, B, d]: log q(z_i of dimension j | x_n), for every code and every image
    pairs = posterior.log_prob_per_dim(z[0][:, None])
    log_weights = stratified_log_weights(ops.shape(pairs)[0], num_images)
    log_q = ops.logsumexp(ops.sum(pairs, axis=-1) + log_weights, axis=1)
    # the weights once for the joint, and once for each marginal
    marginals = ops.logsumexp(pairs + log_weights[..., None], axis=1)
    log_product = ops.sum(marginals, axis=-1)
    return {
        "mutual_information": posterior.log_prob(z)[0] - log_q,
        "total_correlation": log_q - log_product,
        "dimension_wise_kl": log_product - prior.log_prob(z)[0],
    }


def stratified_log_weights(size: Any, num_images: int) -> Any:
    """Return log w_in such that E[sum_n w_in q(z_i|x_n)] = q(z_i), float32 [B, B].

        w_ii = 1/N,   w_in = (N - 1) / (N (B - 1))

    An image's own posterior is always among those of its batch, and so has the weight
    that it has in q(z); the other B - 1 are a random subset and share the rest. The
    source gives one of the others (N - B + 1) / (N (B - 1)) and the rest 1 / (B - 1);
    this is the mean over which one that is: of the same expectation, less variance, and
    exact where a batch holds all images.

    Source: Chen et al. 2018, appendix C.2. Some implementations write 1/N to the first
    column in place of the diagonal, and add the weights once for each dimension.

    Args:
        size: images of the batch, B.
        num_images: training images, N.
    """
    size = ops.cast(size, "float32")
    # the last batch of an epoch may have a single image: all there is to go by
    own = ops.where(size > 1, 1.0 / num_images, 1.0)
    other = (1.0 - 1.0 / num_images) / ops.maximum(size - 1.0, 1.0)
    eye = ops.eye(ops.cast(size, "int32"))
    # N = 1 has no others; the smallest number keeps the unused logarithm finite
    return eye * ops.log(own) + (1 - eye) * ops.log(ops.maximum(other, 1e-30))
