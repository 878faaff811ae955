"""The terms of a bound, a value per image, and how they are joined and weighed."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import ops

from vae_cli.models.distributions import Levels, kl_per_dim, log_ratio
from vae_cli.models.generative import Encoded
from vae_cli.models.vae import VAE


class Terms(NamedTuple):
    """Parts of a bound, and what an objective adds to it."""

    reconstruction: Any  # [B]; -log p(x|z), or the rest of the bound without the KL
    kl: Any  # [B], KL(q(z|x) || p(z))
    # [B, latent_dim], of categorical codes [B, N]; None without a closed form
    kl_per_dim: Any
    neg_elbo: Any  # [B], at beta 1
    neg_bound: Any  # [B], the objective's own bound at beta 1
    mean: Any  # [B, latent_dim], posterior means
    extras: dict[str, Any] = {}  # noqa: RUF012  # [B] each; minimised, too
    own: dict[str, Any] = {}  # noqa: RUF012  # [B]; by the objective's own weights
    statistics: dict[str, Any] = {}  # noqa: RUF012  # [B]; logged, not minimised
    learned_from: dict[str, Any] = {}  # noqa: RUF012  # [B, ...]; by whole batches
    kl_per_level: Any = None  # [B, levels], top first

    @property
    def added(self) -> dict[str, Any]:
        """What an objective adds, logged under its names."""
        return {**self.extras, **self.own, **self.statistics}

    def plus(self, **kinds: dict[str, Any]) -> "Terms":
        """Return the terms with more `extras`, `own` or `statistics`."""
        having = self._asdict()
        return self._replace(**{k: {**having[k], **v} for k, v in kinds.items()})


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


def elbo_terms(
    vae: VAE,
    encoded: Encoded,
    levels: Levels,
    reconstruction: Any,
    sampled: bool = False,
) -> Terms:
    """Return the terms of -ELBO(x) = E_q[-log p(x|z)] + KL(q(z|x) || p(z)).

    Args:
        vae: the model.
        encoded: of B images.
        levels: codes drawn from it, S samples.
        reconstruction: -log p(x|z) averaged over the samples, [B].
        sampled: estimate the KL from the samples, also where it has a closed form.
    """
    by_level = [None if sampled else kl_per_dim(q, p) for _, q, p in levels]
    per_level = [
        ops.mean(-log_ratio([level]) if kl is None else ops.sum(kl, axis=-1), axis=0)
        for kl, level in zip(by_level, levels, strict=True)
    ]
    if any(kl is None for kl in by_level):
        per_dim = None
        kl = sum(per_level)
    else:
        per_dim = ops.concatenate([ops.mean(kl, axis=0) for kl in by_level], axis=-1)
        kl = ops.sum(per_dim, axis=-1)
    neg_elbo = reconstruction + kl
    mean = vae.code_means(encoded, levels)
    terms = Terms(reconstruction, kl, per_dim, neg_elbo, neg_elbo, mean)
    extras, learned_from = vae.code_terms(encoded)
    return terms._replace(
        kl_per_level=ops.stack(per_level, axis=-1),
        extras=extras,
        learned_from=learned_from,
    )


def kl_term(
    terms: Terms,
    total: Any,
    free_bits: float = 0.0,
    replicas: int = 1,
    over_replicas: Callable[[Any], Any] = lambda x: x,
    by_level: bool = False,
) -> Any:
    """Return the KL term of the loss: a scalar, nats per image.

    KL = sum_j max(free_bits, mean over the batch of KL_j)

    j is a dimension, or a level with all of its dimensions. With free_bits = 0 it is
    the plain KL. Where replicas share a batch, it is this shard's term: over replicas,
    the terms add up.

    Source: Kingma et al., "Improved variational inference with inverse autoregressive
    flow", 2016, eq. 15.

    Args:
        terms: of this shard's images.
        total: images in the whole batch.
        free_bits: nats per latent dimension, or per level.
        replicas: that share the batch.
        over_replicas: adds up a value over them.
        by_level: whether a floor is that of a level.
    """
    if not free_bits:
        return ops.sum(terms.kl) / total
    parts = terms.kl_per_level if by_level else terms.kl_per_dim
    own = ops.sum(parts, axis=0) / total
    batch = over_replicas(tf.stop_gradient(own))
    return ops.sum(ops.where(batch > free_bits, own, free_bits / replicas))
