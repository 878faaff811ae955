"""Models small enough that their densities can be written down."""

import math
from dataclasses import dataclass

import keras
import numpy as np
from scipy import stats

from tests.helpers import small_config
from vae_cli.config.prior import StandardPriorConfig
from vae_cli.models.likelihood import Gaussian
from vae_cli.models.prior import StandardPrior
from vae_cli.models.vae import VAE

SHAPE = (2, 3, 1)


class LinearPixels(Gaussian):
    """Normal pixels around the decoder's outputs themselves, without a sigmoid."""

    def mean(self, logits):
        """Return the outputs."""
        return logits


@dataclass
class LinearGaussian:
    """p(z) = N(0, I), p(x|z) = N(W z + b, s^2 I), q(z|x) = N(A x + c, diag(v)).

    W has orthogonal columns, so that the true posterior is one of the possible q.
    """

    vae: VAE
    kernel: np.ndarray  # W [D, d]
    bias: np.ndarray  # b [D]
    scale: float  # s
    to_mean: np.ndarray  # A [D, d], transposed
    mean_bias: np.ndarray  # c [d]
    variance: np.ndarray  # v [d]

    def log_prob(self, images: np.ndarray) -> np.ndarray:
        """Return log p(x) = log N(x; b, W W^T + s^2 I): uint8 images -> [N]."""
        covariance = self.kernel @ self.kernel.T
        covariance += self.scale**2 * np.eye(len(covariance))
        return stats.multivariate_normal.logpdf(_flat(images), self.bias, covariance)

    def kl(self, images: np.ndarray) -> np.ndarray:
        """Return KL(q || p(z)): uint8 images -> [N]."""
        mean, v = self._mean(images), self.variance
        return 0.5 * (mean**2 + v - 1 - np.log(v)).sum(axis=1)

    def elbo(self, images: np.ndarray) -> np.ndarray:
        """Return E_q[log p(x|z)] - KL: uint8 images -> [N]."""
        x, mean = _flat(images), self._mean(images)
        error = ((x - self.bias - mean @ self.kernel.T) ** 2).sum(axis=1)
        error += (self.variance * (self.kernel**2).sum(axis=0)).sum()
        constant = x.shape[1] / 2 * math.log(2 * math.pi * self.scale**2)
        return -error / (2 * self.scale**2) - constant - self.kl(images)

    def _mean(self, images: np.ndarray) -> np.ndarray:
        return _flat(images) @ self.to_mean + self.mean_bias


def linear_gaussian(shift: float = 0.0, widen: float = 1.0) -> LinearGaussian:
    """Build the model and its true posterior, or one that is off.

    Args:
        shift: what is added to the posterior's mean.
        widen: what its variance is multiplied by.
    """
    rng = np.random.default_rng(3)
    dims, scale = math.prod(SHAPE), 0.3
    columns, _ = np.linalg.qr(rng.standard_normal((dims, 2)))
    kernel = (columns * [0.5, 0.3]).astype(np.float32)
    bias = rng.uniform(0.3, 0.7, dims).astype(np.float32)
    wide = kernel.astype(np.float64)
    posterior = 1 / (1 + (wide**2).sum(axis=0) / scale**2)
    to_mean = (wide * posterior / scale**2).astype(np.float32)
    mean_bias = (shift - bias @ to_mean).astype(np.float32)
    log_var = np.log(widen * posterior).astype(np.float32)

    image, z = keras.Input(SHAPE), keras.Input((2,))
    flat = keras.layers.Flatten()(image)
    mean, spread = keras.layers.Dense(2), keras.layers.Dense(2)
    pixels = keras.layers.Dense(dims)
    encoder = keras.Model(image, {"mean": mean(flat), "log_var": spread(flat)})
    decoder = keras.Model(z, keras.layers.Reshape(SHAPE)(pixels(z)))
    mean.set_weights([to_mean, mean_bias])
    spread.set_weights([np.zeros_like(to_mean), log_var])
    pixels.set_weights([kernel.T, bias])
    options = "likelihood=gaussian", f"likelihood.std={scale}"
    return LinearGaussian(
        vae=VAE(
            encoder,
            decoder,
            likelihood=LinearPixels(small_config(*options).likelihood),
            prior=StandardPrior(StandardPriorConfig(), 0),
        ),
        kernel=wide,
        bias=bias.astype(np.float64),
        scale=scale,
        to_mean=to_mean.astype(np.float64),
        mean_bias=mean_bias.astype(np.float64),
        variance=np.exp(log_var.astype(np.float64)),
    )


def redraw(vae: VAE, scale: float, seed: int = 0) -> VAE:
    """Give every weight but pseudo-inputs a normal value of this deviation."""
    rng = np.random.default_rng(seed)
    for variable in vae.trainable_variables:
        if variable.name != "pseudo_inputs":
            variable.assign(scale * rng.standard_normal(variable.shape))
    return vae


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).astype(np.float64) / 255
