"""Objectives: the bound on log p(x) that training maximises.

Each turns images and noise into terms in nats, one value an image, such that what is
minimised is

    loss = mean(reconstruction) + beta * mean(kl)

Adding one: subclass, name it in `build_objective`, add a YAML file.
"""

import math
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import ops

from vae_cli.config.parts import (
    FeatureConfig,
    IwaeConfig,
    ObjectiveConfig,
    VaeGanConfig,
)
from vae_cli.models.features import discriminator, feature_network
from vae_cli.models.priors import gaussian_log_prob
from vae_cli.models.vae import VAE, Draw


class Terms(NamedTuple):
    """Parts of a bound."""

    reconstruction: Any  # [B]; -log p(x|z), or what the bound leaves beside the KL
    kl: Any  # [B], KL(q(z|x) || p(z))
    kl_per_dim: Any  # [B, latent_dim], or None where the prior has no such parts
    neg_elbo: Any  # [B], at beta 1
    neg_bound: Any  # [B], the objective's own bound at beta 1
    mean: Any  # [B, latent_dim], posterior means
    penalty: Any = None  # [B]; minimised beside the bound, or None
    discriminator: Any = None  # [B]; minimised by its own weights, or None


def weighted(terms: Terms, weight: Any) -> Terms:
    """Multiply each image's terms by its weight, float32 [B]; None leaves them."""
    if weight is None:
        return terms
    found = {
        name: weight[:, None] * values if name == "kl_per_dim" else weight * values
        for name, values in terms._asdict().items()
        if values is not None and name != "mean"
    }
    return terms._replace(**found)


def joined(parts: list[Terms]) -> Terms:
    """Return the terms of a batch from those of its parts."""
    if len(parts) == 1:
        return parts[0]
    fields = zip(*parts, strict=True)
    return Terms(*(None if f[0] is None else ops.concatenate(f) for f in fields))


class Elbo:
    """ELBO(x) = E_q[log p(x|z)] - KL(q(z|x) || p(z)), one posterior sample.

    Args:
        config: its options.
    """

    network: Any = None
    """What it looks at images with, beside the model."""
    trainable_variables: Any = ()
    """Weights of its own that learn with the model's."""

    def __init__(self, config: ObjectiveConfig) -> None:
        self.samples = 1
        self.bound = config.bound

    def __call__(
        self, vae: VAE, images: Any, noise: Any, beta: Any, training: bool
    ) -> Terms:
        """Encode, draw, decode and score.

        Args:
            vae: the model.
            images: float32 [B, H, W, C] in [0, 1].
            noise: standard normal float32 [samples, B, latent_dim].
            beta: weight of the KL term.
            training: whether dropout and batch statistics are on.
        """
        posterior = vae.posterior(images, training)
        draw = vae.draw(posterior, noise, training)
        reconstruction = -ops.mean(log_likelihood(vae, images, draw.z, training), 0)
        return elbo_terms(vae, posterior, draw, reconstruction)


class Iwae(Elbo):
    """L_k(x) = E_q[log 1/k sum_i w_i],  w_i = p(x|z_i) p(z_i) / q(z_i|x), z_i ~ q.

    Beta weighs log p(z_i) - log q(z_i|x) within each w_i. The loss is -L_k; of it
    `kl` is the plain KL(q || p), and `reconstruction` what remains. With k = 1 the
    bound is the ELBO, and is computed as such, closed-form KL included.

    With `doubly_reparameterized`, the encoder's gradient is

        sum_i wn_i (1 - beta + beta wn_i) d log w_i / d z_i * d z_i

    wn the normalised weights; at beta 1 that is eq. 8 of Tucker et al., "Doubly
    reparameterized gradient estimators", 2019. It is unbiased as the plain one, and
    its signal doesn't fade as k grows.

    Source: Burda et al., "Importance weighted autoencoders", 2016, eq. 8.
    """

    def __init__(self, config: IwaeConfig) -> None:
        super().__init__(config)
        self.samples = config.samples
        self._doubly = config.doubly_reparameterized

    def __call__(
        self, vae: VAE, images: Any, noise: Any, beta: Any, training: bool
    ) -> Terms:
        """Encode once, draw k codes an image, decode and score; as `Elbo`'s."""
        if self.samples == 1:
            return super().__call__(vae, images, noise, beta, training)
        posterior = vae.posterior(images, training)
        draw = vae.draw(posterior, noise, training)
        reweigh: dict[str, Any] = {}
        if self._doubly:
            draw = Draw(
                _with_scaled_gradient(draw.z, reweigh),
                tf.stop_gradient(draw.mean),
                tf.stop_gradient(draw.log_var),
            )
        scores = log_likelihood(vae, images, draw.z, training)
        log_ratio = vae.prior.log_prob(draw.z) - gaussian_log_prob(*draw)
        log_weights = scores + beta * log_ratio
        share = tf.stop_gradient(tf.nn.softmax(log_weights, axis=0))
        reweigh["by"] = (1 - beta + beta * share)[..., None]
        elbo = elbo_terms(vae, posterior, draw, -ops.mean(scores, axis=0))
        kl = tf.stop_gradient(elbo.kl)
        return elbo._replace(
            reconstruction=-log_mean_exp(log_weights) - beta * kl,
            kl=kl,
            neg_bound=-log_mean_exp(scores + log_ratio),
        )


class Perceptual(Elbo):
    """The ELBO, and half the squared error of a frozen network's features beside it.

    penalty = weight / 2 * sum_l mean over places of |f_l(x) - f_l(E[x|z])|^2

    z is the posterior sample of the reconstruction. With binary x this stays a
    distance, as the squared error of x and E[x|z] is; a discriminator would tell the
    two apart by grey pixels alone, which is why `VaeGan` takes no binary images.

    Source: Hou et al., "Deep feature consistent variational autoencoder", 2017; here
    the network is a small one, trained on the data set itself.

    Args:
        config: its options.
        network: from images to `fine` and `coarse` features.
    """

    def __init__(self, config: FeatureConfig, network: keras.Model) -> None:
        super().__init__(config)
        self.network = network
        self._weight = config.weight

    def __call__(
        self, vae: VAE, images: Any, noise: Any, beta: Any, training: bool
    ) -> Terms:
        """As `Elbo`'s; the penalty is computed in training alone."""
        posterior = vae.posterior(images, training)
        draw = vae.draw(posterior, noise[:1], training)
        logits = vae.decode(draw.z[0], training)
        reconstruction = -vae.score(images, logits)
        terms = elbo_terms(vae, posterior, draw, reconstruction)
        if not training:
            return terms
        restored = vae.likelihood.mean(logits)
        return self._look(vae, images, restored, draw.z[0], noise, terms)

    def _look(
        self, vae: VAE, images: Any, restored: Any, z: Any, noise: Any, terms: Terms
    ) -> Terms:
        error = feature_error(self.network(images), self.network(restored))
        return terms._replace(penalty=self._weight * error)


class VaeGan(Perceptual):
    """The ELBO, and a discriminator D that learns to tell real images from drawn ones.

    penalty = weight / 2 * sum_l mean over places of |d_l(x) - d_l(E[x|z])|^2
              - adversarial_weight * (log D(E[x|z]) + log D(E[x|z_p])) / 2
    discriminator = -log D(x) - (log(1 - D(E[x|z])) + log(1 - D(E[x|z_p]))) / 2

    with z from the posterior and z_p from the prior. Features d_l move encoder and
    decoder; fooling D moves the decoder alone, since z is held still there: the
    encoder learns from bound and features.

    Source: Larsen et al., "Autoencoding beyond pixels using a learned similarity
    metric", 2016, algorithm 1; non-saturating, and with the pixels' likelihood kept.
    """

    def __init__(self, config: VaeGanConfig, network: keras.Model) -> None:
        super().__init__(config, network)
        # of the posterior, of the prior, and of the component of a mixture
        self.samples = 3
        self._adversarial_weight = config.adversarial_weight
        self.trainable_variables = network.trainable_variables

    def _look(
        self, vae: VAE, images: Any, restored: Any, z: Any, noise: Any, terms: Terms
    ) -> Terms:
        real = self.network(images)
        error = feature_error(real, self.network(restored))
        uniform = 0.5 * ops.erfc(-noise[2, :, 0] / math.sqrt(2.0))
        prior_z = vae.prior.sample(noise[1], uniform)
        drawn = [vae.pixel_means(tf.stop_gradient(code)) for code in (z, prior_z)]
        logits = [self.network(x)["logits"][:, 0] for x in drawn]
        fool = sum(ops.softplus(-logit) for logit in logits) / 2
        seen_through = sum(ops.softplus(logit) for logit in logits) / 2
        return terms._replace(
            penalty=self._weight * error + self._adversarial_weight * fool,
            discriminator=ops.softplus(-real["logits"][:, 0]) + seen_through,
        )


def feature_error(real: dict[str, Any], own: dict[str, Any]) -> Any:
    """Return half the squared error of features, [B]: a layer's, mean over places."""
    errors = [ops.sum((real[k] - own[k]) ** 2, axis=-1) for k in ("fine", "coarse")]
    return 0.5 * sum(ops.mean(error, axis=(1, 2)) for error in errors)


def elbo_terms(
    vae: VAE, posterior: dict[str, Any], draw: Draw, reconstruction: Any
) -> Terms:
    """Return the terms of -ELBO(x) = E_q[-log p(x|z)] + KL(q(z|x) || p(z)).

    Args:
        vae: the model.
        posterior: of B images.
        draw: codes from it, [S, B, latent_dim].
        reconstruction: -log p(x|z) averaged over the codes, [B].
    """
    per_dim = vae.prior.kl_per_dim(draw.mean, draw.log_var)
    if per_dim is None:
        kl = ops.mean(vae.prior.kl(*draw), axis=0)
    else:
        per_dim = ops.mean(per_dim, axis=0)
        kl = ops.sum(per_dim, axis=-1)
    neg_elbo = reconstruction + kl
    # not the draw's: with two levels its bottom means move with the top's noise
    mean, _ = vae.code(posterior)
    return Terms(reconstruction, kl, per_dim, neg_elbo, neg_elbo, mean)


def log_likelihood(vae: VAE, images: Any, z: Any, training: bool = False) -> Any:
    """Return log p(x|z) in nats, float32 [S, B], for codes [S, B, latent_dim]."""
    samples, batch = ops.shape(z)[:2]
    logits = vae.decode(ops.reshape(z, (-1, vae.latent_dim)), training=training)
    logits = ops.reshape(logits, (samples, batch, *logits.shape[1:]))
    return vae.score(images, logits)


def log_mean_exp(log_weights: Any) -> Any:
    """Return log 1/S sum_s exp(log_weights[s]): [S, ...] -> [...]."""
    count = log_weights.shape[0]
    return ops.logsumexp(log_weights, axis=0) - math.log(count)


def free_bits_kl(kl_per_dim: Any, free_bits: float) -> Any:
    """Return the KL term of the loss: a scalar, nats per image.

    KL = sum_j max(free_bits, mean over the batch of KL_j)

    Source: Kingma et al., "Improved variational inference with inverse autoregressive
    flow", 2016, eq. 15. With free_bits = 0 it is the plain KL.
    """
    per_dim = ops.mean(kl_per_dim, axis=0)
    return ops.sum(ops.maximum(per_dim, free_bits) if free_bits else per_dim)


def _with_scaled_gradient(z: Any, reweigh: dict[str, Any]) -> Any:
    """Return z; its gradient is multiplied by `reweigh["by"]`, known by then."""

    @tf.custom_gradient
    def scaled(x: Any) -> tuple[Any, Any]:
        return tf.identity(x), lambda gradient: gradient * reweigh["by"]

    return scaled(z)


OBJECTIVES: dict[str, type[Elbo]] = {"elbo": Elbo, "iwae": Iwae}
"""Those that look at images with no network of their own."""


def build_objective(
    config: ObjectiveConfig, image_shape: tuple[int, int, int], num_classes: int
) -> Elbo:
    """Return a config's objective, and the network that it looks at images with.

    Args:
        config: its options.
        image_shape: (H, W, C).
        num_classes: of what a network that is trained first is trained on.
    """
    if isinstance(config, VaeGanConfig):
        return VaeGan(config, discriminator(image_shape))
    if isinstance(config, FeatureConfig):
        return Perceptual(config, feature_network(image_shape, num_classes))
    return OBJECTIVES[config.name](config)
