"""log p(x) by annealed importance sampling, and its bounds from either side.

Chains move through f_t(z) = f_0(z)^(1 - b_t) p(x, z)^(b_t), 0 = b_0 < ... < b_T = 1,
from the prior, or from a Gaussian with the encoder's mean and variance, to the
posterior:

    log w = sum_t (b_t - b_(t-1)) log [p(x, z_(t-1)) / f_0(z_(t-1))]

Each transition is one Hamiltonian Monte Carlo trajectory, which leaves f_t invariant.
E[w] = p(x), so that the log of a mean of weights is a lower bound in expectation. On an
image that is drawn from the model together with its code, the code is an exact sample
of the posterior: chains from there back to f_0 have E[1 / w] = 1 / p(x), and bound
log p(x) from above. The gap between the two bounds the error of each, in expectation.

Step sizes are adapted by pilot chains of their own and then fixed: steps that followed
the chains themselves would bias the weights.

Sources: Neal, "Annealed importance sampling", 2001; Wu et al., "On the quantitative
analysis of decoder-based generative models", 2017, sections 2.2 and 3; Grosse et al.,
"Sandwiching the marginal likelihood using bidirectional Monte Carlo", 2015.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from scipy.special import logsumexp

from vae_cli.config.evaluate import AnnealingConfig
from vae_cli.errors import ModelError
from vae_cli.evaluation.batches import (
    ConditionArrays,
    as_float,
    checked_condition,
    exact_prior,
    over_batches,
)
from vae_cli.evaluation.hamiltonian import trajectory
from vae_cli.evaluation.importance import (
    CODES_AT_A_TIME,
    GRADIENT_COPIES,
    bytes_per_code,
)
from vae_cli.evaluation.latent import encode
from vae_cli.memory import refuse_beyond
from vae_cli.models.distributions import Gaussian
from vae_cli.models.vae import VAE
from vae_cli.randomness import Stream, key
from vae_cli.runtime import evaluating

STEEPNESS = 4.0
"""Of the sigmoid that places the temperatures, as Wu et al.'s code has it."""
PILOT_CHAINS = 4
TARGET = 0.65
"""Acceptance that step sizes are adapted to, as the source has it."""
RATE = 0.2
"""How fast: a step size changes by exp(RATE (acceptance - TARGET)) a temperature."""
FIRST_STEP, STEPS = 0.1, (1e-5, 1.5)
"""The first step size, and the smallest and the largest."""
ROLE = 2**32
"""Keeps the noise of pilot, forward and reverse chains apart."""

Progress = Callable[[float], None]


@dataclass(frozen=True)
class AnnealingResult:
    """What chains say of each image.

    Attributes:
        log_prob: estimates of log p(x), float64 [N], nats: in expectation below it
            from forward chains, above it from reverse ones.
        acceptance: fraction of trajectories that were accepted.
    """

    log_prob: np.ndarray
    acceptance: float


def annealing_schedule(count: int) -> np.ndarray:
    """Return the inverse temperatures b_0 = 0, ..., b_T = 1, float64 [count + 1].

    They are close together at both ends.

    Source: Grosse et al. 2015, section 6.2, as in Wu et al.'s code.
    """
    at = 1 / (1 + np.exp(-STEEPNESS * np.linspace(-1, 1, count + 1)))
    return (at - at[0]) / (at[-1] - at[0])


class Annealing:
    """Chains of some images, with step sizes that pilot chains found for each.

    Args:
        vae: the model; its codes must be continuous.
        images: uint8 or float32 [N, H, W, C].
        config: temperatures, chains, steps of a trajectory, start.
        seed: of all noise; an image's own depends on its place, not on how many follow.
        condition: of the images, as `Split.condition` has it.
        batch_size: images at a time; chosen by `memory_mb` if None. It changes results
            only by rounding.
        memory_mb: for the codes that move at a time, MiB.
        progress: called with the fraction of the pilot chains that is done.
    """

    def __init__(
        self,
        vae: VAE,
        images: np.ndarray,
        config: AnnealingConfig,
        seed: int,
        condition: ConditionArrays | None = None,
        batch_size: int | None = None,
        memory_mb: int = 512,
        progress: Progress = lambda fraction: None,
    ) -> None:
        self._vae, self._config, self._seed = vae, config, seed
        self._images, self._condition = images, checked_condition(vae, condition)
        self._start: dict[str, np.ndarray] = {}
        if config.start == "posterior":
            mean, log_var = encode(vae, images, 100, condition)
            self._start = {"mean": mean, "log_var": log_var}
        self._betas = annealing_schedule(config.temperatures)
        batch = self._batch_size(batch_size, memory_mb)
        starts = range(0, len(images), batch)
        # whole batches alone, so that one shape is compiled: the last one wraps around
        self._chosen = [np.arange(s, s + batch) % len(images) for s in starts]
        self._prior = exact_prior(vae)
        self._compiled = tf.function(self._trajectory, jit_compile=vae.is_dense)
        self._steps = self._adapted(progress)

    def forward(self, progress: Progress = lambda fraction: None) -> AnnealingResult:
        """Return lower bounds of log p(x): chains from the start to the posterior."""
        chains, count = self._config.chains, len(self._images)
        z = self._starting_codes(chains, role=1)
        log_weights, accepted = np.zeros((chains, count)), 0.0
        for t in range(1, len(self._betas)):
            z, before, _, probability = self._moved(z, t, self._steps[t], role=1)
            log_weights += (self._betas[t] - self._betas[t - 1]) * before
            accepted += probability.mean() / self._config.temperatures
            progress(t / self._config.temperatures)
        return self._result(_log_mean_exp(log_weights), accepted)

    def reverse(
        self, z: np.ndarray, progress: Progress = lambda fraction: None
    ) -> AnnealingResult:
        """Return upper bounds of log p(x): chains from the posterior to the start.

        Args:
            z: an exact sample of p(z|x) for each image, float32 [N, latent_dim].
            progress: called with the fraction that is done.
        """
        chains, count = self._config.chains, len(self._images)
        z = np.broadcast_to(z, (chains, *z.shape))
        log_weights, accepted = np.zeros((chains, count)), 0.0
        for t in range(len(self._betas) - 1, 0, -1):
            z, _, after, probability = self._moved(z, t, self._steps[t], role=2)
            log_weights += (self._betas[t] - self._betas[t - 1]) * after
            accepted += probability.mean() / self._config.temperatures
            progress(1 - (t - 1) / self._config.temperatures)
        return self._result(-_log_mean_exp(-log_weights), accepted)

    def _adapted(self, progress: Progress) -> np.ndarray:
        """Return the step size of each temperature and image, float32 [T + 1, N]."""
        steps = np.full((len(self._betas), len(self._images)), FIRST_STEP, np.float32)
        z = self._starting_codes(PILOT_CHAINS, role=0)
        for t in range(1, len(steps)):
            z, _, _, probability = self._moved(z, t, steps[t], role=0)
            wanted = steps[t] * np.exp(RATE * (probability - TARGET))
            steps[t + 1 :] = np.clip(wanted, *STEPS)
            progress(t / self._config.temperatures)
        return steps

    def _starting_codes(self, chains: int, role: int) -> np.ndarray:
        """Draw codes from f_0, float32 [chains, N, latent_dim]."""
        vae = self._vae
        noise, choice = self._noise(chains, role, 0)

        def drawn(noise: Any, choice: Any, arrays: Any, start: Any) -> tuple[Any]:
            if start:
                own = (start["mean"][:, None], start["log_var"][:, None])
                return (Gaussian(*own).sample(noise),)
            condition = vae.condition(**arrays)
            codes = [
                vae.sample_prior(noise[:, chain], choice[:, chain], condition)
                for chain in range(chains)
            ]
            return (tf.stack(codes, axis=1),)

        arrays = (noise, choice, self._condition, self._start)
        (z,) = over_batches(drawn, arrays, len(self._chosen[0]))
        return z.transpose(1, 0, 2)

    def _noise(self, chains: int, role: int, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Return normal [N, chains, latent_dim] and uniform [N, chains] noise."""
        shape = (len(self._images), chains)
        normal = tf.random.stateless_normal(
            (*shape, self._vae.latent_dim),
            key(self._seed, Stream.ANNEALING, role * ROLE + t),
        )
        uniform = tf.random.stateless_uniform(
            shape, key(self._seed, Stream.ANNEALING_CHOICE, role * ROLE + t)
        )
        return normal.numpy(), uniform.numpy()

    def _moved(
        self, z: np.ndarray, t: int, step: np.ndarray, role: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Move all chains at a temperature.

        Returns:
            codes [C, N, d], log p(x, z) / f_0(z) before and after, [C, N] each, and
            the probability of acceptance, mean over chains, [N].
        """
        momentum, uniform = self._noise(len(z), role, t)
        momentum, uniform = momentum.transpose(1, 0, 2), uniform.T
        found = (
            np.empty_like(momentum), np.empty_like(uniform), np.empty_like(uniform),
            np.empty_like(step),
        )  # fmt: skip
        beta = tf.constant(self._betas[t], tf.float32)
        with evaluating():
            for rows in self._chosen:
                batch = tf.nest.map_structure(
                    lambda a, rows=rows: as_float(a[rows]),
                    (step, self._images, self._condition, self._start),
                )
                own = (z[:, rows], momentum[:, rows], uniform[:, rows])
                parts = self._compiled(beta, *map(tf.constant, own), *batch)
                for whole, part in zip(found, parts, strict=True):
                    whole[(slice(None), rows) if whole.ndim > 1 else rows] = part
        return found

    def _trajectory(
        self,
        beta: Any,
        z: Any,
        momentum: Any,
        uniform: Any,
        step: Any,
        x: Any,
        arrays: Any,
        start: Any,
    ) -> tuple[Any, Any, Any, Any]:
        """Move chains of a batch of images; returns what `_moved` does."""
        condition = self._vae.condition(**arrays)

        def log_densities(z: Any) -> tuple[Any, Any]:
            first, joint = self._densities(z, x, condition, start)
            return first + beta * (joint - first), joint - first

        steps = self._config.leapfrog_steps
        z, before, after, probability = trajectory(
            log_densities, z, momentum, uniform, step[:, None], steps
        )
        return z, before, after, tf.reduce_mean(probability, axis=0)

    def _densities(self, z: Any, x: Any, condition: Any, start: Any) -> tuple[Any, Any]:
        """Return log f_0(z) and log p(x, z), [C, B] each."""
        vae = self._vae
        log_prior = vae.log_prior(z, condition, self._prior)
        logits = vae.decode_samples(z, condition)
        joint = log_prior + vae.log_likelihood_of_logits(x, logits, condition)
        if not start:
            return log_prior, joint
        return Gaussian(start["mean"], start["log_var"]).log_prob(z), joint

    def _batch_size(self, batch_size: int | None, memory_mb: int) -> int:
        one = GRADIENT_COPIES * bytes_per_code(self._vae)
        chains, count = max(self._config.chains, PILOT_CHAINS), len(self._images)
        most = max(1, min(CODES_AT_A_TIME, memory_mb * 2**20 // one) // chains)
        batch = min(batch_size or -(-count // -(-count // most)), count)
        noise = 4 * chains * count * 3 * self._vae.latent_dim
        refuse_beyond(
            {
                f"{chains:,} chains of {batch:,} images": chains * batch * one,
                f"codes and noise of {count:,} images": noise,
            },
            "ais.images or ais.chains",
        )
        return batch

    def _result(self, log_prob: np.ndarray, accepted: float) -> AnnealingResult:
        if not np.isfinite(log_prob).all():
            raise ModelError(
                "Annealed importance sampling gives values that are NaN or infinite: "
                "the weights are damaged or too large.",
                "try the other checkpoint: checkpoint=best or checkpoint=last",
            )
        return AnnealingResult(log_prob, float(accepted))


def _log_mean_exp(log_weights: np.ndarray) -> np.ndarray:
    return logsumexp(log_weights, axis=0) - math.log(len(log_weights))
