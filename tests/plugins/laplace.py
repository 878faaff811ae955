"""A likelihood with two outputs per channel: a location and a scale for each pixel."""

from dataclasses import dataclass

from keras import ops

import vae_cli as vae


@vae.register("likelihood", "laplace")
@dataclass
class LaplaceConfig(vae.LikelihoodConfig):
    """Laplace pixels, each with a scale of its own."""

    least_scale: float = vae.option("smallest scale of a pixel", above=0, default=0.05)


@vae.builds(LaplaceConfig)
class Laplace(vae.Likelihood):
    """log p(x|z) = -|x - m| / b - log 2b."""

    outputs_per_channel = 2

    def __init__(self, config, pixels):
        super().__init__(config, pixels)
        self.least_scale = config.least_scale

    def log_prob_per_pixel(self, x, logits):
        """Score each pixel: float32 [..., B, H, W, C], nats."""
        mean, scale = ops.split(logits, 2, axis=-1)
        scale = self.least_scale + ops.softplus(scale)
        return -ops.abs(x - ops.sigmoid(mean)) / scale - ops.log(2 * scale)

    def mean(self, logits):
        """Return E[x|z], float32 [B, H, W, C]."""
        return ops.sigmoid(ops.split(logits, 2, axis=-1)[0])
