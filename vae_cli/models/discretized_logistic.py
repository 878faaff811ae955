"""The discretized logistic likelihood: exact probabilities of the levels of a pixel.

Levels are k = 0 .. L - 1, in the model k / (L - 1). The probability of level k is the
mass that a logistic distribution with mean m and scale s, in levels, has within half a
level of k; the first and the last level also get the mass beyond:

    P(k) = F(k + 1/2) - F(k - 1/2),  F(t) = sigmoid((t - m) / s),
    P(0) = F(1/2),  P(L - 1) = 1 - F(L - 3/2)

Sources: Salimans et al., "PixelCNN++", 2017, section 2.1; Kingma et al., "Improved
variational inference with inverse autoregressive flow", 2016, for a single logistic.
"""

import math
from typing import Any

import numpy as np
from keras import ops

from vae_cli.config.likelihood import DiscretizedLogisticConfig
from vae_cli.data_spec import DataSpec
from vae_cli.errors import ConfigError
from vae_cli.models.likelihood import Likelihood
from vae_cli.pixels import EIGHT_BIT, Pixels
from vae_cli.registry import builds

SLOPE = 0.25
"""Derivative of a mean by its output: that of other likelihoods' sigmoid at 0."""
FIRST_SCALE = 0.1
"""Scale at outputs of 0, in units of [0, 1]."""
MAX_LOG_SCALE = 10.0
"""Largest log-scale, in units of [0, 1]; beyond it float32 can't resolve levels."""


@builds(DiscretizedLogisticConfig)
class DiscretizedLogistic(Likelihood):
    """Levels of each channel of a pixel, independent given z.

    log p(x|z) = sum_i log sum_j w_ij P(k_i; m_ij, s_ij),  k_i = x_i (L - 1)

    A pixel between two levels counts as the nearest one.

    The outputs of K logistics are, K times C each: the logits of the weights w (not
    for K = 1), the means and the log-scales, as (m - 1/2) / SLOPE and
    log(s / FIRST_SCALE), in units of [0, 1]. Means have no bounds: one below 0 lets
    the first level have a probability near 1. A smallest scale is added to s, so that
    probabilities keep a gradient.
    """

    def __init__(
        self, config: DiscretizedLogisticConfig, pixels: Pixels = EIGHT_BIT
    ) -> None:
        super().__init__(config, pixels)
        problem = config.problem_with(pixels)
        if problem:
            raise ConfigError(*problem)
        self.levels = int(pixels.levels or 0)
        self.mixture = config.mixture
        self.outputs_per_channel = 2 if self.mixture == 1 else 3 * self.mixture
        self._min_log_scale = math.log(config.min_scale)

    def log_prob_per_pixel(self, x: Any, logits: Any) -> Any:
        """Return log P of each pixel's level in nats, float32, of the shape of x.

        Args:
            x: float32 [..., H, W, C] in [0, 1].
            logits: float32 [..., H, W, C * outputs_per_channel].
        """
        weights, means, log_scales = self._parameters(logits)
        level = ops.round(x * (self.levels - 1))
        parts = [
            self.log_prob_of_level(level, mean, log_scale)
            for mean, log_scale in zip(means, log_scales, strict=True)
        ]
        if not weights:
            return parts[0]
        weighted = [w + part for w, part in zip(weights, parts, strict=True)]
        total = ops.logsumexp(ops.stack(weighted), axis=0)
        return total - ops.logsumexp(ops.stack(weights), axis=0)

    def log_prob_of_level(self, level: Any, mean: Any, log_scale: Any) -> Any:
        """Return log P(k) of one logistic, exact and finite wherever float32 is.

        With a = (k + 1/2 - m) / s and b = (k - 1/2 - m) / s, which are 1 / s apart,

            F(k + 1/2) - F(k - 1/2) = sigmoid(a) sigmoid(-b) (1 - exp(-1 / s)),

        without a difference of nearly equal numbers.

        Args:
            level: k, whole numbers in float32.
            mean: (m - 1/2) / SLOPE, as the decoder gives it.
            log_scale: log(s / FIRST_SCALE), likewise.
        """
        last = self.levels - 1
        # in levels: k is exact, and so are the differences of two
        log_scale = ops.minimum(log_scale + math.log(FIRST_SCALE), MAX_LOG_SCALE)
        log_scale = log_scale + math.log(last) - self._min_log_scale
        narrow = ops.exp(-(ops.softplus(log_scale) + self._min_log_scale))
        from_mean = (level - last / 2) - (SLOPE * last) * mean
        below = -ops.softplus(-(from_mean + 0.5) * narrow)
        above = -ops.softplus((from_mean - 0.5) * narrow)
        between = ops.log(-ops.expm1(-narrow))
        is_first, is_last = level < 0.5, level > last - 0.5
        inner = ops.where(ops.logical_or(is_first, is_last), 0.0, between)
        return ops.where(is_last, 0.0, below) + ops.where(is_first, 0.0, above) + inner

    has_samples = True

    def sample(self, logits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw a level of each channel: a logistic, then rounded within the edges."""
        weights, means, log_scales = map(
            np.asarray, self._parameters(logits.astype(np.float64))
        )
        picked = np.zeros(means.shape[1:], int)
        if len(weights):  # the largest of logits with Gumbel noise
            picked = (weights + rng.gumbel(size=weights.shape)).argmax(axis=0)
        mean, log_scale = (
            np.take_along_axis(part, picked[None], 0)[0] for part in (means, log_scales)
        )
        last = self.levels - 1
        log_scale = np.minimum(log_scale + math.log(FIRST_SCALE), MAX_LOG_SCALE)
        log_scale = np.logaddexp(0, log_scale + math.log(last) - self._min_log_scale)
        scale = np.exp(log_scale + self._min_log_scale)
        drawn = rng.logistic(last / 2 + SLOPE * last * mean, scale)
        return np.clip(np.round(drawn), 0, last) / last

    def mean(self, logits: Any) -> Any:
        """Return the mean of the logistics, each clipped to [0, 1], [..., H, W, C].

        It is the mean before pixels are rounded to levels: E[x|z] but for what lies
        beyond the edges.
        """
        weights, means, _ = self._parameters(logits)
        clipped = [ops.clip(0.5 + SLOPE * mean, 0.0, 1.0) for mean in means]
        if not weights:
            return clipped[0]
        # not `softmax`, which TensorFlow has for 5 axes at most
        total = ops.logsumexp(ops.stack(weights), axis=0)
        shares = [ops.exp(weight - total) for weight in weights]
        return sum(s * mean for s, mean in zip(shares, clipped, strict=True))

    def starting_outputs(self, pixel_mean: np.ndarray) -> np.ndarray:
        """Return outputs whose mean is `pixel_mean`; those of a mixture lie around it.

        Args:
            pixel_mean: float32 [..., C].

        Returns:
            float32 [..., C * outputs_per_channel].
        """
        # equally far apart, symmetric, all within [0, 1]
        places = (2 * np.arange(self.mixture) + 1) / self.mixture - 1
        room = np.minimum(pixel_mean, 1 - pixel_mean)
        means = [(pixel_mean + place * room - 0.5) / SLOPE for place in places]
        alike = [np.zeros_like(pixel_mean)] * self.mixture
        weights = alike if self.mixture > 1 else []
        return np.concatenate([*weights, *means, *alike], axis=-1)

    def measure(self, spec: DataSpec) -> str:
        """Name what the reconstruction loss is: it is exact for any levels."""
        return "negative log-likelihood"

    def is_likelihood(self, spec: DataSpec) -> bool:
        """Return True: probabilities of levels add up, of black and white, too."""
        return True

    def is_discrete(self, spec: DataSpec) -> bool:
        """Return True."""
        return True

    def _parameters(self, logits: Any) -> tuple[list[Any], list[Any], list[Any]]:
        """Return logits of weights (none of one logistic), means and log-scales.

        Each is a list of K arrays [..., H, W, C].
        """
        parts = ops.split(logits, self.outputs_per_channel, axis=-1)
        count = self.mixture
        return parts[: -2 * count], parts[-2 * count : -count], parts[-count:]
