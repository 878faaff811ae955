"""FactorVAE: the total correlation by a discriminator of permuted codes."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from vae_cli.config.objective_aggregate import FactorConfig
from vae_cli.models.distributions import code
from vae_cli.models.objective.base import Draw, Elbo, TrainingSetup
from vae_cli.models.objective.terms import Terms
from vae_cli.registry import builds


@builds(FactorConfig)
class Factor(Elbo):
    """The ELBO, and the total correlation as a discriminator estimates it.

        total_correlation = log D(z) - log(1 - D(z)),   z ~ q(z|x)
        penalty = tc_weight * total_correlation
        discriminator_loss = -(log D(z) + log(1 - D(z_permuted))) / 2

    D(z) is the probability that z is a code of an image, not one whose dimensions come
    from different images of the batch. The penalty trains the encoder alone, the
    discriminator's loss the discriminator alone: no gradient of it reaches z.

    Source: Kim & Mnih, "Disentangling by factorising", 2018, algorithm 2. There, the
    permuted codes are of a second batch, and the discriminator has an optimizer of its
    own; here, both are those of the model.
    """

    adds: tuple[str, ...] = ("penalty", "discriminator_loss", "total_correlation")
    extra_noise = 1  # whose order in each dimension is the permutation

    def __init__(self, config: FactorConfig, setup: TrainingSetup) -> None:
        super().__init__(config, setup)
        self._weight = config.tc_weight
        self.network = code_discriminator(setup.latent_dim, config.hidden_units)
        self.trainable_variables = self.network.trainable_variables

    def add(self, terms: Terms, images: Any, draw: Draw, training: bool) -> Terms:
        """Add the penalty and the discriminator's loss, in training alone."""
        if not training:
            return terms
        z = code(draw.levels)[0]
        total_correlation = self.network(z)[:, 0]
        fixed = tf.stop_gradient(z)
        real = self.network(fixed)[:, 0]
        permuted = self.network(permuted_codes(fixed, draw.noise[0]))[:, 0]
        return terms.plus(
            extras={"penalty": self._weight * total_correlation},
            own={
                "discriminator_loss": 0.5
                * (ops.softplus(-real) + ops.softplus(permuted))
            },
            statistics={"total_correlation": total_correlation},
        )


def permuted_codes(z: Any, noise: Any) -> Any:
    """Permute each dimension over the images, by the order of noise: [B, d] each."""
    order = tf.argsort(tf.transpose(noise), axis=1)
    return tf.transpose(tf.gather(tf.transpose(z), order, batch_dims=1))


def code_discriminator(latent_dim: int, hidden_units: list[int]) -> keras.Model:
    """Return z [B, latent_dim] -> logits [B, 1], larger for codes of images."""
    z = x = keras.Input((latent_dim,), name="z")
    for units in hidden_units:
        x = keras.layers.Dense(units)(x)
        # not TensorFlow's leaky unit, which its optimizer fails to fuse, and says so
        x = ops.maximum(0.2 * x, x)
    return keras.Model(z, keras.layers.Dense(1)(x), name="code_discriminator")
