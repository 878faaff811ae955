"""The learner: one training step and one validation step around a VAE."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from vae_cli.data.batches import ImageStore
from vae_cli.models.objectives import Elbo, Terms, free_bits_kl
from vae_cli.models.vae import VAE
from vae_cli.randomness import Stream, key
from vae_cli.training.annealing import Schedule
from vae_cli.training.metrics import ActiveUnits, PerDimMean


class Learner(keras.Model):
    """What Keras `fit` trains: batches of indices in, a VAE's weights changed.

    Everything it logs is in nats per image, averaged over images (not over batches),
    and obeys `loss = reconstruction_loss + beta * kl_loss`:

    - `reconstruction_loss`: -log p(x|z), one posterior sample; with another objective
      than the ELBO, what its bound leaves beside the KL.
    - `kl_loss`: the KL term as it enters the loss; with free bits, its floor included.
    - `beta`: the weight in force; where it changes within an epoch, the mean weighted
      by the KL it multiplied, so that the sum holds.
    - `neg_elbo`: -log p(x|z) + plain KL at beta 1, whatever the schedule does.
    - `neg_iwae`: with `objective=iwae`, its own bound at beta 1.

    Args:
        vae: the model to train.
        objective: the bound to maximise.
        beta: full weight of the KL term.
        annealing: share of beta at a step.
        free_bits: nats a latent dimension that cost nothing.
        seed: keys the training noise.
        train: training images.
        validation: validation images, or None.
        validation_noise: float32 [samples, N, latent_dim]; fixed, so that epochs
            compare.
        jit: compile the step by XLA.
    """

    def __init__(
        self,
        vae: VAE,
        objective: Elbo,
        beta: float,
        annealing: Schedule,
        free_bits: float,
        seed: int,
        train: ImageStore,
        validation: ImageStore | None = None,
        validation_noise: Any = None,
        jit: bool = False,
    ) -> None:
        super().__init__(name="learner")
        self.vae = vae
        self.objective = objective
        self._beta = beta
        self._annealing = annealing
        self._free_bits = free_bits
        self._seed = seed
        self._train = train
        self._validation = validation
        self._validation_noise = validation_noise
        # pixels and noise are drawn outside: XLA would draw them anew for each of
        # the operations that use them
        self._update = (
            tf.function(self._take_step, jit_compile=True) if jit else self._take_step
        )
        self._reconstruction = keras.metrics.Mean(name="reconstruction_loss")
        self._kl = keras.metrics.Mean(name="kl_loss")
        self._weighted_kl = keras.metrics.Mean(name="weighted_kl")
        self._kl_per_dim = PerDimMean(vae.latent_dim)
        self._neg_elbo = keras.metrics.Mean(name="neg_elbo")
        self._neg_bound = keras.metrics.Mean(name="neg_bound")
        self._active_units = ActiveUnits(vae.latent_dim)
        self.built = True

    @contextlib.contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """Put the weights' moving average in their place, where there is one.

        Each value goes through a copy, so that the raw weights come back to the bit.
        """
        self._swap_average()
        try:
            yield
        finally:
            self._swap_average()

    def _swap_average(self) -> None:
        if not self.optimizer.use_ema:
            return
        averages = self.optimizer._model_variables_moving_average
        for weight, average in zip(self.vae.trainable_variables, averages, strict=True):
            raw = ops.copy(weight)
            weight.assign(average)
            average.assign(raw)

    def beta_at(self, step: Any) -> Any:
        """Return the weight of the KL term at a step, scalar float32."""
        return self._beta * self._annealing(step)

    def train_step(self, index: tf.Tensor) -> dict[str, Any]:
        """Take one gradient step on the images at `index`, integer [B]."""
        step = self.optimizer.iterations.value
        images = self._train.read(index, step)
        count = tf.shape(index)[0]
        noise = tf.random.stateless_normal(
            (self.objective.samples, count, self.vae.latent_dim),
            key(self._seed, Stream.TRAINING_NOISE, step),
        )
        beta = self.beta_at(step)
        terms, kl = self._update(images, noise, beta)
        self._record(terms)
        self._kl.update_state(kl, sample_weight=count)
        self._weighted_kl.update_state(beta * kl, sample_weight=count)
        return self._training_logs()

    def _take_step(self, images: Any, noise: Any, beta: Any) -> tuple[Terms, Any]:
        """Change the weights; return the terms and the KL term of the loss."""
        with tf.GradientTape() as tape:
            terms = self.objective(self.vae, images, noise, beta, training=True)
            kl = self._kl_term(terms)
            loss = ops.mean(terms.reconstruction) + beta * kl
            minimised = loss + sum(self.vae.losses)
        gradients = tape.gradient(minimised, self.vae.trainable_variables)
        self.optimizer.apply_gradients(
            zip(gradients, self.vae.trainable_variables, strict=True)
        )
        return terms, kl

    def test_step(self, index: tf.Tensor) -> dict[str, Any]:
        """Score the validation images at `index` with their fixed noise."""
        images = self._validation.read(index, 0)  # type: ignore[union-attr]
        noise = tf.gather(self._validation_noise, index, axis=1)
        beta = self.beta_at(self.optimizer.iterations.value)
        terms = self.objective(self.vae, images, noise, beta, training=False)
        self._record(terms)
        logs = self._logs()
        if self._free_bits:
            # the floor of the whole split, so that batches don't matter
            self._kl_per_dim.update_state(terms.kl_per_dim)
            per_dim = self._kl_per_dim.result()[None]
            return {**logs, "kl_loss": free_bits_kl(per_dim, self._free_bits)}
        self._kl.update_state(terms.kl)
        return {**logs, "kl_loss": self._kl.result()}

    def _kl_term(self, terms: Terms) -> Any:
        if self._free_bits:
            return free_bits_kl(terms.kl_per_dim, self._free_bits)
        return ops.mean(terms.kl)

    def _record(self, terms: Terms) -> None:
        self._reconstruction.update_state(terms.reconstruction)
        self._neg_elbo.update_state(terms.neg_elbo)
        self._neg_bound.update_state(terms.neg_bound)
        self._active_units.update_state(terms.mean)

    def _logs(self) -> dict[str, Any]:
        return {
            "reconstruction_loss": self._reconstruction.result(),
            "neg_elbo": self._neg_elbo.result(),
            # the ELBO's own bound is the line above
            self.objective.bound: self._neg_bound.result(),
            "active_units": self._active_units.result(),
        }

    def _training_logs(self) -> dict[str, Any]:
        logs = {**self._logs(), "kl_loss": self._kl.result()}
        kl, weighted = logs["kl_loss"], self._weighted_kl.result()
        now = self.beta_at(self.optimizer.iterations.value)
        beta = ops.where(kl > 0, weighted / ops.maximum(kl, 1e-30), now)
        # a constant beta comes back as itself, without the rounding of two means
        beta = ops.where(ops.abs(beta - now) < 1e-5 * now, now, beta)
        return {
            "loss": logs["reconstruction_loss"] + beta * kl,
            "beta": beta,
            **logs,
        }
