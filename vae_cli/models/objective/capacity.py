"""A KL that follows a capacity that grows."""

from typing import Any

from keras import ops

from vae_cli.config.objective_constraint import CapacityConfig
from vae_cli.models.objective.base import Draw, Elbo, TrainingSetup, for_each_image
from vae_cli.models.objective.terms import Terms
from vae_cli.registry import builds


@builds(CapacityConfig)
class Capacity(Elbo):
    """-log p(x|z), and the distance of the KL from a capacity.

        penalty = gamma * |KL - C(t)|,   C(t) = capacity * min(t / duration, 1)

    KL is the mean over the images of a batch, t the training step. The penalty takes
    the place of beta times the KL: the weight of the KL in the loss, `beta`, is 0.

    Source: Burgess et al., "Understanding disentangling in beta-VAE", 2018, eq. 8.
    """

    adds: tuple[str, ...] = ("penalty", "capacity")

    def __init__(self, config: CapacityConfig, setup: TrainingSetup) -> None:
        super().__init__(config, setup)
        steps = setup.steps_per_epoch if config.unit == "epochs" else 1
        self._duration = config.duration * steps
        self._capacity, self._gamma = config.capacity, config.gamma

    def capacity_at(self, step: Any) -> Any:
        """Return C at a step, nats."""
        fraction = ops.cast(step, "float32") / self._duration
        return self._capacity * ops.minimum(fraction, 1.0)

    def add(self, terms: Terms, images: Any, draw: Draw, training: bool) -> Terms:
        """Add the penalty, the same for each image, in training alone."""
        if not training:
            return terms
        capacity = self.capacity_at(draw.step)
        penalty = self._gamma * ops.abs(ops.mean(terms.kl) - capacity)
        return terms.plus(
            extras={"penalty": for_each_image(penalty, terms)},
            statistics={"capacity": for_each_image(capacity, terms)},
        )
