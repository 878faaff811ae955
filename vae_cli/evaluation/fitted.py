"""A density fitted to the codes of a finished run, to sample from in place of p(z).

A model's aggregate posterior, the mean of q(z|x) over images, is not its prior: codes
drawn from the prior may lie where no image does. A density that is fitted to codes of
training images afterwards changes no weight, and draws codes of the right kind. The
decoder's images of them are samples of another model than the one whose bounds are
reported.

Here: z ~ q(z|x), one draw for each training image (Ghosh et al.'s code fits posterior
means), and a mixture of Gaussians with full covariances, fitted by EM; one mixture for
each label of a conditional model. With several levels it is of the whole code, each
level relative to its own prior, as `VAE.decode` takes it.

Source: Ghosh et al., "From variational to deterministic autoencoders", 2020,
section 4, "ex-post density estimation".
"""

import logging
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from vae_cli.data.splits import Split
from vae_cli.errors import ConfigError, RunError
from vae_cli.evaluation.batches import checked_condition, over_batches
from vae_cli.models.distributions import code
from vae_cli.models.vae import VAE
from vae_cli.randomness import Stream, generator, key
from vae_cli.runs.densities import read_density
from vae_cli.runs.opened import OpenRun

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FittedMixture:
    """A mixture of Gaussians with full covariances, for each of L labels.

    Attributes:
        labels: int [L]; [-1] without labels.
        weights: of the K components, float64 [L, K]; 0 for one that a label lacks.
        means: float64 [L, K, d].
        scales: Cholesky factors of the covariances, float64 [L, K, d, d].
    """

    labels: np.ndarray
    weights: np.ndarray
    means: np.ndarray
    scales: np.ndarray

    def draw(
        self,
        count: int,
        seed: int,
        temperature: float | np.ndarray = 1.0,
        label: np.ndarray | None = None,
    ) -> np.ndarray:
        """Draw codes, float32 [count, d]; the first stay the same whatever `count` is.

        Args:
            count: how many.
            seed: fixes the draw.
            temperature: scales the noise about each component's mean; one, or one
                for each dimension.
            label: of each code, int [count], for a density of several labels.

        Raises:
            ConfigError: a label that no training image has.
        """
        rows = np.zeros(count, int)
        if label is not None:
            rows = np.searchsorted(self.labels, label).clip(0, len(self.labels) - 1)
            strange = np.flatnonzero(self.labels[rows] != label)
            if len(strange):
                raise ConfigError(
                    f"prior=fitted has no codes of class {label[strange[0]]}: no "
                    "training image is of it."
                )
        dim = self.means.shape[-1]
        noise = generator(seed, Stream.PRIOR).standard_normal((count, dim))
        choice = generator(seed, Stream.PRIOR, 1).random(count)
        reached = np.cumsum(self.weights, axis=1)[rows, :-1]
        picked = (choice[:, None] >= reached).sum(axis=1)
        z = np.empty((count, dim))
        for row, component in np.unique(np.stack([rows, picked], 1), axis=0):
            own = (rows == row) & (picked == component)
            spread = noise[own] @ self.scales[row, component].T
            z[own] = self.means[row, component] + temperature * spread
        return z.astype(np.float32)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what is stored."""
        return {
            "labels": self.labels,
            "weights": self.weights,
            "means": self.means,
            "scales": self.scales,
        }

    @classmethod
    def of_arrays(cls, arrays: dict[str, np.ndarray], dim: int) -> "FittedMixture":
        """Return a stored mixture.

        Raises:
            ValueError: the arrays are none of a mixture of this many dimensions.
        """
        found = cls(*(arrays[k] for k in ("labels", "weights", "means", "scales")))
        groups, components = found.weights.shape
        if not (
            found.labels.shape == (groups,)
            and found.means.shape == (groups, components, dim)
            and found.scales.shape == (groups, components, dim, dim)
            and all(np.isfinite(array).all() for array in found.arrays().values())
            and np.allclose(found.weights.sum(axis=1), 1)
        ):
            raise ValueError("it holds no mixture of this run's codes")
        return found


def fit_mixture(
    codes: np.ndarray, labels: np.ndarray | None, components: int, seed: int
) -> FittedMixture:
    """Fit a mixture to codes by EM from k-means, by scikit-learn.

    A component needs more codes than dimensions: of few codes there are fewer.

    Args:
        codes: float32 [N, d].
        labels: int [N], one mixture for each; None: one of all.
        components: K, at most.
        seed: of the initial clusters.
    """
    from sklearn.mixture import GaussianMixture

    groups = np.full(len(codes), -1) if labels is None else labels
    group_labels, dim = np.unique(groups), codes.shape[1]
    num_groups = len(group_labels)
    weights = np.zeros((num_groups, components))
    means = np.zeros((num_groups, components, dim))
    scales = np.zeros((num_groups, components, dim, dim))
    for row, label in enumerate(group_labels):
        own = codes[groups == label].astype(np.float64)
        count = min(components, max(1, len(own) // (dim + 1)))
        if len(own) < 2:  # scikit-learn takes no less
            weights[row, 0], means[row, 0] = 1, own[0]
            continue
        mixture = GaussianMixture(count, max_iter=200, random_state=seed)
        with _quietly():
            mixture.fit(own)
        if not mixture.converged_:
            log.warning(
                "the mixture of %s codes has not converged in 200 iterations", len(own)
            )
        weights[row, :count] = mixture.weights_ / mixture.weights_.sum()
        means[row, :count] = mixture.means_
        scales[row, :count] = np.linalg.cholesky(mixture.covariances_)
    return FittedMixture(group_labels, weights, means, scales)


def posterior_draws(
    vae: VAE, split: Split, seed: int, batch_size: int = 500
) -> np.ndarray:
    """Return one z ~ q(z|x) for each image, all levels, float32 [N, latent_dim]."""
    noise = tf.random.stateless_normal(
        (len(split), vae.latent_dim), key(seed, Stream.FITTED_CODES, 0)
    ).numpy()

    def sampled(x: Any, noise: Any, condition: Any) -> tuple[Any]:
        levels = vae.infer(x, noise[None], vae.condition(**condition))
        return (code(levels)[0],)

    condition = checked_condition(vae, split.condition)
    (codes,) = over_batches(sampled, (split.images, noise, condition), batch_size)
    return codes


def fitted_density(run: OpenRun, components: int) -> FittedMixture:
    """Return the density of a run's codes: the stored one, or else a new fit.

    It is fitted by the run's own seed, to the training images, so that it is the same
    whoever asks for it. `run.densities` holds it, for a command to store.

    Args:
        run: the run.
        components: of the mixture; of each, for a conditional model.

    Raises:
        ConfigError: the run has no codes that such a density could be of.
    """
    _refuse_unfit(run)
    vae, name = run.vae, f"mixture-{components}"
    if name not in run.densities:
        stored = read_density(run.folder, run.checkpoint, name)
        if stored is not None:
            try:
                run.densities[name] = FittedMixture.of_arrays(stored, vae.latent_dim)
            except (KeyError, ValueError) as error:
                raise RunError(
                    f"{run.folder}: the stored density {name} can't be used: {error}.",
                    f"delete {run.folder.fitted}: it is fitted again",
                ) from error
    if name not in run.densities:
        train = run.split("train")
        log.info("fitting a mixture to the codes of %s images", f"{len(train):,}")
        codes = posterior_draws(vae, train, run.config.seed)
        labels = train.labels if vae.num_labels else None
        run.densities[name] = fit_mixture(codes, labels, components, run.config.seed)
    return run.densities[name]


def _refuse_unfit(run: OpenRun) -> None:
    """Refuse a run whose codes have no density of their own.

    Raises:
        ConfigError: its prior depends on observed pixels, or codes are discrete.
    """
    if run.config.conditioning.on_observed:
        raise ConfigError(
            f"prior=fitted samples codes without an image, but {run.folder} needs "
            "observed pixels for them "
            f"(conditioning={run.config.conditioning.name}).",
            "use prior=model",
        )
    if run.vae.num_codes:
        raise ConfigError(
            f"prior=fitted is a density of continuous codes; those of {run.folder} are "
            "discrete.",
            "use prior=model",
        )


def _quietly() -> Any:
    """Hold scikit-learn's warning of slow convergence back: we log our own."""
    return warnings.catch_warnings(action="ignore")
