"""A small classifier of a data set's labels, trained on its own training images.

It measures samples: whether an image requested to be of a class is
taken for it, and how far two sets of images are apart in its features.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from vae_cli.data.batches import pixels_to_float
from vae_cli.data.pipeline import without_autotuning
from vae_cli.data.splits import Split
from vae_cli.evaluation.batches import over_batches
from vae_cli.models.features import feature_network
from vae_cli.randomness import seeded


class Classifier:
    """A trained network.

    Args:
        network: images [B, H, W, C] -> `hidden` [B, F] and `logits` [B, K].
    """

    def __init__(self, network: keras.Model) -> None:
        self._network = network

    def __call__(
        self, images: np.ndarray, batch_size: int = 500
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return features [N, F] and the most likely label, int [N].

        Args:
            images: uint8, or float32 in [0, 1], [N, H, W, C].
            batch_size: images at a time.
        """

        def outputs(x: Any) -> tuple[Any, Any]:
            features = self._network(x, training=False)
            return features["hidden"], features["logits"]

        features, logits = over_batches(outputs, (images,), batch_size)
        return features, logits.argmax(axis=1)


def train_classifier(
    split: Split, num_classes: int, seed: int = 0, epochs: int = 5
) -> Classifier:
    """Train on labelled images; on MNIST it reaches 99 % of the test digits.

    Args:
        split: training images with labels.
        num_classes: K.
        seed: initial weights and order.
        epochs: passes over the images.
    """
    with seeded(seed):
        network = feature_network(split.images.shape[1:], num_classes, dropout=0.3)
        fit_classifier(network, split.images[:], np.asarray(split.labels), epochs)
    return Classifier(network)


def fit_classifier(
    network: keras.Model, images: np.ndarray, labels: np.ndarray, epochs: int
) -> None:
    """Train a network to predict labels, by Adam with a cosine schedule.

    Args:
        network: a `feature_network`.
        images: uint8 [N, H, W, C].
        labels: int [N].
        epochs: passes over the images.
    """
    steps = epochs * -(-len(images) // 128)
    trained = keras.Model(network.input, network.output["logits"])
    trained.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    order = tf.data.Dataset.range(len(images)).shuffle(len(images), seed=0).batch(128)
    pixels, kinds = tf.constant(images), tf.constant(labels)
    batches = order.map(
        lambda i: (pixels_to_float(tf.gather(pixels, i)), tf.gather(kinds, i))
    )
    trained.fit(without_autotuning(batches), epochs=epochs, shuffle=False, verbose=0)
