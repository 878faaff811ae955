"""The networks to export: functional Keras models with named inputs and outputs.

They contain only built-in layers and operations, and no randomness: the sampler takes
its noise as an input, which every format supports, and gives the same images for the
same noise in every runtime.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from vae_cli.data.corruption import MISSING
from vae_cli.models.distributions import Distribution, Gaussian, Mixture
from vae_cli.models.generative import Condition
from vae_cli.models.vae import VAE
from vae_cli.pixels import Pixels

Tensors = dict[str, Any]
"""Inputs or outputs of a network, by name."""
CHOICES = 2**24
"""Integers that pick a component: as many as float32 has in [0.5, 1)."""


class Builder:
    """Builds the networks of a model.

    Args:
        vae: the model, with its weights.
        pixels: of the data, if input and output images are in the data's own range;
            None: they are in the model's range.
        batch_size: images per call; None: any number.
        keeps_observed: whether the sampler returns observed pixels unchanged, for a
            model that was trained only on missing ones.
    """

    def __init__(
        self,
        vae: VAE,
        pixels: Pixels | None,
        batch_size: int | None,
        keeps_observed: bool = False,
    ) -> None:
        self._vae = vae
        self._pixels = pixels
        self._batch_size = batch_size
        self._keeps_observed = keeps_observed
        self._encoder, _ = vae.export_networks()

    def build(self, name: str) -> keras.Model:
        """Return `encoder`, `decoder` or `sampler`; inputs and outputs are dicts.

        The encoder maps `image` (and `label`) to `mean` and `log_var`. The decoder maps
        `z`, the sampler `noise` (and `choice`), to `image`; both also take `label`, or
        `observed` and `mask`, if the model has such a condition.
        """
        networks = {
            "encoder": self._build_encoder,
            "decoder": self._build_decoder,
            "sampler": self._build_sampler,
        }
        inputs, outputs = networks[name]()
        return keras.Model(inputs, outputs, name=name)

    def _build_encoder(self) -> tuple[Tensors, Tensors]:
        inputs = {"image": self._image("image")}
        images = self._prepared(inputs["image"])
        if not self._vae.num_labels:
            return inputs, self._gaussian(images)
        inputs["label"] = self._input((), "label", "int32")
        return inputs, self._gaussian([images, self._one_hot(inputs["label"])])

    def _gaussian(self, inputs: Any) -> Tensors:
        encoded = self._encoder(inputs)
        return {name: encoded[name] for name in ("mean", "log_var")}

    def _build_decoder(self) -> tuple[Tensors, Tensors]:
        z = self._input((self._vae.latent_dim,), "z")
        inputs, _, embedding = self._condition()
        image = self._decoded(z, embedding)
        return {"z": z, **inputs}, {"image": self._given(image)}

    def _build_sampler(self) -> tuple[Tensors, Tensors]:
        vae = self._vae
        noise = self._input((vae.latent_dim,), "noise")
        inputs, observed, embedding = self._condition()
        condition = Condition(embedding=embedding)
        prior = with_layers(vae.prior(condition))
        choice = None
        if prior.has_components:
            inputs["choice"] = choice = self._input((), "choice", "int32")
        z = vae.sample_prior(noise, choice, condition, prior)
        image = self._decoded(z, embedding)
        if self._keeps_observed:
            mask = inputs["mask"]
            image = image * (1 - mask) + observed * mask
        return {"noise": noise, **inputs}, {"image": self._given(image)}

    def _condition(self) -> tuple[Tensors, Any, Any]:
        """Return the condition's inputs, observed pixels and embedding, if any."""
        vae = self._vae
        if vae.num_labels:
            label = self._input((), "label", "int32")
            return {"label": label}, None, self._one_hot(label)
        if vae.observed_network:
            image = self._image("observed")
            mask = self._input((*image.shape[1:3], 1), "mask")
            observed = self._prepared(image) * mask + MISSING * (1 - mask)
            inputs = {"observed": image, "mask": mask}
            return inputs, observed, vae.observed_network(observed)
        return {}, None, None

    def _decoded(self, z: Any, embedding: Any) -> Any:
        """Return pixel means, from the decoder's Keras layers."""
        if embedding is not None:
            z = ops.concatenate([z, embedding], axis=-1)
        return self._vae.likelihood.mean(self._vae.decoder(z))

    def _one_hot(self, label: Any) -> Any:
        # a table: with int8, LiteRT loses the label in `one_hot`
        return _table(np.eye(self._vae.num_labels), "label_one_hot")(label)

    def _input(self, shape: Sequence[int], name: str, dtype: str = "float32") -> Any:
        return keras.Input(shape, batch_size=self._batch_size, dtype=dtype, name=name)

    def _image(self, name: str) -> Any:
        inputs = self._encoder.inputs
        eight_bit = self._pixels is not None and self._pixels.dtype == "uint8"
        return self._input(
            inputs[0].shape[1:], name, "uint8" if eight_bit else "float32"
        )

    def _prepared(self, image: Any) -> Any:
        """Return images in the model's range, like `Pixels.to_model`."""
        pixels = self._pixels
        if pixels is None:
            return image
        x = ops.cast(image, "float32")
        if pixels.low:
            x = x - pixels.low
        x = x / (pixels.high - pixels.low)
        if pixels.dequantized and pixels.levels:
            x = (x * (pixels.levels - 1) + 0.5) / pixels.levels
        return x

    def _given(self, image: Any) -> Any:
        """Return images in the data's range, like `Pixels.stored` or `from_model`.

        The former is for uint8 data, the latter for other types.
        """
        pixels = self._pixels
        if pixels is None:
            return image
        if pixels.dequantized and pixels.levels:
            level = image * pixels.levels - 0.5
            image = ops.clip(level / (pixels.levels - 1), 0.0, 1.0)
        x = image * (pixels.high - pixels.low) + pixels.low
        if pixels.dtype != "uint8":
            return x
        if pixels.bounded:
            x = ops.clip(x, pixels.low, pixels.high)
        return ops.cast(ops.clip(ops.round(x), 0.0, 255.0), "uint8")


def with_layers(distribution: Distribution) -> Distribution:
    """Return a prior whose arrays are weights of built-in Keras layers.

    Other arrays would become inputs of an ONNX file. Arrays that the network computes
    from a condition need no change.
    """
    if isinstance(distribution, Mixture):
        return MixtureLayers(distribution)
    if isinstance(distribution, Gaussian):
        arrays = distribution.mean, distribution.log_var
        if not any(isinstance(array, keras.KerasTensor) for array in arrays):
            return GaussianLayers(distribution)
    return distribution


class GaussianLayers(Distribution):
    """A Gaussian whose mean and scale are weights of embedding layers.

    Args:
        gaussian: mean and log-variance are [d] or [1, d].
    """

    def __init__(self, gaussian: Gaussian) -> None:
        self._mean = _table(gaussian.mean, "prior_mean")
        self._scale = _table(ops.exp(0.5 * gaussian.log_var), "prior_scale")

    def sample(self, noise: Any, choice: Any = None) -> Any:
        """Return mean + scale * noise, [N, d]."""
        first = ops.cast(0 * noise[:, 0], "int32")
        return self._mean(first) + self._scale(first) * noise


class MixtureLayers(Distribution):
    """A mixture whose means and scales are weights of embedding layers.

    Args:
        mixture: its current arrays are copied.
    """

    has_components = True

    def __init__(self, mixture: Mixture) -> None:
        reached = np.asarray(ops.cumsum(ops.softmax(mixture.log_weights)), np.float64)
        # integers, which no quantization rounds
        self._reached = np.ceil(reached[:-1] * CHOICES).astype(np.int32)
        self._mean = _table(mixture.mean, "component_mean")
        self._scale = _table(ops.exp(0.5 * mixture.log_var), "component_scale")

    def sample(self, noise: Any, choice: Any = None) -> Any:
        """Pick a component for each code, then draw from it, as `Mixture` does.

        `choice` is the choice of `Mixture`, times `CHOICES`, as an integer.
        """
        passed = ops.reshape(choice, (-1, 1)) >= self._reached
        picked = ops.sum(ops.cast(passed, "int32"), axis=1)
        return noise * self._scale(picked) + self._mean(picked)


def _table(rows: Any, name: str) -> keras.layers.Layer:
    """Return an embedding layer with these rows, [C, d] or [d]."""
    rows = np.atleast_2d(np.asarray(rows))
    layer = keras.layers.Embedding(*rows.shape, name=name)
    layer.build()
    layer.set_weights([rows])
    return layer
