"""Objectives: the bound on log p(x) that training maximises.

Each turns images and noise into terms in nats, one value per image, such that what is
minimised is

    loss = mean(reconstruction) + beta * mean(kl)

One that adds a term puts it into `Terms.extras` under a name in `adds`.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import ops

from vae_cli.config.objective import ElboConfig, IwaeConfig, ObjectiveConfig
from vae_cli.models.distributions import (
    Level,
    Levels,
    detached,
    kl_divergence,
    kl_per_dim,
    log_ratio,
)
from vae_cli.models.vae import UNCONDITIONAL, VAE, Condition, Encoded
from vae_cli.registry import builds


class Terms(NamedTuple):
    """Parts of a bound, and what an objective adds to it."""

    reconstruction: Any  # [B]; -log p(x|z), or what the bound leaves beside the KL
    kl: Any  # [B], KL(q(z|x) || p(z))
    kl_per_dim: Any  # [B, latent_dim], or None where the prior has no such terms
    neg_elbo: Any  # [B], at beta 1
    neg_bound: Any  # [B], the objective's own bound at beta 1
    mean: Any  # [B, latent_dim], posterior means
    extras: dict[str, Any] = {}  # noqa: RUF012  # [B] each; minimised, too
    own: dict[str, Any] = {}  # noqa: RUF012  # [B]; by the objective's own weights
    learned_from: dict[str, Any] = {}  # noqa: RUF012  # [B, ...]; by whole batches

    @property
    def added(self) -> dict[str, Any]:
        """What an objective adds, logged under its names."""
        return {**self.extras, **self.own}


def weighted(terms: Terms, weight: Any) -> Terms:
    """Multiply each image's terms by its weight, float32 [B]; None leaves them."""
    if weight is None:
        return terms

    def apply(values: Any) -> Any:
        return weight[:, None] * values if len(values.shape) == 2 else weight * values

    fields = terms._replace(mean=None, learned_from={})._asdict()
    weighted_terms = {
        name: keras.tree.map_structure(apply, x)
        for name, x in fields.items()
        if x is not None
    }
    return terms._replace(**weighted_terms | {"learned_from": terms.learned_from})


def concatenated(shards: list[Terms]) -> Terms:
    """Return the terms of a batch from those of its shards."""
    if len(shards) == 1:
        return shards[0]

    def join(name: str) -> Any:
        values = [getattr(terms, name) for terms in shards]
        if isinstance(values[0], dict):
            return {k: ops.concatenate([v[k] for v in values]) for k in values[0]}
        return None if values[0] is None else ops.concatenate(values)

    return Terms(*map(join, Terms._fields))


@builds(ElboConfig)
class Elbo:
    """ELBO(x) = E_q[log p(x|z)] - KL(q(z|x) || p(z)), one posterior sample.

    Args:
        config: its options.
        image_shape: (H, W, C), for a network that looks at images.
        num_classes: classes that such a network may be trained on first.
    """

    adds: tuple[str, ...] = ()
    """Names of what it adds in training, in `Terms.extras` and `Terms.own`."""
    network: Any = None
    """What it looks at images with, beside the model."""
    trainable_variables: Any = ()
    """The objective's own weights, trained with the model's."""
    pretraining_epochs = 0
    """Epochs that train its network first; the model's training then leaves it."""

    def __init__(
        self,
        config: ObjectiveConfig,
        image_shape: tuple[int, ...] = (),
        num_classes: int = 0,
    ) -> None:
        self.samples = config.posterior_samples
        self.bound = config.bound

    def __call__(
        self,
        vae: VAE,
        images: Any,
        noise: Any,
        beta: Any,
        condition: Condition = UNCONDITIONAL,
        training: bool = False,
    ) -> Terms:
        """Encode, draw, decode and score.

        Args:
            vae: the model.
            images: float32 [B, H, W, C] in [0, 1].
            noise: standard normal float32 [samples, B, latent_dim].
            beta: weight of the KL term.
            condition: of these images.
            training: whether dropout and batch statistics are on.
        """
        encoded = vae.encode(images, condition, training)
        levels = vae.levels(encoded, noise, condition, training)
        log_likelihood = vae.log_likelihood(images, levels, condition, training)
        return elbo_terms(vae, encoded, levels, -ops.mean(log_likelihood, axis=0))


def elbo_terms(
    vae: VAE, encoded: Encoded, levels: Levels, reconstruction: Any
) -> Terms:
    """Return the terms of -ELBO(x) = E_q[-log p(x|z)] + KL(q(z|x) || p(z)).

    Args:
        vae: the model.
        encoded: of B images.
        levels: codes drawn from it, S samples.
        reconstruction: -log p(x|z) averaged over the samples, [B].
    """
    by_level = [kl_per_dim(level.posterior, level.prior) for level in levels]
    if any(kl is None for kl in by_level):
        per_dim = None
        kl = ops.mean(sum(kl_divergence(q, p, z) for z, q, p in levels), axis=0)
    else:
        per_dim = ops.concatenate([ops.mean(kl, axis=0) for kl in by_level], axis=-1)
        kl = ops.sum(per_dim, axis=-1)
    neg_elbo = reconstruction + kl
    # not the draw's: with two levels its bottom means move with the top's noise
    mean = vae.mean_posterior(encoded).mean
    extras, learned = vae.code_terms(encoded)
    return Terms(
        reconstruction, kl, per_dim, neg_elbo, neg_elbo, mean, extras, {}, learned
    )


def kl_term(
    terms: Terms,
    total: Any,
    free_bits: float = 0.0,
    replicas: int = 1,
    over_replicas: Callable[[Any], Any] = lambda x: x,
) -> Any:
    """Return the KL term of the loss: a scalar, nats per image.

    KL = sum_j max(free_bits, mean over the batch of KL_j)

    With free_bits = 0 it is the plain KL. Where replicas share a batch, it is this
    shard's term: over replicas, the terms add up.

    Source: Kingma et al., "Improved variational inference with inverse autoregressive
    flow", 2016, eq. 15.

    Args:
        terms: of this shard's images.
        total: images in the whole batch.
        free_bits: nats per latent dimension.
        replicas: that share the batch.
        over_replicas: adds up a value over them.
    """
    if not free_bits:
        return ops.sum(terms.kl) / total
    per_dim = ops.sum(terms.kl_per_dim, axis=0) / total
    batch = over_replicas(tf.stop_gradient(per_dim))
    return ops.sum(ops.where(batch > free_bits, per_dim, free_bits / replicas))


@builds(IwaeConfig)
class Iwae(Elbo):
    """L_k(x) = E_q[log 1/k sum_i w_i],  w_i = p(x|z_i) p(z_i) / q(z_i|x), z_i ~ q.

    Beta weighs log p(z_i) - log q(z_i|x) within each w_i. The loss is -L_k; of it
    `kl` is the plain KL(q || p), and `reconstruction` what remains. With k = 1 the
    bound is the ELBO, and is computed as such, closed-form KL included.

    With `doubly_reparameterized`, the encoder's gradient is

        sum_i wn_i (1 - beta + beta wn_i) d log w_i / d z_i * d z_i

    wn the normalised weights; at beta 1 that is eq. 8 of Tucker et al., "Doubly
    reparameterized gradient estimators", 2019. It is unbiased as the plain one, and
    its signal doesn't fade as k grows.

    Source: Burda et al., "Importance weighted autoencoders", 2016, eq. 8.
    """

    def __init__(
        self,
        config: IwaeConfig,
        image_shape: tuple[int, ...] = (),
        num_classes: int = 0,
    ) -> None:
        super().__init__(config, image_shape, num_classes)
        self._doubly = config.doubly_reparameterized

    def __call__(
        self,
        vae: VAE,
        images: Any,
        noise: Any,
        beta: Any,
        condition: Condition = UNCONDITIONAL,
        training: bool = False,
    ) -> Terms:
        """Encode once, draw k codes an image, decode and score; as `Elbo`'s."""
        if self.samples == 1:
            return super().__call__(vae, images, noise, beta, condition, training)
        encoded = vae.encode(images, condition, training)
        levels = vae.levels(encoded, noise, condition, training)
        reweigh: dict[str, Any] = {}
        if self._doubly:
            levels = [
                Level(_with_scaled_gradient(z, reweigh), detached(q), p)
                for z, q, p in levels
            ]
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


def _with_scaled_gradient(z: Any, reweigh: dict[str, Any]) -> Any:
    """Return z; its gradient is multiplied by `reweigh["by"]`, known by then."""

    @tf.custom_gradient
    def scaled(x: Any) -> tuple[Any, Any]:
        return tf.identity(x), lambda gradient: gradient * reweigh["by"]

    return scaled(z)
