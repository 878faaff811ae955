"""The small network of `objective=perceptual`, trained on the data set itself."""

import logging

import numpy as np

from vae_cli.config.train import TrainConfig
from vae_cli.data.prepare import pick_split
from vae_cli.data.splits import ImageData, Split
from vae_cli.evaluation.classifier import fit_classifier
from vae_cli.models.objective import Elbo
from vae_cli.randomness import seeded

TURNS = 4
"""Quarter turns, which are predicted where there are no labels."""

MAX_IMAGES = 60_000
"""Images that it is trained on."""

log = logging.getLogger(__name__)


def num_kinds(data: ImageData) -> int:
    """Return how many classes the network predicts: labels, or turns."""
    return (data.spec.num_classes or TURNS) if data.train.labels is not None else TURNS


def train_features(config: TrainConfig, data: ImageData, objective: Elbo) -> None:
    """Train the network of a perceptual objective; leave any other as it is.

    It learns to predict labels, or without labels, by how much an image was rotated;
    images that aren't square are rotated by half a turn.

    Source: Gidaris et al., "Unsupervised representation learning by predicting image
    rotations", 2018.
    """
    if not objective.pretraining_epochs:
        return
    split = pick_split(data, config.dataset, "train").take(slice(MAX_IMAGES))
    what = "labels" if split.labels is not None else "turns"
    log.info("training the feature network on the %s of the images", what)
    images, kinds = _kinds(split)
    with seeded(config.seed):
        fit_classifier(objective.network, images, kinds, objective.pretraining_epochs)


def _kinds(split: Split) -> tuple[np.ndarray, np.ndarray]:
    images = split.images[:]
    if split.labels is not None:
        return images, split.labels
    height, width = images.shape[1:3]
    kinds = np.arange(len(images)) % TURNS
    if height != width:
        kinds = 2 * (kinds % 2)
    turned = np.empty_like(images)
    for turn in np.unique(kinds):
        turned[kinds == turn] = np.rot90(images[kinds == turn], turn, axes=(1, 2))
    return turned, kinds
