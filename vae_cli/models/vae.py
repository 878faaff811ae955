"""The variational autoencoder: encoder, posterior, prior, decoder, likelihood.

    log p(x|y) >= E_q(z|x~,y)[log p(x|z, y)] - KL(q(z|x~, y) || p(z|y))

y is the condition: a label, or the observed part of an image. The encoder's input
x~ may differ from x, the image in the likelihood: the bound holds for any x~. With a
mask, x is the pixels of the mask; the others are marginalized out, as pixels are
independent given z.

Sources: Kingma & Welling, "Auto-encoding variational Bayes", 2014; Sohn et al.,
"Learning structured output representation using deep conditional generative models",
2015; Im et al., "Denoising criterion for variational auto-encoding framework", 2017;
Mattei & Frellsen, "MIWAE", 2019.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from vae_cli.config.posterior import GaussianPosteriorConfig
from vae_cli.models.distributions import (
    Distribution,
    Level,
    Levels,
)
from vae_cli.models.generative import (
    UNCONDITIONAL,
    Condition,
    Encoded,
    Generative,
    as_float32,
)
from vae_cli.models.likelihood import Likelihood
from vae_cli.models.posterior import Posterior
from vae_cli.models.prior import Prior
from vae_cli.models.transposed_convolution import fast_decoder


class VAE(Generative):
    """A composition of networks and distributions; `training/learner.py` trains it.

    Args:
        encoder: image [B, H, W, C] -> dict of `mean` and `log_var`, [B, latent_dim];
            of an image and its one-hot label where there are labels.
        decoder: z [B, latent_dim] -> logits [B, H, W, C]; where there is a condition,
            z and its embedding in one, [B, latent_dim + k].
        likelihood: scores images, given logits.
        prior: gives p(z|y).
        num_labels: number of classes of a conditional model; 0 if unconditional. The
            `labels` attribute lists the classes in the training data.
            `level_sizes` are the dimensions of each level, top first.
        observed_network: for inpainting: observed pixels [B, H, W, C] -> embedding.
        posterior: makes q(z|x) of the encoder's outputs; a Gaussian if None.
    """

    adds: tuple[str, ...] = ()
    """Names of what `code_terms` adds to the loss."""

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        likelihood: Likelihood,
        prior: Prior,
        num_labels: int = 0,
        observed_network: keras.Model | None = None,
        posterior: Posterior | None = None,
    ) -> None:
        super().__init__(name="vae")
        self.encoder = encoder
        self.posterior_network = posterior or Posterior(GaussianPosteriorConfig(), 0)
        self.decoder = decoder
        self.likelihood = likelihood
        self.prior_network = prior
        self._logits = fast_decoder(decoder)
        self.num_labels = num_labels
        self.labels = np.arange(num_labels)
        self.observed_network = observed_network
        embedded = observed_network.output_shape[-1] if observed_network else num_labels
        self.latent_dim: int = decoder.input_shape[-1] - embedded
        self.level_sizes: tuple[int, ...] = (self.latent_dim,)
        self.built = True

    @property
    def inference_networks(self) -> list[keras.layers.Layer]:
        """The networks that make q(z|x)."""
        return [self.encoder, self.posterior_network]

    @property
    def noise_dim(self) -> int:
        """Normal numbers that a posterior sample takes."""
        return self.latent_dim

    def condition(
        self, label: Any = None, corrupted: Any = None, mask: Any = None
    ) -> Condition:
        """Return the condition of images; what this model doesn't use is left out.

        Args:
            label: class numbers [B].
            corrupted: what the encoder gets in place of the images, float32
                [B, H, W, C]; for inpainting the observed pixels, the encoder getting
                all of them.
            mask: weight of each pixel in the likelihood, float32 [B, H, W, 1].
        """
        if self.observed_network:
            embedding = as_float32(self.observed_network(corrupted))
            return Condition(embedding=embedding, mask=mask)
        one_hot = None
        if self.num_labels:
            one_hot = ops.one_hot(ops.cast(label, "int32"), self.num_labels)
        return Condition(one_hot, corrupted, one_hot, mask)

    def encode(
        self, images: Any, condition: Condition = UNCONDITIONAL, training: bool = False
    ) -> Encoded:
        """Return the parameters of q(z|x~, y) for each image.

        Args:
            images: float32 [B, H, W, C] in [0, 1].
            condition: of these B images.
            training: whether dropout and batch statistics are on.
        """
        pixels = images if condition.corrupted is None else condition.corrupted
        inputs = ops.convert_to_tensor(pixels)
        if condition.label is not None:
            inputs = [inputs, condition.label]
        return as_float32(self.encoder(inputs, training=training))

    def levels(
        self,
        encoded: Encoded,
        noise: Any,
        condition: Condition = UNCONDITIONAL,
        training: bool = False,
        prior: Distribution | None = None,
        codes: Sequence[Any] | None = None,
    ) -> Levels:
        """Draw codes from q(z|x).

        Args:
            encoded: from `encode`, B images.
            noise: standard normal float32 [S, B, noise_dim].
            condition: of these images.
            training: whether dropout and batch statistics are on.
            prior: p(z|y) of the top where it was computed before.
            codes: of each level, to be taken in place of drawn ones, [S, B, d]; no
                noise is needed then.

        Returns:
            one level, [S, B, latent_dim].
        """
        every_sample = {name: values[None] for name, values in encoded.items()}
        posterior = self.posterior_network.distribution(every_sample)
        if codes is None:
            z, posterior = posterior.draw(noise)
        else:
            z = codes[0]
        return [Level(z, posterior, prior or self.prior(condition))]

    def infer(
        self,
        images: Any,
        noise: Any,
        condition: Condition = UNCONDITIONAL,
        training: bool = False,
    ) -> Levels:
        """Encode images and draw codes: `encode`, then `levels`."""
        encoded = self.encode(images, condition, training)
        return self.levels(encoded, noise, condition, training)

    def mean_posterior(self, encoded: Encoded, training: bool = False) -> Any:
        """Return q(z|x) of the whole code, [B, latent_dim].

        Lower levels are evaluated at the mean of the levels above. Decoding the mean
        reconstructs the image. Of a flow it is `Transformed.gaussian`.
        """
        return self.posterior_network.distribution(encoded).gaussian()

    def code_means(self, encoded: Encoded, levels: Levels) -> Any:
        """Return posterior means of the whole code, [B, latent_dim], for statistics.

        Args:
            encoded: of B images.
            levels: drawn from it.
        """
        # not the draw's: with two levels its bottom means move with the top's noise
        return self.mean_posterior(encoded).mean

    def posterior(self, images: Any, condition: Condition = UNCONDITIONAL) -> Any:
        """Return q(z|x~, y) of the whole code, as `mean_posterior` does."""
        return self.mean_posterior(self.encode(images, condition))

    def code_terms(self, encoded: Encoded) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what codes add to the loss, and what they learn from; [B, ...] each.

        The first enters `Terms.extras`, the second `Terms.learned_from`.
        """
        return {}, {}

    def kl_to_uniform(self, levels: Levels) -> Any | None:
        """Return KL(q || uniform) of each image, [B]; None unless a prior was learned.

        For discrete codes whose prior was trained after the autoencoder.
        """
        return None

    def learn(
        self,
        batch: dict[str, Any],
        weight: Any,
        start: Any,
        total: Any,
        add_up: Callable[[Any], Any],
        seed: Any,
    ) -> None:
        """Learn from a whole batch what gradients don't; see `Quantizer.update`."""

    def call(self, images: Any, training: bool = False) -> Any:
        """Reconstruct from posterior means: [B, H, W, C] -> the same."""
        encoded = self.encode(images, training=training)
        z = self.mean_posterior(encoded, training).mean
        return self.likelihood.mean(self.decode(z, training=training))

    @contextlib.contextmanager
    def in_float32(self) -> Iterator[None]:
        """Let the networks compute in float32 here, whatever they are trained in.

        Their weights are float32 already. What is traced in here stays in float32.
        """
        lower = [x for x in self._flatten_layers() if x.compute_dtype != "float32"]
        before = [layer.dtype_policy for layer in lower]
        for layer in lower:
            layer.dtype_policy = "float32"
        try:
            yield
        finally:
            for layer, policy in zip(lower, before, strict=True):
                layer.dtype_policy = policy

    @property
    def is_dense(self) -> bool:
        """Whether no layer is a convolution: on a CPU, XLA then pays, else it costs."""
        convolutions = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
        return not any(isinstance(x, convolutions) for x in self._flatten_layers())

    def export_networks(self) -> tuple[keras.Model, keras.Model]:
        """Return encoder and decoder as plain Keras models that need no package.

        The encoder gives `mean` and `log_var` of `mean_posterior`, lower levels at the
        means of those above; the decoder gives pixel means. Both take the one-hot label
        as a second input where there are labels; the decoder takes the observed pixels
        where the model inpaints.
        """
        inputs = [keras.Input((self.latent_dim,), name="z")]
        parts = inputs[:]
        if self.num_labels:
            inputs.append(keras.Input((self.num_labels,), name="label"))
            parts = inputs
        if self.observed_network:
            inputs.append(keras.Input(self.encoder.input_shape[1:], name="observed"))
            parts = [inputs[0], self.observed_network(inputs[1])]
        z = parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)
        # Keras warns where one array comes for a list of one
        single = inputs[0] if len(inputs) == 1 else inputs
        pixels = self.likelihood.mean(self.decoder(z))
        return self._exported_encoder(), keras.Model(single, pixels, name="decoder")

    def _exported_encoder(self) -> keras.Model:
        if self.posterior_network.in_encoder and len(self.level_sizes) == 1:
            return self.encoder
        inputs = self.encoder.input
        image, label = inputs if self.num_labels else (inputs, None)
        q = self.posterior(image, Condition(label, embedding=label))
        outputs = {"mean": q.mean, "log_var": q.log_var}
        return keras.Model(inputs, outputs, name="encoder")
