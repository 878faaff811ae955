"""Objectives: the bound on log p(x) that training maximises.

Each turns images and noise into terms in nats, one value per image, such that what is
minimised is

    mean(reconstruction) + kl_weight(beta) * kl_term + sum of mean(extra)

The `loss` in the logs is the first two terms. An objective that adds a term puts it
into `Terms.extras`, and what it only reports into `Terms.statistics`, under names in
`adds`. All of it is logged under these names.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from keras import ops

from vae_cli.config.objective import ElboConfig, ObjectiveConfig
from vae_cli.models.distributions import Levels, normal_cdf
from vae_cli.models.generative import UNCONDITIONAL, Condition, Encoded
from vae_cli.models.objective.pathwise import with_detached_posteriors
from vae_cli.models.objective.terms import Terms, elbo_terms
from vae_cli.models.vae import VAE
from vae_cli.registry import builds


class TrainingSetup(NamedTuple):
    """What an objective may need to know of the training."""

    image_shape: tuple[int, ...] = ()  # (H, W, C)
    num_classes: int = 0  # that a network may be trained on first
    latent_dim: int = 1  # of all levels
    num_images: int = 1  # for training
    steps_per_epoch: int = 1
    beta: float = 1.0  # the full weight of the KL


class Draw(NamedTuple):
    """What an objective may use to compute additional terms."""

    vae: VAE
    encoded: Encoded
    levels: Levels  # S samples
    logits: Any  # of these codes, [S, B, H, W, C]; None unless `needs_logits`
    noise: Any  # standard normal [extra_noise, B, noise_dim]
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
        setup: of the training.
    """

    adds: tuple[str, ...] = ()
    """Names of what it adds in training, in `Terms.added`."""
    extra_noise = 0
    """Noise arrays [B, noise_dim] needed in addition to those of the posterior."""
    needs_logits = False
    """Whether it looks at the logits of the codes."""
    network: Any = None
    """A second network, such as a discriminator."""
    trainable_variables: Any = ()
    """The objective's own weights, trained with the model's."""
    state: Sequence[Any] = ()
    """Other variables that change with the steps, and that a resumed run needs."""
    pretraining_epochs = 0
    """Epochs that train its network first; the model's training then leaves it."""

    def __init__(
        self,
        config: ObjectiveConfig,
        setup: TrainingSetup = TrainingSetup(),  # noqa: B008
    ) -> None:
        self.noise_arrays = config.posterior_samples + self.extra_noise
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
            noise: standard normal float32 [noise_arrays, B, noise_dim].
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
            logits = vae.logits(levels, condition, training)
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


def prior_codes(draw: Draw) -> Any:
    """Return codes from the prior, [B, latent_dim], of two extra noise arrays.

    The first array is the codes' noise, the second picks the component of a mixture.
    """
    uniform = normal_cdf(draw.noise[1, :, 0])
    return draw.vae.sample_prior(draw.noise[0], uniform, draw.condition)


def for_each_image(value: Any, terms: Terms) -> Any:
    """Return a scalar, such as a statistic of a batch, as a term of each image [B]."""
    return value + ops.zeros_like(terms.neg_elbo)
