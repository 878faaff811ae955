"""VAEs of discrete codes: a grid of N positions, each one of K codes.

    log p(x) >= E_q(codes|x)[log p(x|codes)] - KL(q(codes|x) || p(codes))

Without noise in q (vq, fsq) the bound is log p(x|codes(x)) + log p(codes(x)): with the
uniform prior, its KL is N log K nats for every image. It is a bound of the probability
of images as any other, since the codes are finitely many.

Source: van den Oord et al., "Neural discrete representation learning", 2017.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from vae_cli.models.distributions import (
    Distribution,
    Level,
    Levels,
    kl_divergence,
)
from vae_cli.models.generative import UNCONDITIONAL, Condition, Encoded
from vae_cli.models.quantizers import Quantizer
from vae_cli.models.vae import VAE

COLD = 1e-4
"""The temperature that stands for 0, at which only the most probable code is left."""


class DiscreteVAE(VAE):
    """A VAE whose encoder gives `features` [B, N, C], which a quantizer makes codes of.

    Args:
        quantizer: features -> q(z|x).
        deterministic: whether q has no noise.
        **parts: of a `VAE`; the decoder takes the vectors of all codes side by side.
    """

    def __init__(self, quantizer: Quantizer, deterministic: bool, **parts: Any) -> None:
        super().__init__(**parts)
        self.quantizer = quantizer
        self.num_codes = quantizer.num_codes
        self.code_grid = quantizer.grid
        self.is_deterministic = deterministic
        self.adds = quantizer.adds

    @property
    def noise_dim(self) -> int:
        """Normal numbers of a posterior sample, or of one of the uniform prior."""
        # of the prior, each position takes one; some objectives draw from it, too
        return self.quantizer.positions * max(1, self.quantizer.noise_per_position)

    def levels(
        self,
        encoded: Encoded,
        noise: Any,
        condition: Condition = UNCONDITIONAL,
        training: bool = False,
        prior: Distribution | None = None,
        codes: Sequence[Any] | None = None,
    ) -> Levels:
        """Draw codes; arguments as `VAE.levels`, noise [S, B, noise_dim]."""
        q = self.quantizer.posterior(encoded["features"][None], training)
        z = q.sample(noise) if codes is None else codes[0]
        return [Level(z, q, prior or self.prior(condition))]

    def mean_posterior(self, encoded: Encoded, training: bool = False) -> Any:
        """Return the most probable code, as the point mass at it, [B, latent_dim]."""
        return self.quantizer.nearest(encoded["features"])

    def code_terms(self, encoded: Encoded) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return extra terms of the loss, and what whole batches teach the codes."""
        features = encoded["features"]
        return self.quantizer.terms(features, self.quantizer.nearest(features).codes)

    def code_indices(self, z: Any) -> Any:
        """Return the numbers of codes: [..., latent_dim] -> int32 [..., N]."""
        return self.quantizer.indices(z)

    def on_codes(self, z: Any) -> Any:
        """Return the vectors of the codes that are nearest, [..., latent_dim]."""
        return self.quantizer.vectors(self.quantizer.indices(z))

    def export_networks(self) -> tuple[keras.Model, keras.Model]:
        """Return encoder and decoder as plain Keras models that need no package.

        The encoder gives `codes`, int32 [B, N], and `z`, their vectors, which the
        decoder takes: [B, latent_dim].
        """
        features = self.encoder.output["features"]
        codes, z = self.quantizer.exported(features)
        z = keras.layers.Flatten(name="z")(z)
        outputs = {"codes": codes, "z": z}
        encoder = keras.Model(self.encoder.input, outputs, name="encoder")
        return encoder, super().export_networks()[1]

    def kl_to_uniform(self, levels: Levels) -> Any | None:
        """Return KL(q || uniform) of each image, [B], where a prior was learned."""
        if not self.prior_network.is_learned:
            return None
        (level,) = levels
        kl = kl_divergence(level.posterior, self.prior_network.uniform(), level.z)
        return ops.mean(kl, axis=0)

    @property
    def inference_networks(self) -> list[keras.layers.Layer]:
        """The networks that make q(z|x)."""
        return [*super().inference_networks, self.quantizer]

    def learn(
        self,
        batch: dict[str, Any],
        weight: Any,
        start: Any,
        total: Any,
        add_up: Callable[[Any], Any],
        seed: Any,
    ) -> None:
        """Update the quantizer, unless frozen; arguments as of `Quantizer.update`."""
        if self.quantizer.trainable:
            self.quantizer.update(batch, weight, start, total, add_up, seed)

    def draw(
        self,
        noise: Any,
        choice: Any,
        condition: Condition = UNCONDITIONAL,
        temperature: Any = 1.0,
    ) -> Any:
        """Draw codes from p(z|y); a temperature divides log-probabilities."""
        prior: Any = self.prior(condition)
        # the same for every position; 0, the most probable code, by a small one
        one = max(float(np.ravel(temperature)[0]), COLD)
        return prior.tempered(one).sample(ops.cast(noise, "float32"), choice)
