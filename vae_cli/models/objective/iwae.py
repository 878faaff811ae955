"""The importance-weighted bound."""

import math
from typing import Any

import tensorflow as tf
from keras import ops

from vae_cli.config.objective import IwaeConfig
from vae_cli.models.distributions import log_ratio
from vae_cli.models.generative import UNCONDITIONAL, Condition
from vae_cli.models.objective.base import Elbo, TrainingSetup
from vae_cli.models.objective.pathwise import with_detached_posteriors
from vae_cli.models.objective.terms import Terms, elbo_terms
from vae_cli.models.vae import VAE
from vae_cli.registry import builds


@builds(IwaeConfig)
class Iwae(Elbo):
    """L_k(x) = E_q[log 1/k sum_i w_i],  w_i = p(x|z_i) p(z_i) / q(z_i|x), z_i ~ q.

    Beta weighs log p(z_i) - log q(z_i|x) within each w_i. The loss is -L_k; of it
    `kl` is the plain KL(q || p), and `reconstruction` what remains. With k = 1 the
    bound is the ELBO, and is computed as such, closed-form KL included.

    With `doubly_reparameterized`, the encoder's gradient is

        sum_i wn_i (1 - beta + beta wn_i) d log w_i / d z_i * d z_i

    wn the normalized weights; at beta 1 that is eq. 8 of Tucker et al., "Doubly
    reparameterized gradient estimators", 2019. It is unbiased as the plain one, and
    its signal doesn't fade as k grows.

    With several levels, z is the code of all of them, d z_i / d phi passes through the
    levels above, and the score is that of the joint q(z|x). The distribution of a lower
    level depends on the sample above; d log w_i / d z_i includes that dependence, with
    the networks' weights constant. In coordinates relative to the prior (see
    `models/hierarchy.py`), the prior's networks are a part of q, whose gradient is
    doubly reparameterized, too. Source: Bauer & Mnih, "Generalized doubly
    reparameterized gradient estimators", 2021, sections 4 and 5.

    Source: Burda et al., "Importance weighted autoencoders", 2016, eq. 8.
    """

    def __init__(
        self,
        config: IwaeConfig,
        setup: TrainingSetup = TrainingSetup(),  # noqa: B008
    ) -> None:
        super().__init__(config, setup)
        self._doubly = config.doubly_reparameterized
        self._detaches = False  # one sample is the plain ELBO

    def __call__(
        self,
        vae: VAE,
        images: Any,
        noise: Any,
        beta: Any,
        condition: Condition = UNCONDITIONAL,
        training: bool = False,
        step: Any = 0,
    ) -> Terms:
        """Encode once, draw k codes per image, decode and score; as `Elbo`'s."""
        if self.noise_arrays == 1:
            return super().__call__(vae, images, noise, beta, condition, training, step)
        encoded = vae.encode(images, condition, training)
        levels = vae.levels(encoded, noise, condition, training)
        reweigh: dict[str, Any] = {}
        if self._doubly:
            levels = with_detached_posteriors(
                vae,
                encoded,
                levels,
                condition,
                training,
                lambda z: with_scaled_gradient(z, reweigh),
            )
        scores = vae.log_likelihood(images, levels, condition, training)
        ratio = log_ratio(levels)
        log_weights = scores + beta * ratio
        normalized = tf.stop_gradient(tf.nn.softmax(log_weights, axis=0))
        reweigh["by"] = (1 - beta + beta * normalized)[..., None]
        elbo = elbo_terms(vae, encoded, levels, -ops.mean(scores, axis=0))
        kl = tf.stop_gradient(elbo.kl)
        return elbo._replace(
            reconstruction=-log_mean_exp(log_weights) - beta * kl,
            kl=kl,
            neg_bound=-log_mean_exp(scores + ratio),
        )


def log_mean_exp(log_weights: Any) -> Any:
    """Return log 1/S sum_s exp(log_weights[s]): [S, ...] -> [...]."""
    count = log_weights.shape[0]
    return ops.logsumexp(log_weights, axis=0) - math.log(count)


def with_scaled_gradient(z: Any, reweigh: dict[str, Any]) -> Any:
    """Return z; its gradient is multiplied by `reweigh["by"]`, known by then."""

    @tf.custom_gradient
    def scaled(x: Any) -> tuple[Any, Any]:
        return tf.identity(x), lambda gradient: gradient * reweigh["by"]

    return scaled(z)
