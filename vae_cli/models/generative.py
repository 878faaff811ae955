"""The generative side of a VAE: p(z|y) and p(x|z, y)."""

from typing import Any, NamedTuple

import keras
from keras import ops

from vae_cli.models.distributions import Distribution, Gaussian, Levels, code
from vae_cli.models.likelihood import Likelihood
from vae_cli.models.prior import Prior

Encoded = dict[str, Any]
"""Encoder outputs, arrays [B, ...]: the parameters of q(z|x)."""


class Condition(NamedTuple):
    """What the distributions depend on besides images and codes; None where absent."""

    label: Any = None  # one-hot float32 [B, num_labels], for the encoder
    corrupted: Any = None  # what the encoder gets in place of the images, [B, H, W, C]
    embedding: Any = None  # of y, input of decoder and prior, float32 [B, k]
    mask: Any = None  # weight of each pixel in the likelihood, float32 [B, H, W, 1]


UNCONDITIONAL = Condition()


class Generative(keras.Model):
    """p(x, z|y) = p(z|y) p(x|z, y); `VAE` makes it, and adds q(z|x)."""

    decoder: keras.Model
    likelihood: Likelihood
    prior_network: Prior
    latent_dim: int
    level_sizes: tuple[int, ...]
    """Dimensions of each level, top first."""
    _logits: Any
    num_codes = 0
    """Codes that each position of a discrete z chooses from; 0 for real vectors."""
    code_grid: tuple[int, int] = (0, 0)
    """Rows and columns of positions of discrete z."""
    is_deterministic = False
    """Whether an image has one code: more posterior samples are then the same."""

    def prior(self, condition: Condition = UNCONDITIONAL) -> Distribution:
        """Return p(z|y), with several levels that of the top."""
        return self.prior_network.distribution(condition.embedding)

    def sample_prior(
        self,
        noise: Any,
        choice: Any,
        condition: Condition = UNCONDITIONAL,
        prior: Distribution | None = None,
    ) -> Any:
        """Turn noise into codes of all levels: [N, latent_dim], as `Distribution`'s.

        `prior` is p(z|y) of the top level, if it is already computed.
        """
        return (prior or self.prior(condition)).sample(noise, choice)

    def log_prior(
        self, z: Any, condition: Condition, prior: Distribution | None = None
    ) -> Any:
        """Return log p(z|y) of whole codes in nats, [S, B, latent_dim] -> [S, B].

        Lower levels are relative to their own priors. `prior` is that of the top.
        """
        top_dim = self.level_sizes[0]
        log_prob = (prior or self.prior(condition)).log_prob(z[..., :top_dim])
        return log_prob + Gaussian(0.0, 0.0).log_prob(z[..., top_dim:])

    def draw(
        self,
        noise: Any,
        choice: Any,
        condition: Condition = UNCONDITIONAL,
        temperature: Any = 1.0,
    ) -> Any:
        """Draw codes as `sample_prior`; temperatures [latent_dim] scale the noise."""
        scaled = ops.cast(temperature * noise, "float32")
        return self.sample_prior(scaled, choice, condition)

    def code_indices(self, z: Any) -> Any:
        """Return the numbers of discrete codes: [..., latent_dim] -> int32 [..., N]."""
        raise TypeError("real vectors have no numbers")

    def on_codes(self, z: Any) -> Any:
        """Return the possible z that is nearest to each, [..., latent_dim]."""
        return z

    def decode(
        self, z: Any, condition: Condition = UNCONDITIONAL, training: bool = False
    ) -> Any:
        """Return logits [S * B, H, W, C] for S codes per image, [S * B, latent_dim]."""
        embedding = condition.embedding
        if embedding is not None:
            samples = ops.shape(z)[0] // ops.shape(embedding)[0]
            # not `tile`, whose gradient transposes integers: oneDNN complains of them
            every = ops.broadcast_to(embedding, (samples, *ops.shape(embedding)))
            every = ops.reshape(every, (-1, embedding.shape[-1]))
            z = ops.concatenate([z, every], axis=-1)
        return as_float32(self._logits(z, training=training))

    def log_likelihood(
        self,
        images: Any,
        levels: Levels,
        condition: Condition = UNCONDITIONAL,
        training: bool = False,
    ) -> Any:
        """Return log p(x|z, y) in nats, float32 [S, B]."""
        logits = self.logits(levels, condition, training)
        return self.log_likelihood_of_logits(images, logits, condition)

    def logits(
        self,
        levels: Levels,
        condition: Condition = UNCONDITIONAL,
        training: bool = False,
    ) -> Any:
        """Return logits [S, B, H, W, C] of codes that were inferred."""
        return self.decode_samples(code(levels), condition, training)

    def decode_samples(
        self, z: Any, condition: Condition = UNCONDITIONAL, training: bool = False
    ) -> Any:
        """Return logits [S, B, H, W, C] for codes [S, B, latent_dim]."""
        flat = ops.reshape(z, (-1, self.latent_dim))
        logits = self.decode(flat, condition, training)
        return ops.reshape(logits, (*ops.shape(z)[:2], *logits.shape[1:]))

    def log_likelihood_of_logits(
        self, images: Any, logits: Any, condition: Condition = UNCONDITIONAL
    ) -> Any:
        """Return log p(x|z) of the pixels of the mask, in nats.

        Args:
            images: float32 [B, H, W, C].
            logits: [..., B, H, W, C].
            condition: of these images; without a mask, of all pixels.
        """
        return self.likelihood.log_prob(images, logits, condition.mask)

    def pixel_means(self, z: Any, condition: Condition = UNCONDITIONAL) -> Any:
        """Return E[x|z, y], float32 [B, H, W, C] in [0, 1]."""
        return self.likelihood.mean(self.decode(z, condition))


def as_float32(outputs: Any) -> Any:
    """Return what networks of lower precision give as float32."""
    return keras.tree.map_structure(lambda x: ops.cast(x, "float32"), outputs)
