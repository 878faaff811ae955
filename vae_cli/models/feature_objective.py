"""Objectives that compare images by the features of a network, beside the bound."""

import math
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from vae_cli.config.objective import FeatureConfig, PerceptualConfig, VaeGanConfig
from vae_cli.models.distributions import code
from vae_cli.models.features import discriminator, feature_network
from vae_cli.models.objective import Elbo, Terms, elbo_terms
from vae_cli.models.vae import UNCONDITIONAL, VAE, Condition
from vae_cli.registry import builds

Shape = tuple[int, int, int]


@builds(PerceptualConfig)
class Perceptual(Elbo):
    """The ELBO, and half the squared error of a frozen network's features beside it.

    penalty = weight / 2 * sum_l mean over places of |f_l(x) - f_l(E[x|z])|^2

    z is the posterior sample of the reconstruction. With binary x this stays a
    distance, as the squared error of x and E[x|z] is; a discriminator would separate
    the two by grey pixels alone, which is why `VaeGan` takes no binary images.

    Source: Hou et al., "Deep feature consistent variational autoencoder", 2017; here
    the network is a small one, trained on the data set itself.

    Args:
        config: its options.
        image_shape: (H, W, C).
        num_classes: that the feature network is trained on first.
    """

    adds: tuple[str, ...] = ("penalty",)

    def __init__(
        self, config: FeatureConfig, image_shape: Shape, num_classes: int
    ) -> None:
        super().__init__(config, image_shape, num_classes)
        self.network = self._build_network(image_shape, num_classes)
        self._weight = config.feature_weight
        self.pretraining_epochs = config.pretraining_epochs

    def _build_network(self, image_shape: Shape, num_classes: int) -> keras.Model:
        return feature_network(image_shape, num_classes)

    def __call__(
        self,
        vae: VAE,
        images: Any,
        noise: Any,
        beta: Any,
        condition: Condition = UNCONDITIONAL,
        training: bool = False,
    ) -> Terms:
        """As `Elbo`'s; the penalty is computed in training alone."""
        encoded = vae.encode(images, condition, training)
        levels = vae.levels(encoded, noise[:1], condition, training)
        z = code(levels)[0]
        logits = vae.decode(z, condition, training)
        reconstruction = -vae.log_likelihood_of_logits(images, logits, condition)
        terms = elbo_terms(vae, encoded, levels, reconstruction)
        if not training:
            return terms
        restored = vae.likelihood.mean(logits)
        found = self._look(vae, images, restored, z, noise, condition)
        found["extras"] = {**terms.extras, **found["extras"]}
        return terms._replace(**found)

    def _look(
        self,
        vae: VAE,
        images: Any,
        restored: Any,
        z: Any,
        noise: Any,
        condition: Condition,
    ) -> dict[str, dict[str, Any]]:
        """Return `extras`, and `own` where there are any."""
        error = feature_error(self.network(images), self.network(restored))
        return {"extras": {"penalty": self._weight * error}}


@builds(VaeGanConfig)
class VaeGan(Perceptual):
    """The ELBO, and a discriminator D between real and generated images.

    penalty = weight / 2 * sum_l mean over places of |d_l(x) - d_l(E[x|z])|^2
              - adversarial_weight * (log D(E[x|z]) + log D(E[x|z_p])) / 2
    discriminator_loss = -log D(x) - (log(1 - D(E[x|z])) + log(1 - D(E[x|z_p]))) / 2

    with z from the posterior and z_p from the prior. The feature
    error trains encoder and decoder; the adversarial term trains the decoder alone,
    since no gradient flows through z there.

    Source: Larsen et al., "Autoencoding beyond pixels using a learned similarity
    metric", 2016, algorithm 1; non-saturating, and with the pixels' likelihood kept.
    """

    adds = ("penalty", "discriminator_loss")

    def __init__(
        self, config: VaeGanConfig, image_shape: Shape, num_classes: int
    ) -> None:
        super().__init__(config, image_shape, num_classes)
        # of the posterior, of the prior, and of the component of a mixture
        self.samples = 3
        self._adversarial_weight = config.adversarial_weight
        self.trainable_variables = self.network.trainable_variables

    def _build_network(self, image_shape: Shape, num_classes: int) -> keras.Model:
        return discriminator(image_shape)

    def _look(
        self,
        vae: VAE,
        images: Any,
        restored: Any,
        z: Any,
        noise: Any,
        condition: Condition,
    ) -> dict[str, dict[str, Any]]:
        real = self.network(images)
        error = feature_error(real, self.network(restored))
        uniform = 0.5 * ops.erfc(-noise[2, :, 0] / math.sqrt(2.0))
        prior_z = vae.sample_prior(noise[1], uniform, condition)
        codes = [tf.stop_gradient(x) for x in (z, prior_z)]
        drawn = [vae.pixel_means(x, condition) for x in codes]
        logits = [self.network(x)["logits"][:, 0] for x in drawn]
        fool = sum(ops.softplus(-logit) for logit in logits) / 2
        detected = sum(ops.softplus(logit) for logit in logits) / 2
        penalty = self._weight * error + self._adversarial_weight * fool
        loss = ops.softplus(-real["logits"][:, 0]) + detected
        return {"extras": {"penalty": penalty}, "own": {"discriminator_loss": loss}}


def feature_error(real: dict[str, Any], own: dict[str, Any]) -> Any:
    """Return half the squared error of features, [B]: a layer's, mean over places."""
    errors = [ops.sum((real[k] - own[k]) ** 2, axis=-1) for k in ("fine", "coarse")]
    return 0.5 * sum(ops.mean(error, axis=(1, 2)) for error in errors)
