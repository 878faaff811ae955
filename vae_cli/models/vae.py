"""The variational autoencoder: encoder, posterior, prior, decoder, likelihood."""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from vae_cli.models.layers import Sampling
from vae_cli.models.likelihoods import Likelihood
from vae_cli.models.priors import Prior
from vae_cli.models.quick import quick_decoder


class Draw(NamedTuple):
    """Codes, and the Gaussian that each was drawn from."""

    z: Any  # [S, B, latent_dim]
    mean: Any  # [1, B, latent_dim] or, where it depends on the draw, [S, B, latent_dim]
    log_var: Any  # likewise


class VAE(keras.Model):
    """A composition of parts; how it is trained is the learner's business.

    Args:
        encoder: image [B, H, W, C] -> dict of `mean` and `log_var`, [B, latent_dim];
            of an image and its one-hot label where there are labels.
        decoder: z [B, latent_dim] -> logits [B, H, W, C]; where there are labels, z
            and one-hot label in one, [B, latent_dim + num_labels].
        likelihood: scores images, given logits.
        prior: p(z).
        num_labels: kinds of images that the networks are told apart; 0 tells nothing.
            With labels, `given` them the model is used as any other; `labels` are
            those that it is trained on.
        seen_network: for a model that completes images: from what is seen of them
            [B, H, W, C] to what the decoder is told beside z, and the prior.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        likelihood: Likelihood,
        prior: Prior,
        num_labels: int = 0,
        seen_network: keras.Model | None = None,
    ) -> None:
        super().__init__(name="vae")
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.prior = prior
        self.sampling = Sampling(name="sampling", dtype="float32")
        self._logits = quick_decoder(decoder)
        self.num_labels = num_labels
        self.labels = np.arange(num_labels)
        self.seen_network = seen_network
        told = seen_network.output_shape[-1] if seen_network else num_labels
        self.latent_dim: int = decoder.input_shape[-1] - told
        self.built = True

    def given(self, label: Any = None, seen: Any = None, scored: Any = None) -> Any:
        """Return the model as it is where more is known than the images.

        Args:
            label: class numbers [B]; a model without labels needs none.
            seen: what the encoder sees in place of the images, float32 [B, H, W, C];
                where there is a `seen_network`, what that sees, the encoder seeing all.
            scored: weight of each pixel in the likelihood, float32 [B, H, W, 1].
        """
        if self.num_labels:
            label = ops.one_hot(ops.cast(label, "int32"), self.num_labels)
        elif seen is None and scored is None:
            return self
        else:
            label = None
        return Given(self, label, seen, scored)

    def posterior(self, images: Any, training: bool = False) -> dict[str, Any]:
        """Return what q(z|x) needs to know of each image: arrays of [B, ...]."""
        return as_float32(self.encoder(images, training=training))

    def draw(
        self, posterior: dict[str, Any], noise: Any, training: bool = False
    ) -> Draw:
        """Draw codes from q(z|x).

        Args:
            posterior: from `posterior`, B images.
            noise: standard normal float32 [S, B, latent_dim].
            training: whether dropout and batch statistics are on.
        """
        mean, log_var = posterior["mean"][None], posterior["log_var"][None]
        return Draw(self.sampling(mean, log_var, noise), mean, log_var)

    def encode(self, images: Any, training: bool = False) -> tuple[Any, Any]:
        """Return mean and log-variance of q(z|x), float32 [B, latent_dim] each."""
        return self.code(self.posterior(images, training=training), training=training)

    def code(
        self, posterior: dict[str, Any], training: bool = False
    ) -> tuple[Any, Any]:
        """Return mean and log-variance [B, latent_dim] that no noise has moved."""
        return posterior["mean"], posterior["log_var"]

    def decode(self, z: Any, training: bool = False) -> Any:
        """Return logits [B, H, W, C] for codes [B, latent_dim]."""
        return as_float32(self._logits(z, training=training))

    def score(self, images: Any, logits: Any) -> Any:
        """Return log p(x|z), nats: images [B, H, W, C], logits [..., B, H, W, C]."""
        return self.likelihood.log_prob(images, logits)

    def pixel_means(self, z: Any) -> Any:
        """Return E[x|z], float32 [B, H, W, C] in [0, 1]."""
        return self.likelihood.mean(self.decode(z))

    def call(self, images: Any, training: bool = False) -> Any:
        """Reconstruct from posterior means: [B, H, W, C] -> the same."""
        mean, _ = self.encode(images, training=training)
        return self.likelihood.mean(self.decode(mean, training=training))

    @property
    def is_dense(self) -> bool:
        """Whether no layer is a convolution: on a CPU, XLA then pays, else it costs."""
        convolutions = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
        return not any(isinstance(x, convolutions) for x in self._flatten_layers())

    def export_networks(self) -> tuple[keras.Model, keras.Model]:
        """Return encoder and decoder as plain Keras models that need no package.

        The encoder gives `mean` and `log_var`; the decoder gives pixel means. Both
        take the one-hot label as a second input where there are labels; the decoder
        takes what is seen where the model completes images.
        """
        inputs = [keras.Input((self.latent_dim,), name="z")]
        told = []
        if self.num_labels:
            inputs.append(keras.Input((self.num_labels,), name="label"))
            told = inputs[1:]
        if self.seen_network:
            inputs.append(keras.Input(self.encoder.input_shape[1:], name="seen"))
            told = [self.seen_network(inputs[1])]
        pixels = self.likelihood.mean(self.decoder(_side_by_side([inputs[0], *told])))
        # Keras warns where one array comes for a list of one
        single = inputs if told else inputs[0]
        return self.encoder, keras.Model(single, pixels, name="decoder")


class Given:
    """A VAE that has been told more of each image; used as one that hasn't.

    With a label y, and a corrupted image x~ for the encoder (each is left out where
    there is none):

        log p(x|y) >= E_q(z|x~,y)[log p(x|z, y)] - KL(q(z|x~, y) || p(z|y))

    Where the model completes images, y is made of what is seen, and the encoder sees
    all of x. Any x~ gives a bound. Where only the pixels that x~ shows are scored, x is
    those pixels: what is missing is integrated out, since pixels are independent given
    z.

    Sources: Sohn et al., "Learning structured output representation using deep
    conditional generative models", 2015; Im et al., "Denoising criterion for
    variational auto-encoding framework", 2017; Mattei & Frellsen, "MIWAE", 2019.

    Args:
        vae: the model.
        label: one-hot float32 [B, num_labels], or None.
        seen: what the encoder sees, float32 [B, H, W, C]; None: the image itself.
        scored: weight of each pixel in the likelihood, [B, H, W, 1]; None: all 1.
    """

    # as for a VAE, by its own posterior and decoder
    encode: Any = VAE.encode
    pixel_means: Any = VAE.pixel_means
    __call__: Any = VAE.call

    def __init__(
        self, vae: VAE, label: Any, seen: Any = None, scored: Any = None
    ) -> None:
        self._vae = vae
        self._label = self._told = label
        self._seen = seen
        self._scored = scored
        if vae.seen_network:
            self._told, self._seen = as_float32(vae.seen_network(seen)), None
        self.likelihood = vae.likelihood
        self.latent_dim = vae.latent_dim
        self.prior = vae.prior if self._told is None else vae.prior.given(self._told)
        self.draw, self.code = vae.draw, vae.code

    def posterior(self, images: Any, training: bool = False) -> dict[str, Any]:
        """Return what q(z|x~, y) needs to know of each image: arrays of [B, ...]."""
        seen = ops.convert_to_tensor(images if self._seen is None else self._seen)
        inputs = seen if self._label is None else [seen, self._label]
        return as_float32(self._vae.encoder(inputs, training=training))

    def decode(self, z: Any, training: bool = False) -> Any:
        """Return logits [S * B, H, W, C] for S codes an image, [S * B, latent_dim]."""
        if self._told is None:
            return self._vae.decode(z, training=training)
        samples = ops.shape(z)[0] // ops.shape(self._told)[0]
        # not `tile`, whose gradient transposes integers: oneDNN complains of them
        told = ops.broadcast_to(self._told, (samples, *ops.shape(self._told)))
        told = ops.reshape(told, (-1, self._told.shape[-1]))
        return self._vae.decode(_side_by_side([z, told]), training=training)

    def score(self, images: Any, logits: Any) -> Any:
        """Return log p of the scored pixels given z, nats; as `VAE.score`."""
        return self.likelihood.log_prob(images, logits, self._scored)


def _side_by_side(inputs: list[Any]) -> Any:
    return inputs[0] if len(inputs) == 1 else ops.concatenate(inputs, axis=-1)


def as_float32(outputs: Any) -> Any:
    """Return what networks of lower precision give as float32."""
    return keras.tree.map_structure(lambda x: ops.cast(x, "float32"), outputs)
