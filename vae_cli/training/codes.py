"""The codes of images, which the prior of codes is trained on."""

from typing import Any, NamedTuple

import numpy as np

from vae_cli.config.train import TrainConfig
from vae_cli.data.prepare import pick_split
from vae_cli.data.splits import ImageData
from vae_cli.evaluation.batches import checked_condition, image_noise, over_batches
from vae_cli.models.vae import VAE
from vae_cli.randomness import Stream


class TrainingCodes(NamedTuple):
    """Codes of a split, and what they are conditioned on."""

    codes: np.ndarray  # int32 [N, h, w]
    label: np.ndarray | None  # one-hot float32 [N, num_labels]

    def inputs(self, rows: Any) -> list[np.ndarray]:
        """Return what the network takes, of some images."""
        return [a[rows] for a in self if a is not None]


def codes_of(
    config: TrainConfig, data: ImageData, vae: VAE, name: str
) -> TrainingCodes:
    """Return the codes of a split; where q(z|x) has noise, one sample per image."""
    split = pick_split(data, config.dataset, name, config.corruption)
    condition = checked_condition(vae, split.condition)

    def encode(x: Any, arrays: Any, index: Any) -> tuple[Any]:
        noise = image_noise(index, 1, vae.noise_dim, config.seed, Stream.TRAINING_CODES)
        condition = vae.condition(**arrays)
        (level,) = vae.levels(vae.encode(x, condition), noise, condition)
        return (vae.code_indices(level.z)[0],)

    index = np.arange(len(split), dtype=np.float32)
    (codes,) = over_batches(encode, (split.images, condition, index), 500)
    label = None
    if vae.num_labels:
        label = np.eye(vae.num_labels, dtype=np.float32)[condition["label"][:]]
    return TrainingCodes(codes.reshape(len(codes), *vae.code_grid), label)
