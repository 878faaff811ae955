"""Objectives that compare images by a network's features, in addition to the bound."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from vae_cli.config.objective import FeatureConfig, PerceptualConfig, VaeGanConfig
from vae_cli.models.distributions import code
from vae_cli.models.features import discriminator, feature_network
from vae_cli.models.objective.base import Draw, Elbo, TrainingSetup, prior_codes
from vae_cli.models.objective.terms import Terms
from vae_cli.registry import builds


@builds(PerceptualConfig)
class Perceptual(Elbo):
    """The ELBO, and half the squared error of a frozen network's features.

    penalty = weight / 2 * sum_l mean over places of |f_l(x) - f_l(E[x|z])|^2

    z is the posterior sample of the reconstruction. With binary x this stays a
    distance, as the squared error of x and E[x|z] is; a discriminator would separate
    the two by grey pixels alone, which is why `VaeGan` takes no binary images.

    Source: Hou et al., "Deep feature consistent variational autoencoder", 2017; here
    the network is a small one, trained on the data set itself.

    Args:
        config: its options.
        setup: image shape, and classes that the feature network is trained on first.
    """

    adds: tuple[str, ...] = ("penalty",)
    needs_logits = True

    def __init__(self, config: FeatureConfig, setup: TrainingSetup) -> None:
        super().__init__(config, setup)
        self.network = self._build_network(setup)
        self._weight = config.feature_weight
        self.pretraining_epochs = config.pretraining_epochs

    def _build_network(self, setup: TrainingSetup) -> keras.Model:
        return feature_network(setup.image_shape, setup.num_classes)

    def add(self, terms: Terms, images: Any, draw: Draw, training: bool) -> Terms:
        """Add the penalty, in training alone."""
        if not training:
            return terms
        restored = draw.vae.likelihood.mean(draw.logits[0])
        return terms.plus(**self._look(images, restored, draw))

    def _look(
        self, images: Any, restored: Any, draw: Draw
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

    extra_noise = 2  # of the prior, and of the component of a mixture

    def __init__(self, config: VaeGanConfig, setup: TrainingSetup) -> None:
        super().__init__(config, setup)
        self._adversarial_weight = config.adversarial_weight
        self.trainable_variables = self.network.trainable_variables

    def _build_network(self, setup: TrainingSetup) -> keras.Model:
        return discriminator(setup.image_shape)

    def _look(
        self, images: Any, restored: Any, draw: Draw
    ) -> dict[str, dict[str, Any]]:
        real = self.network(images)
        error = feature_error(real, self.network(restored))
        codes = [tf.stop_gradient(x) for x in (code(draw.levels)[0], prior_codes(draw))]
        drawn = [draw.vae.pixel_means(x, draw.condition) for x in codes]
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
