"""Finite scalar quantisation: rounded dimensions."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from vae_cli.config.latent import FsqConfig, Grid
from vae_cli.models.code_distributions import PointMass
from vae_cli.models.quantizers.base import Quantizer, straight_through


class FiniteScalarQuantizer(Quantizer):
    """Each dimension rounded to one of a few values.

        f(v) = (L - 1)(1 - eps)/2 * tanh(v + s) - o,   z = round(f(v)) / floor(L / 2)

    o = 1/2 and tanh(s) = 2 o / ((L - 1)(1 - eps)) where L is even, else o = s = 0: then
    f has L rounded values, and f(0) = 0. The source's listing has s = tan(2 o / ...),
    with which f(0) is not quite 0.

    Source: Mentzer et al., "Finite scalar quantization: VQ-VAE made simple", 2023,
    section 3 and appendix A.1.
    """

    EPSILON = 1e-3

    def __init__(self, config: FsqConfig, grid: Grid) -> None:
        super().__init__(config, grid)
        levels = np.array(config.levels)
        self._levels = levels
        self._half = (levels // 2).astype(np.float32)
        self._basis = np.concatenate([[1], np.cumprod(levels[:-1])]).astype(np.int32)
        self._reach = ((levels - 1) * (1 - self.EPSILON) / 2).astype(np.float32)
        self._offset = np.where(levels % 2, 0.0, 0.5).astype(np.float32)
        self._shift = np.arctanh(self._offset / self._reach)

    def posterior(self, features: Any, training: bool) -> PointMass:
        """Return the rounded features; in training, rounding passes gradients."""
        code = self.nearest(features)
        if not training:
            return code
        bounded = self._flat(self._bounded(features) / self._half)
        return PointMass(straight_through(code.z, bounded), code.codes)

    def nearest(self, features: Any) -> PointMass:
        """Return the rounded features [..., N, C]."""
        rounded = tf.stop_gradient(tf.round(self._bounded(features)))
        z = self._flat(rounded / self._half)
        return PointMass(z, self._numbered(rounded))

    def vectors(self, codes: Any) -> Any:
        """Return z of codes: int32 [..., N] -> float32 [..., N * D]."""
        digits = codes[..., None] // self._basis % self._levels.astype(np.int32)
        return self._flat((ops.cast(digits, "float32") - self._half) / self._half)

    def indices(self, z: Any) -> Any:
        """Return the codes of z: float32 [..., N * D] -> int32 [..., N]."""
        return self._numbered(tf.round(self._spread(z) * self._half))

    def exported(self, features: Any) -> tuple[Any, Any]:
        """Return the number of the rounded features, and these."""

        def scaled(x: Any, scale: Any, offset: Any) -> Any:
            layer = keras.layers.Rescaling(
                np.asarray(scale).tolist(), np.asarray(offset).tolist(), dtype="float32"
            )
            return layer(x)

        one, none = np.ones_like(self._half), np.zeros_like(self._half)
        bounded = scaled(
            ops.tanh(scaled(features, one, self._shift)), self._reach, -self._offset
        )
        rounded = ops.round(bounded)
        digits = scaled(rounded, one, self._half)
        numbers = ops.sum(scaled(digits, self._basis.astype(float), none), axis=-1)
        return ops.cast(numbers, "int32"), scaled(rounded, 1 / self._half, none)

    def _bounded(self, features: Any) -> Any:
        return ops.tanh(features + self._shift) * self._reach - self._offset

    def _numbered(self, rounded: Any) -> Any:
        """Return sum_d digit_d basis_d; digits are 0 .. L - 1."""
        digits = ops.cast(rounded + self._half, "int32")
        return ops.sum(digits * self._basis, axis=-1)
