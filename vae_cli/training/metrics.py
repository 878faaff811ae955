"""Running statistics of an epoch that Keras has no metric for.

Where several replicas train, each gets the whole batch's statistics, so that all hold
the same values; the first one's are read.
"""

from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import ops

from vae_cli.evaluation.code_use import perplexity
from vae_cli.evaluation.latent import ACTIVE_VARIANCE
from vae_cli.models.objective import Elbo, Terms
from vae_cli.training.distribution import Distribution

MEANS = ("reconstruction_loss", "kl_loss", "weighted_kl", "neg_elbo", "neg_bound")
"""What is averaged over an epoch's images; an objective adds its own."""


def kl_of_level(level: int) -> str:
    """Return the name of a level's KL in the logs; 0 is the top."""
    return f"kl_level_{level}"


class Sums(NamedTuple):
    """What the logs need of a batch; over replicas, of the whole batch."""

    count: Any  # images, scalar
    values: Any  # of MEANS and what the objective adds, summed over images
    mean: Any  # of posterior means over images, [latent_dim]
    squares: Any  # of their distances to it, summed over images, [latent_dim]
    kl_per_dim: Any  # summed over images, where there are free bits, [latent_dim]


class _Statistic(keras.metrics.Metric):
    """Base: variables that are the same on every replica."""

    def _variable(self, name: str, shape: tuple[int, ...] = ()) -> keras.Variable:
        return self.add_variable(
            shape, "zeros", aggregation="only_first_replica", name=name
        )


class ImageMean(_Statistic):
    """Mean over images of an array."""

    def __init__(self, shape: tuple[int, ...], name: str) -> None:
        super().__init__(name=name)
        self.count = self._variable("count")
        self.total = self._variable("total", shape)

    def update_state(self, total: Any, count: Any) -> None:
        """Add a batch: the sum of its values, and how many images it has."""
        self.total.assign_add(total)
        self.count.assign_add(count)

    def result(self) -> Any:
        """Return the mean, float32 of the array's shape."""
        return self.total / ops.maximum(self.count, 1.0)


class ActiveUnits(_Statistic):
    """Number of latent dimensions whose posterior mean varies over images.

    Variances are merged batch by batch (Chan et al. 1983), which stays exact where
    summing squares would cancel.
    """

    def __init__(self, latent_dim: int, name: str = "active_units") -> None:
        super().__init__(name=name)
        self.count = self._variable("count")
        self.mean = self._variable("mean", (latent_dim,))
        self.squares = self._variable("squares", (latent_dim,))

    def update_state(self, mean: Any, squares: Any, count: Any) -> None:
        """Add a batch of posterior means.

        Args:
            mean: their mean, float32 [latent_dim].
            squares: sum of squared distances to it, float32 [latent_dim].
            count: how many images.
        """
        total = self.count + count
        apart = mean - self.mean
        self.squares.assign_add(squares + apart**2 * self.count * count / total)
        self.mean.assign_add(apart * count / total)
        self.count.assign(total)

    def result(self) -> Any:
        """Return the number of active units, scalar float32."""
        variance = self.squares / ops.maximum(self.count, 1.0)
        return ops.sum(ops.cast(variance > ACTIVE_VARIANCE, "float32"))


class CodeUseMetric(_Statistic):
    """How often each code is used, over images and positions.

    Args:
        num_codes: K.
    """

    def __init__(self, num_codes: int, name: str = "code_use") -> None:
        super().__init__(name=name)
        self.counts = self._variable("counts", (num_codes,))

    def update_state(self, counts: Any) -> None:
        """Add a batch: how often each code is used, float32 [K]."""
        self.counts.assign_add(counts)

    def result(self) -> dict[str, Any]:
        """Return `codebook_use`, the fraction of codes used, and `perplexity`."""
        counts = ops.convert_to_tensor(self.counts)
        return {
            "codebook_use": ops.mean(ops.cast(counts > 0, "float32")),
            "perplexity": perplexity(counts),
        }


def batch_sums(
    terms: Terms,
    kl: Any,
    beta: Any,
    weight: Any,
    adds: tuple[str, ...],
    free_bits: bool,
    levels: int,
    distribution: Distribution,
) -> Sums:
    """Add up what the logs need.

    Args:
        terms: of this replica's images.
        kl: sum over them of the KL term in the loss.
        beta: its weight.
        weight: of the images, float32 [b], or None.
        adds: names of what the objective adds; 0 where it is left out.
        free_bits: whether free bits need the KL of each dimension.
        levels: whose KL is added up, too; 0: not level by level.
        distribution: the replicas that share the batch.
    """
    if weight is None:
        weight = ops.ones_like(terms.neg_elbo)
    values = [
        ops.sum(terms.reconstruction),
        kl,
        beta * kl,
        ops.sum(terms.neg_elbo),
        ops.sum(terms.neg_bound),
        *(
            ops.sum(terms.added[name]) if name in terms.added else ops.zeros(())
            for name in adds
        ),
        *(ops.sum(terms.kl_per_level[:, level]) for level in range(levels)),
    ]
    mean_sum = ops.sum(weight[:, None] * terms.mean, axis=0)
    values, mean_sum, count = distribution.sum(
        [ops.stack(values), mean_sum, ops.sum(weight)]
    )
    mean = mean_sum / count
    squares = ops.sum(weight[:, None] * (terms.mean - mean) ** 2, axis=0)
    kl_per_dim = (
        ops.sum(terms.kl_per_dim, axis=0) if free_bits else ops.zeros_like(mean)
    )
    squares, kl_per_dim = distribution.sum([squares, kl_per_dim])
    return Sums(count, values, mean, squares, kl_per_dim)


class EpochStatistics:
    """What an epoch's logs are made of.

    Args:
        latent_dim: dimensions of z.
        objective: its bound and what it adds are averaged, too.
        free_bits: KL per dimension below which nothing is penalised, nats.
        distribution: the replicas that share each batch.
        levels: of latent variables; with several, the KL of each is logged.
        by_level: whether `free_bits` is the floor of a level.
        num_codes: of each position of discrete codes; 0 for real vectors.
        adds: names of what the codes add to the loss.
    """

    def __init__(
        self,
        latent_dim: int,
        objective: Elbo,
        free_bits: float,
        distribution: Distribution,
        levels: int = 1,
        by_level: bool = False,
        num_codes: int = 0,
        adds: tuple[str, ...] = (),
    ) -> None:
        self._objective = objective
        self._adds = (*objective.adds, *adds)
        self._free_bits = free_bits
        self._by_level = by_level
        self._distribution = distribution
        self._levels = tuple(map(kl_of_level, range(levels))) if levels > 1 else ()
        self._names = (*MEANS, *self._adds, *self._levels)
        self._means = ImageMean((len(self._names),), name="means")
        self._kl_per_dim = ImageMean((latent_dim,), name="kl_per_dim")
        self._num_codes = num_codes
        self._units: Any = (
            CodeUseMetric(num_codes) if num_codes else ActiveUnits(latent_dim)
        )
        self.metrics = [self._means, self._kl_per_dim, self._units]

    def add(self, terms: Terms, kl: Any, beta: Any, weight: Any) -> None:
        """Add a batch; the arguments are those of `batch_sums`."""
        adds = self._adds
        per_dim = bool(self._free_bits) and not self._by_level
        levels = len(self._levels)
        sums = batch_sums(
            terms, kl, beta, weight, adds, per_dim, levels, self._distribution
        )
        self._means.update_state(sums.values, sums.count)
        self._kl_per_dim.update_state(sums.kl_per_dim, sums.count)
        if not self._num_codes:
            self._units.update_state(sums.mean, sums.squares, sums.count)
            return
        codes = terms.learned_from["codes"]
        weights = ops.ones_like(codes, "float32")
        if weight is not None:
            weights = weights * weight[:, None]
        counts = tf.math.unsorted_segment_sum(
            tf.reshape(weights, (-1,)), tf.reshape(codes, (-1,)), self._num_codes
        )
        self._units.update_state(self._distribution.sum(counts))

    def training_logs(self, beta_now: Any) -> dict[str, Any]:
        """Return the logs of an epoch so far.

        Args:
            beta_now: the weight of the KL term in force, scalar float32.
        """
        means, logs = self._logs()
        kl, weighted = logs["kl_loss"], means["weighted_kl"]
        beta = ops.where(kl > 0, weighted / ops.maximum(kl, 1e-30), beta_now)
        # a constant beta comes back as itself, without the rounding of two means
        beta = ops.where(ops.abs(beta - beta_now) < 1e-5 * beta_now, beta_now, beta)
        return {
            "loss": logs["reconstruction_loss"] + beta * kl,
            "beta": beta,
            **logs,
            **{name: means[name] for name in self._adds},
        }

    def validation_logs(self) -> dict[str, Any]:
        """Return the logs of a validation."""
        _, logs = self._logs()
        if self._free_bits:
            # the floor of the whole split, so that batches don't matter
            parts = self._kl_per_dim.result()
            if self._by_level:
                names = self._levels or ("kl_loss",)
                parts = ops.stack([logs[name] for name in names])
            logs["kl_loss"] = ops.sum(ops.maximum(parts, self._free_bits))
        return logs

    def _used(self) -> dict[str, Any]:
        """Return how much of the latent space is used."""
        used = self._units.result()
        return used if self._num_codes else {"active_units": used}

    def _logs(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the means over images, and the logs that both kinds of epochs have."""
        values = ops.unstack(self._means.result(), len(self._names))
        means = dict(zip(self._names, values, strict=True))
        logs = {
            "reconstruction_loss": means["reconstruction_loss"],
            "kl_loss": means["kl_loss"],
            "neg_elbo": means["neg_elbo"],
            # the ELBO's own bound is the line above
            self._objective.bound: means["neg_bound"],
            **{name: means[name] for name in self._levels},
            **self._used(),
        }
        return means, logs
