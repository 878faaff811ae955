"""Inputs of exported networks, and the run's own outputs for them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vae_cli.config.corruption import MaskConfig
from vae_cli.data.images import to_float
from vae_cli.data.splits import Split
from vae_cli.evaluation.batches import ConditionArrays
from vae_cli.evaluation.latent import decode, encode, sample_prior, with_observed
from vae_cli.export.formats import Arrays
from vae_cli.export.networks import CHOICES
from vae_cli.pixels import Pixels
from vae_cli.randomness import Stream, generator
from vae_cli.runs.opened import OpenRun


@dataclass(frozen=True)
class Example:
    """Inputs of a network, and the run's outputs for them, by name."""

    inputs: Arrays
    outputs: Arrays


class Examples:
    """Examples on images of a split.

    The outputs are computed by the methods that other commands use, not by the exported
    networks.

    Args:
        run: the run.
        split_name: the split to take images from.
        count: number of images; they repeat if the split has fewer.
        seed: of the sampler's noise.
        data_range: whether input and output images are in the data's own range.
    """

    def __init__(
        self, run: OpenRun, split_name: str, count: int, seed: int, data_range: bool
    ) -> None:
        self._vae, self._count, self._seed = run.vae, count, seed
        self._pixels: Pixels | None = run.spec.pixels if data_range else None
        self._observed = self._vae.observed_network is not None
        corruption = run.config.corruption
        self._missing_alone = corruption.likelihood_pixels == "missing"
        if self._observed and isinstance(corruption, MaskConfig):
            # the mask then marks the observed pixels
            corruption = replace(corruption, loss_on="observed")
        split = run.split(split_name, corruption=corruption)
        self._split: Split = split.take(np.arange(count) % len(split))

    def of(self, network: str) -> Example:
        """Return inputs and outputs of `encoder`, `decoder` or `sampler`."""
        networks = {
            "encoder": self._of_encoder,
            "decoder": self._of_decoder,
            "sampler": self._of_sampler,
        }
        return networks[network]()

    def _of_encoder(self) -> Example:
        split = self._split
        noisy = split.corrupted is not None and not self._observed
        image = self._given(split.corrupted if noisy else split.images)
        condition = dict(self._condition)
        if noisy:
            condition.pop("corrupted", None)
        mean, log_var = encode(self._vae, self._model_values(image), 64, condition)
        return Example(
            {"image": image, **self._labels}, {"mean": mean, "log_var": log_var}
        )

    def _of_decoder(self) -> Example:
        z = self._of_encoder().outputs["mean"]
        return Example(
            {"z": z, **self._inputs}, {"image": self._taken(self._decode(z))}
        )

    def _of_sampler(self) -> Example:
        vae, count, seed = self._vae, self._count, self._seed
        z = sample_prior(vae, count, seed, condition=self._condition)
        image = self._decode(z)
        if self._observed and self._missing_alone:
            mask = 255 - self._split.mask[:]
            image = with_observed(image, {**self._condition, "mask": mask})
        noise = generator(seed, Stream.PRIOR).standard_normal((count, vae.latent_dim))
        inputs = {"noise": noise.astype(np.float32), **self._inputs}
        choice = generator(seed, Stream.PRIOR, 1).random(count)
        return Example(
            {**inputs, "choice": (choice * CHOICES).astype(np.int32)},
            {"image": self._taken(image)},
        )

    def _decode(self, z: np.ndarray) -> np.ndarray:
        return decode(self._vae, z, 64, self._condition)

    @property
    def _labels(self) -> Arrays:
        """The input `label`; empty if the model has none."""
        if not self._vae.num_labels or self._split.labels is None:
            return {}
        return {"label": self._split.labels.astype(np.int32)}

    @property
    def _inputs(self) -> Arrays:
        """Further inputs of decoder and sampler, besides codes or noise."""
        if not self._observed:
            return self._labels
        mask = to_float(self._split.mask[:])
        return {"observed": self._given(self._split.images), "mask": mask}

    @property
    def _condition(self) -> ConditionArrays:
        """The condition, as the run's own methods take it."""
        if not self._observed:
            return self._labels
        return {"corrupted": self._split.corrupted}

    def _given(self, images: Any) -> np.ndarray:
        """Return images as inputs of a file."""
        values, pixels = to_float(images[:]), self._pixels
        if pixels is None:
            return values
        return pixels.stored(values).astype(
            np.uint8 if pixels.dtype == "uint8" else np.float32
        )

    def _model_values(self, image: np.ndarray) -> np.ndarray:
        """Return inputs of a file in the model's range."""
        return image if self._pixels is None else self._pixels.to_model(image)

    def _taken(self, image: np.ndarray) -> np.ndarray:
        """Return the model's images as outputs of a file."""
        pixels = self._pixels
        if pixels is None:
            return image
        eight_bit = pixels.dtype == "uint8"
        return pixels.stored(image) if eight_bit else pixels.from_model(image)
