"""What the page computes from a run, as arrays; it knows nothing of the browser."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from vae_cli.config.compose import command_options
from vae_cli.config.encode import ENCODE
from vae_cli.data.splits import Split
from vae_cli.errors import DataError
from vae_cli.evaluation import encoding
from vae_cli.evaluation.anomaly import IMAGE_SCORES
from vae_cli.evaluation.batches import ConditionArrays, as_float, checked_condition
from vae_cli.evaluation.by_level import level_of
from vae_cli.evaluation.latent import (
    encode,
    kl_to_normal,
    sample_prior,
    with_observed,
)
from vae_cli.evaluation.paths import interpolate
from vae_cli.explore.plane import Plane, plane_of, ranges
from vae_cli.explore.scored import Scored
from vae_cli.randomness import Stream, generator
from vae_cli.run import Run

STRIP = 9
"""Pictures in a strip."""
REFERENCE = 200
"""Number of images of the split that own pictures are ranked against."""
POSTERIOR_SAMPLES = 20
"""Posterior samples for the scores of an own picture."""


@dataclass(frozen=True)
class Condition:
    """What decoding depends on besides the code.

    Attributes:
        label: class number, for a model that is conditioned on labels.
        image: index of the image whose observed pixels an inpainting model gets.
    """

    label: int | None = None
    image: int = 0


class Explorer:
    """A run, and the codes of some of its images.

    Args:
        run: the run.
        split: the split to show; None: test if it exists, else validation.
        num_points: show at most this many images.
        seed: chooses the images.

    Attributes:
        split: the images that are shown.
        mean: their codes, posterior means, float32 [N, latent_dim].
        log_var: likewise.
        kl: KL(q(z_j|x) || N(0, 1)) of each dimension, nats, float [latent_dim].
        order: the dimensions, largest KL first.
        plane: maps codes to the scatter plot and back.
        points: coordinates of the images in the plot, float32 [N, 2].
        ranges: limits of each dimension's slider, float32 [latent_dim, 2].
    """

    def __init__(
        self, run: Run, split: str | None = None, num_points: int = 3000, seed: int = 0
    ) -> None:
        self.run = run
        self.split_name = run.split_name(split)
        chosen = run.split(self.split_name)
        if num_points < len(chosen):
            rows = generator(seed, Stream.CHOICE).permutation(len(chosen))
            chosen = chosen.take(rows[:num_points])
        self.split: Split = chosen
        self.vae = run.vae
        codes = encode(self.vae, chosen.images, condition=chosen.condition)
        self.mean, self.log_var = codes
        self.kl = kl_to_normal(*codes)
        self.order = np.argsort(-self.kl)
        self.plane: Plane = plane_of(self.mean)
        self.points = self.plane.points(*codes)
        self.ranges = ranges(self.mean)
        self._decode = self._compiled()

    @property
    def inpaints(self) -> bool:
        """Whether decoding depends on an image's observed pixels."""
        return self.run.config.conditioning.on_observed

    @cached_property
    def classes(self) -> dict[int, str]:
        """Number -> name of the classes to choose from; empty if unconditional."""
        numbers = self.vae.labels.tolist() if self.vae.num_labels else []
        return {number: self.run.spec.class_name(number) for number in numbers}

    def dimension_name(self, dim: int) -> str:
        """Return a latent dimension's name, with its level if there are several."""
        sizes = self.vae.level_sizes
        level = level_of(sizes, dim)
        name = f"level {level}" if level else "top level"
        return f"z[{dim}], {name}" if len(sizes) > 1 else f"z[{dim}]"

    def condition_of(self, index: int) -> Condition:
        """Return what an image of the split is decoded with."""
        label = None
        if self.classes and self.split.labels is not None:
            label = int(self.split.labels[index])
        return Condition(label, index)

    def picture(self, index: int) -> np.ndarray:
        """Return an image of the split, float32 [H, W, C] in [0, 1]."""
        return self.split.pictures(slice(index, index + 1))[0]

    def reconstruction(self, index: int) -> np.ndarray:
        """Return an image's reconstruction, float32 [H, W, C] in [0, 1].

        It is decoded from the posterior mean.
        """
        return self.decode(self.mean[index : index + 1], self.condition_of(index))[0]

    def example_pair(self) -> tuple[int, int]:
        """Return two images for the first path.

        They have different labels if possible, or the same label if the model is
        conditioned on labels.
        """
        labels = self.split.labels
        if labels is not None:
            wanted = (labels == labels[0]) if self.classes else (labels != labels[0])
            wanted[0] = False
            if wanted.any():
                return 0, int(wanted.argmax())
        return 0, min(1, len(self.split) - 1)

    def path_condition(self, start: int, end: int, chosen: Condition) -> Condition:
        """Return what a path is decoded with: the class of both images, or `chosen`."""
        labels = self.split.labels
        if self.classes and labels is not None and labels[start] == labels[end]:
            return self.condition_of(start)
        return chosen

    def nearest(self, x: float, y: float) -> int:
        """Return the index of the image closest to a point of the plot."""
        distance = ((self.points - np.array([x, y], np.float32)) ** 2).sum(axis=1)
        return int(distance.argmin())

    def decode(self, z: np.ndarray, condition: Condition) -> np.ndarray:
        """Return pictures of codes.

        Args:
            z: float32 [N, latent_dim].
            condition: of all of them.

        Returns:
            float32 [N, H, W, C] in [0, 1].
        """
        arrays = self._arrays(condition, len(z))
        tensors = {name: as_float(array) for name, array in arrays.items()}
        images = self._decode(tf.constant(z, tf.float32), tensors).numpy()
        if self.inpaints:
            images = with_observed(images, arrays)
        # diverged weights decode to NaN
        return np.nan_to_num(self.run.spec.pixels.shown(images))

    def strip(self, z: np.ndarray, dim: int, condition: Condition) -> np.ndarray:
        """Return pictures for the range of one dimension; the others stay as in `z`.

        Args:
            z: float32 [latent_dim].
            dim: which dimension.
            condition: of the pictures.

        Returns:
            float32 [STRIP, H, W, C] in [0, 1].
        """
        return self.decode(self.strip_codes(z, dim), condition)

    def strip_codes(self, z: np.ndarray, dim: int) -> np.ndarray:
        """Return the codes of the strip of a dimension, float32 [STRIP, latent_dim]."""
        codes = np.tile(z.astype(np.float32), (STRIP, 1))
        low, high = self.ranges[dim]
        codes[:, dim] = np.linspace(low, high, STRIP)
        return codes

    def path(self, start: int, end: int, steps: int) -> np.ndarray:
        """Return codes on the straight line from one image to another, [steps, d].

        Raises:
            DataError: an index is out of range.
        """
        for index in (start, end):
            if not 0 <= index < len(self.mean):
                raise DataError(
                    f"There is no image {index}: they are numbered 0 to "
                    f"{len(self.mean) - 1}."
                )
        return interpolate(self.mean[start], self.mean[end], steps, "linear")

    def samples(
        self, count: int, temperature: float, seed: int, condition: Condition
    ) -> np.ndarray:
        """Return pictures of samples from the prior, float32 [count, H, W, C]."""
        arrays = self._arrays(condition, count)
        z = sample_prior(self.vae, count, seed, temperature, arrays)
        return self.decode(z, condition)

    def score(self, paths: Sequence[Path], label: int | None) -> list[Scored]:
        """Encode, reconstruct and score picture files.

        They are prepared like the run's data.

        Args:
            paths: the files.
            label: class of all pictures, for a model that is conditioned on labels.

        Raises:
            VaeCliError: a file can't be read, or doesn't fit the model.
        """
        own = label if self.classes else None
        # by name: where names are numbers, a number would be taken for one
        typed = None if own is None else self.classes[own]
        split, names = self.run.images([str(path) for path in paths], typed)
        how = command_options(
            "encode",
            ENCODE,
            images=", ".join(names),
            scores=True,
            posterior_samples=POSTERIOR_SAMPLES,
            label=typed,
        )
        parts = list(encoding.codes(self.run, split, how))
        mean = np.concatenate([part.mean for part in parts])
        restored = np.concatenate([self.decode(z[None], Condition(own)) for z in mean])
        scores = {
            name: np.concatenate([part.scores[name] for part in parts])
            for name in IMAGE_SCORES
            if name in parts[0].scores
        }
        return [
            Scored(
                names[i],
                split.pictures(slice(i, i + 1))[0],
                restored[i],
                mean[i],
                {name: float(values[i]) for name, values in scores.items()},
                float((self.reference < scores["neg_elbo"][i]).mean()),
                own,
            )
            for i in range(len(mean))
        ]

    @cached_property
    def reference(self) -> np.ndarray:
        """The `neg_elbo` of `REFERENCE` images of the split, nats, ascending."""
        codes = self.run.codes(
            split=self.split_name,
            num_images=min(REFERENCE, len(self.split)),
            scores=True,
            posterior_samples=POSTERIOR_SAMPLES,
        )
        return np.sort(np.concatenate([part.scores["neg_elbo"] for part in codes]))

    def warm_up(self) -> None:
        """Compile the decoder, so that the first click is as fast as later ones."""
        z = np.zeros((1, self.vae.latent_dim), np.float32)
        condition = self.condition_of(0)
        self.decode(z, condition)
        self.decode(z, condition)
        self.strip(z[0], 0, condition)

    def _arrays(self, condition: Condition, count: int) -> ConditionArrays:
        """Return the condition of so many codes, arrays [count, ...]."""
        if self.inpaints:
            rows = np.full(count, condition.image)
            arrays = self.split.take(rows).condition
            names = ("corrupted", "mask")
            return {name: arrays[name][:] for name in names if name in arrays}
        label = condition.label if self.classes else None
        if self.classes and label is None:
            label = next(iter(self.classes))
        name = None if label is None else self.classes[label]
        return checked_condition(self.vae, self.run.labels.condition(name, count))

    def _compiled(self) -> Any:
        vae = self.vae

        @tf.function(reduce_retracing=True)
        def pixels(z: Any, condition: Any) -> Any:
            return vae.pixel_means(z, vae.condition(**condition))

        return pixels
