"""The learner: one training step and one validation step around a VAE."""

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import keras
import tensorflow as tf
from keras import ops

from vae_cli.data.batches import (
    ImageStore,
    Shard,
    core_shards,
    global_batch_size,
    slice_for_shard,
    without_autograph,
)
from vae_cli.models.objective import Elbo, Terms, concatenated, kl_term, weighted
from vae_cli.models.vae import VAE
from vae_cli.randomness import Stream, key
from vae_cli.training.averages import WeightAverage
from vae_cli.training.distribution import Distribution
from vae_cli.training.kl_annealing import Schedule
from vae_cli.training.metrics import EpochStatistics
from vae_cli.training.optimizer import LossScale, unscaled


class Learner(keras.Model):
    """Trains a VAE with Keras's `fit`.

    Everything it logs is in nats per image, averaged over images (not over batches),
    and obeys `loss = reconstruction_loss + beta * kl_loss`. `kl_loss` has the floor of
    free bits; `neg_elbo` and the objective's own bound are those at beta 1. Where beta
    changes within an epoch, it is the mean weighted by the KL it multiplied.

    Args:
        vae: the model to train.
        objective: the bound to maximise.
        beta: full weight of the KL term.
        annealing: factor of beta at a step.
        free_bits: KL per dimension below which nothing is penalised, nats.
        seed: keys the training noise.
        train: training images.
        validation: validation images, or None.
        validation_noise: float32 [samples, N, noise_dim]; the same every epoch.
        jit: compile loss and gradients by XLA.
        core_shards: split each replica's shard into so many, one per CPU core.
        distribution: the replicas that share each batch; one if None.
        ema_decay: of the average of the weights; None for no average.
        free_bits_by_level: whether `free_bits` is the floor of a level as a whole.
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
        core_shards: int = 1,
        distribution: Distribution | None = None,
        ema_decay: float | None = None,
        free_bits_by_level: bool = False,
    ) -> None:
        super().__init__(name="learner")
        self.vae = vae
        self.objective = objective
        self._trained = [*vae.trainable_variables, *objective.trainable_variables]
        self._beta = beta
        self._annealing = annealing
        self._seed = seed
        self._train = train
        self._validation = validation
        self._validation_noise = validation_noise
        self._distribution = distribution or Distribution()
        self._core_shards = core_shards
        self._kl_term = partial(
            kl_term,
            free_bits=free_bits,
            replicas=self._distribution.replicas,
            over_replicas=self._distribution.sum,
            by_level=free_bits_by_level,
        )
        # pixels and noise are drawn outside: XLA would draw them anew for each of
        # the operations that use them
        self._gradients = (
            tf.function(self._differentiate, autograph=False, jit_compile=True)
            if jit
            else self._differentiate
        )
        with self._distribution.scope():
            self._statistics = EpochStatistics(
                vae.latent_dim,
                objective,
                free_bits,
                self._distribution,
                len(vae.level_sizes),
                free_bits_by_level,
                vae.num_codes,
                vae.adds,
            )
            self.average = WeightAverage(vae, ema_decay) if ema_decay else None
        self._batches = {"training": 0, "validation": 0}
        self._taken = 0
        self.built = True

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The statistics of the epoch, which Keras resets and the state file keeps."""
        return self._statistics.metrics

    @property
    def _averages_first(self) -> bool:
        """Whether replicas must agree on gradients before the optimizer sees them.

        Keras clips, and looks for gradients that overflow, before it sums over them.
        """
        scaled = isinstance(self.optimizer, LossScale)
        return scaled or bool(unscaled(self.optimizer).global_clipnorm)

    def averaged_weights(self) -> contextlib.AbstractContextManager[None]:
        """Put the weights' moving average in their place, where there is one."""
        return self.average.in_place() if self.average else contextlib.nullcontext()

    def beta_at(self, step: Any) -> Any:
        """Return the weight of the KL term at a step, scalar float32."""
        return self.objective.kl_weight(self._beta * self._annealing(step))

    def set_num_batches(self, training: int, validation: int) -> None:
        """Set how many batches an epoch of `fit` and its validation have."""
        self._batches = {"training": training, "validation": validation}

    def reset_metrics(self) -> None:
        """Begin an epoch, or a validation."""
        super().reset_metrics()
        self._taken = 0

    def make_train_function(self, force: bool = False) -> None:
        """Compile what `fit` calls: `steps_per_execution` training steps."""
        if force or getattr(self, "train_function", None) is None:
            self.train_function = self._repeated(
                self.train_step, self._training_logs, "training"
            )

    def make_test_function(self, force: bool = False) -> None:
        """Compile what `fit` calls for validation, likewise."""
        if force or getattr(self, "test_function", None) is None:
            self.test_function = self._repeated(
                self.test_step, self._statistics.validation_logs, "validation"
            )

    def _repeated(
        self,
        step: Callable[[Shard], None],
        logs: Callable[[], dict[str, Any]],
        name: str,
    ) -> Callable[[Any], dict[str, Any]]:
        """Return a function that takes several steps, then reads the logs once.

        Keras's own asks at every step whether there is another batch and reads the
        logs, and fails where one process feeds several replicas (keras#19246).
        """
        # the loop alone needs AutoGraph
        run, read = (
            without_autograph(partial(self._distribution.run, step)),
            without_autograph(logs),
        )
        take = without_autograph(self._distribution.next_shard)

        def several(iterator: Any, count: Any) -> dict[str, Any]:
            for _ in tf.range(count):
                shard = take(iterator)
                # the epoch's order is read off the step counter with its first batch:
                # no step may be counted before
                with tf.control_dependencies(tf.nest.flatten(shard, True)):
                    run(shard)
            return read()

        compiled = several if self.run_eagerly else tf.function(several)

        def function(iterator: Any) -> dict[str, Any]:
            count = min(self.steps_per_execution, self._batches[name] - self._taken)
            if count <= 0:
                raise StopIteration
            self._taken += count
            return compiled(iterator, tf.constant(count))

        return function

    def train_step(self, shard: Shard) -> None:
        """Take one gradient step on a batch, of which this replica has a shard."""
        # a tensor: XLA takes no variable, and the counter moves below
        step = tf.identity(self.optimizer.iterations.value)
        beta = self.beta_at(step)
        total = tf.cast(shard["total"], tf.float32)
        size = global_batch_size(shard, self._distribution.replicas)
        results: list[Any] = []
        weights: list[Any] = []
        # each core makes its own input: none waits for another's
        for own in core_shards(shard, self._core_shards):
            images = self._train.read(own, step)
            noise = tf.random.stateless_normal(
                (self.objective.noise_arrays, size, self.vae.noise_dim),
                key(self._seed, Stream.TRAINING_NOISE, step),
            )
            noise = slice_for_shard(noise, own, axis=1)
            weights.append(own.get("weight"))
            arrays = self._train.condition(images, own, step)
            results.append(
                self._gradients(images, noise, arrays, weights[-1], total, beta, step)
            )
        by_core, terms, kl = zip(*results, strict=True)
        gradients = [tf.add_n(each) for each in zip(*by_core, strict=True)]
        if self._averages_first:
            gradients = self._distribution.mean(gradients)
        self.optimizer.apply_gradients(zip(gradients, self._trained, strict=True))
        if self.average:
            self.average.update()
        whole = concatenated(list(terms))
        self.objective.after_step(
            lambda values: self._distribution.sum(ops.sum(values)) / total, whole
        )
        weight = _concatenated(weights)
        self.vae.learn(
            whole.learned_from,
            weight,
            shard["start"],
            shard["total"],
            self._distribution.sum,
            key(self._seed, Stream.RESTARTED_CODES, step),
        )
        kl = tf.add_n(kl) * total
        self._statistics.add(whole, kl, beta, weight)

    def _differentiate(
        self,
        images: Any,
        noise: Any,
        arrays: Any,
        weight: Any,
        total: Any,
        beta: Any,
        step: Any,
    ) -> tuple[list[Any], Terms, Any]:
        """Return gradients, terms and KL term of one core's shard."""
        shards = self._distribution.replicas * self._core_shards
        own_variables = self.objective.trainable_variables
        with tf.GradientTape(persistent=bool(own_variables)) as tape:
            condition = self.vae.condition(**arrays)
            terms = self.objective(
                self.vae, images, noise, beta, condition, training=True, step=step
            )
            terms = weighted(terms, weight)
            kl = self._kl_term(terms, total)
            loss = ops.sum(terms.reconstruction) / total + beta * kl
            for extra in terms.extras.values():
                loss += ops.sum(extra) / total
            minimised = self.optimizer.scale_loss(loss + sum(self.vae.losses) / shards)
            if own_variables:
                own_loss = sum(ops.sum(x) / total for x in terms.own.values())
                own_loss = self.optimizer.scale_loss(own_loss)
        gradients = tape.gradient(minimised, self.vae.trainable_variables)
        if own_variables:
            gradients += tape.gradient(own_loss, own_variables)
        return gradients, terms, kl

    def test_step(self, shard: Shard) -> None:
        """Score a batch of validation images with their fixed noise, in float32."""
        beta = self.beta_at(self.optimizer.iterations.value)
        scored: list[Terms] = []
        weights: list[Any] = []
        store = cast(ImageStore, self._validation)
        for own in core_shards(shard, self._core_shards):
            noise = tf.gather(self._validation_noise, own["index"], axis=1)
            images = store.read(own, 0)
            arrays = store.condition(images, own, 0)
            with self.vae.in_float32():
                condition = self.vae.condition(**arrays)
                terms = self.objective(self.vae, images, noise, beta, condition)
            weights.append(own.get("weight"))
            scored.append(weighted(terms, weights[-1]))
        terms, weight = concatenated(scored), _concatenated(weights)
        self._statistics.add(terms, ops.sum(terms.kl), beta, weight)

    def _training_logs(self) -> dict[str, Any]:
        beta = self.beta_at(self.optimizer.iterations.value)
        return self._statistics.training_logs(beta)


def _concatenated(weights: list[Any]) -> Any:
    """Return the weights of all cores' shards as one, or None where they have none."""
    return None if weights[0] is None else tf.concat(weights, axis=0)
