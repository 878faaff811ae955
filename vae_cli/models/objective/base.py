"""Objectives: the bound on log p(x) that training maximises.

Each turns images and noise into terms in nats, one value per image, such that what is
minimised is

    loss = mean(reconstruction) + beta * mean(kl)

One that adds a term puts it into `Terms.extras`, and what it only reports into
`Terms.statistics`, under names in `adds`. All of it is logged under these names.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import ops

from vae_cli.config.objective import ElboConfig, ObjectiveConfig
from vae_cli.models.distributions import (
    Levels,
    code,
    kl_per_dim,
    log_ratio,
)
from vae_cli.models.objective.pathwise import with_detached_posteriors
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


class Facts(NamedTuple):
    """What an objective may need to know of a training."""

    image_shape: tuple[int, ...] = ()  # (H, W, C)
    num_classes: int = 0  # that a network may be trained on first
    latent_dim: int = 1  # of all levels
    num_images: int = 1  # for training
    steps_per_epoch: int = 1
    beta: float = 1.0  # the full weight of the KL


class Draw(NamedTuple):
    """What an objective may compute more from, beside the bound's terms."""

    vae: VAE
    encoded: Encoded
    levels: Levels  # S samples
    logits: Any  # of these codes, [S, B, H, W, C]; None unless `needs_logits`
    noise: Any  # standard normal [extra_noise, B, latent_dim]
    condition: Condition
    beta: Any  # weight of the KL
    step: Any  # of the training, scalar integer


@builds(ElboConfig)
class Elbo:
    """ELBO(x) = E_q[log p(x|z)] - KL(q(z|x) || p(z)), one posterior sample.

    An objective that adds something overrides `add`.

    With `sticking_the_landing`, the KL is log q(z|x) - log p(z) at the sample, and its
    gradient passes through z alone:

        d KL / d phi = d(log q - log p) / dz * dz / d phi

    The score d log q / d phi that is left out is zero in expectation. Where q is the
    true posterior, the gradient of each sample is zero, too.

    Source: Roeder et al., "Sticking the landing", 2017, eq. 8.

    Args:
        config: its options.
        facts: of the training.
    """

    adds: tuple[str, ...] = ()
    """Names of what it adds in training, in `Terms.added`."""
    extra_noise = 0
    """Noise arrays [B, latent_dim] that it takes beside those of the posterior."""
    needs_logits = False
    """Whether it looks at the logits of the codes."""
    network: Any = None
    """A network beside the model."""
    trainable_variables: Any = ()
    """The objective's own weights, trained with the model's."""
    state: Sequence[Any] = ()
    """Other variables that change with the steps, and that a resumed run needs."""
    pretraining_epochs = 0
    """Epochs that train its network first; the model's training then leaves it."""

    def __init__(self, config: ObjectiveConfig, facts: Facts = Facts()) -> None:  # noqa: B008
        self.samples = config.posterior_samples + self.extra_noise
        self.bound = config.bound
        self._detaches = config.detaches_posteriors

    @property
    def variables(self) -> list[Any]:
        """All that a resumed run needs of it."""
        return [*(self.network.variables if self.network else ()), *self.state]

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
        """Encode, draw, decode and score.

        Args:
            vae: the model.
            images: float32 [B, H, W, C] in [0, 1].
            noise: standard normal float32 [samples, B, latent_dim].
            beta: weight of the KL term.
            condition: of these images.
            training: whether dropout and batch statistics are on.
            step: of the training, scalar integer.
        """
        count = noise.shape[0] - self.extra_noise
        encoded = vae.encode(images, condition, training)
        levels = vae.levels(encoded, noise[:count], condition, training)
        if training and self._detaches:
            levels = with_detached_posteriors(vae, encoded, levels, condition, training)
        logits = None
        if self.needs_logits:
            logits = vae.decode_samples(code(levels), condition, training)
            log_likelihood = vae.log_likelihood_of_logits(images, logits, condition)
        else:
            log_likelihood = vae.log_likelihood(images, levels, condition, training)
        terms = elbo_terms(
            vae,
            encoded,
            levels,
            -ops.mean(log_likelihood, axis=0),
            sampled=training and self._detaches,
        )
        draw = Draw(vae, encoded, levels, logits, noise[count:], condition, beta, step)
        return self.add(terms, images, draw, training)

    def add(self, terms: Terms, images: Any, draw: Draw, training: bool) -> Terms:
        """Return the bound's terms with what the objective adds.

        Args:
            terms: of the ELBO.
            images: float32 [B, H, W, C].
            draw: what the terms were computed from.
            training: whether it is a training step. In a validation only the bound is
                read, so there is no need to add anything else.
        """
        return terms

    def kl_weight(self, beta: Any) -> Any:
        """Return the weight of the KL term in the loss, given the schedule's."""
        return beta

    def after_step(self, mean: Callable[[Any], Any], terms: Terms) -> None:
        """Update what changes with the steps; called within each training step.

        Args:
            mean: returns the mean over the images of the whole batch of a term [B].
            terms: of the images of this replica.
        """


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


def prior_codes(draw: Draw) -> Any:
    """Return codes from the prior, [B, latent_dim], of two extra noise arrays.

    The first array is the codes' noise, the second picks the component of a mixture.
    """
    uniform = 0.5 * ops.erfc(-draw.noise[1, :, 0] / math.sqrt(2.0))
    return draw.vae.sample_prior(draw.noise[0], uniform, draw.condition)


def for_each_image(value: Any, terms: Terms) -> Any:
    """Return a scalar, such as a statistic of a batch, as a term of each image [B]."""
    return value + ops.zeros_like(terms.neg_elbo)
