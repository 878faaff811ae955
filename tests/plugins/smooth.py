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

    def __init__(self, config, image_shape, num_classes):
        super().__init__(config, image_shape, num_classes)
        self.weight = config.smoothness

    def __call__(self, vae, images, noise, beta, condition=None, training=False):
        """Return the terms of the ELBO, and in training the roughness."""
        condition = condition or vae.condition()
        terms = super().__call__(vae, images, noise, beta, condition, training)
        if not training:
            return terms
        pixels = vae.pixel_means(terms.mean, condition)
        rough = ops.sum((pixels[:, :, 1:] - pixels[:, :, :-1]) ** 2, axis=(1, 2, 3))
        return terms._replace(extras={"roughness": self.weight * rough})
