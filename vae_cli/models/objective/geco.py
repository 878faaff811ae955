"""GECO: the weight of the KL follows a constraint on the reconstruction."""

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from vae_cli.config.objective_constraint import GecoConfig
from vae_cli.models.objective.base import Draw, Elbo, TrainingSetup, for_each_image
from vae_cli.models.objective.terms import Terms
from vae_cli.registry import builds

LARGEST = math.log(1e4)
"""Of |log lambda|: a constraint that can't be met would raise it for ever."""


@builds(GecoConfig)
class Geco(Elbo):
    """The smallest KL whose error is within a tolerance.

        loss = reconstruction + beta / lambda * KL
        constraint = error - tolerance
        average <- smoothing * average + (1 - smoothing) * constraint
        log lambda <- log lambda + rate * average per pixel

    lambda, the Lagrange multiplier, starts at 1, grows while the error is too large,
    and falls when it is smaller than it need be. The source minimises KL + lambda *
    constraint; the loss is that over lambda, which is a bound at weight beta / lambda
    and keeps the scale of the reconstruction. The error is the reconstruction itself,
    or the squared error of a pixel. The latter moves lambda alone: what is minimised is
    still the likelihood, which is the source's loss up to a factor for Gaussian pixels
    of a fixed scale.

    Source: Rezende & Viola, "Taming VAEs", 2018, algorithm 1.
    """

    adds: tuple[str, ...] = ("constraint", "lagrange_multiplier")

    def __init__(self, config: GecoConfig, setup: TrainingSetup) -> None:
        super().__init__(config, setup)
        self.needs_logits = config.error == "mse"
        self._config, pixels = config, math.prod(setup.image_shape)
        self._rate = config.rate / (1 if config.error == "mse" else pixels)
        self._log_multiplier, self._average, self._steps = self.state = [
            keras.Variable(
                0.0, trainable=False, aggregation="only_first_replica", name=name
            )
            for name in ("log_multiplier", "constraint_average", "constraint_steps")
        ]

    def kl_weight(self, beta: Any) -> Any:
        """Return the weight of the KL term in the loss, given the schedule's."""
        return beta * ops.exp(-self._log_multiplier)

    def add(self, terms: Terms, images: Any, draw: Draw, training: bool) -> Terms:
        """Report the constraint and the multiplier, in training alone."""
        if not training:
            return terms
        error = terms.reconstruction
        if self._config.error == "mse":
            restored = draw.vae.likelihood.mean(draw.logits)
            error = ops.mean((images - restored) ** 2, axis=(0, 2, 3, 4))
        constraint = error - self._config.tolerance
        multiplier = for_each_image(ops.exp(self._log_multiplier), terms)
        statistics = {"constraint": constraint, "lagrange_multiplier": multiplier}
        return terms.plus(statistics=statistics)

    def after_step(self, mean: Callable[[Any], Any], terms: Terms) -> None:
        """Move the multiplier by the constraint of the whole batch."""
        now = mean(terms.statistics["constraint"])
        kept = ops.where(self._steps > 0, self._config.smoothing, 0.0)
        average = kept * self._average + (1 - kept) * now
        self._average.assign(average)
        moved = self._log_multiplier + self._rate * average
        self._log_multiplier.assign(ops.clip(moved, -LARGEST, LARGEST))
        self._steps.assign(self._steps + 1)
