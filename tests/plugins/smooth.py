"""An objective with a term of its own: reconstructions whose neighbours are alike."""

from dataclasses import dataclass

from keras import ops

import vae_cli as vae


@vae.register("objective", "smooth")
@dataclass
class SmoothConfig(vae.ObjectiveConfig):
    """The ELBO, and the squared differences between neighbouring pixel means."""

    smoothness: float = vae.option("weight of the differences", at_least=0, default=0.1)


@vae.builds(SmoothConfig)
class Smooth(vae.Elbo):
    """ELBO(x) - smoothness * sum (m_i - m_{i+1})^2."""

    adds = ("roughness",)

    def __init__(self, config, setup):
        super().__init__(config, setup)
        self.weight = config.smoothness

    def add(self, terms, images, draw, training):
        """Add the roughness, in training."""
        if not training:
            return terms
        pixels = draw.vae.pixel_means(terms.mean, draw.condition)
        rough = ops.sum((pixels[:, :, 1:] - pixels[:, :, :-1]) ** 2, axis=(1, 2, 3))
        return terms._replace(extras={"roughness": self.weight * rough})
