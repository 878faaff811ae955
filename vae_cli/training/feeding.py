"""What `fit` iterates over: shards of batches, with pixels where they are streamed."""

import tensorflow as tf

from vae_cli.config.train import TrainConfig
from vae_cli.data.batches import evaluation_order, training_order
from vae_cli.data.pipeline import Replicas, shards
from vae_cli.data.splits import ImageData, Split
from vae_cli.training.build import read_on_the_way
from vae_cli.training.distribution import Distribution
from vae_cli.training.learner import Learner

SHUFFLED_TOGETHER = 16_384
"""Images of a streamed set that are shuffled together."""


def training_shards(
    config: TrainConfig,
    data: ImageData,
    learner: Learner,
    distribution: Distribution,
    batches: int,
) -> tf.data.Dataset:
    """Return the batches that are left of an epoch, in the epoch's order.

    Args:
        config: of the run.
        data: the images.
        learner: its step counter says which epoch it is, and where it stands.
        distribution: the replicas that share each batch.
        batches: how many are left.
    """
    order = training_order(
        len(data.train),
        config.batch_size,
        config.seed,
        learner.optimizer.iterations.value,
        batches=batches,
        window=SHUFFLED_TOGETHER if data.streamed else None,
    )
    return _shards(config, order, data.train, distribution)


def validation_shards(
    config: TrainConfig, data: ImageData, distribution: Distribution
) -> tf.data.Dataset:
    """Return the validation images in batches."""
    order = evaluation_order(len(data.validation), config.batch_size)
    return _shards(config, order, data.validation, distribution)


def _shards(
    config: TrainConfig,
    order: tf.data.Dataset,
    split: Split,
    distribution: Distribution,
) -> tf.data.Dataset:
    def pipeline(replicas: Replicas) -> tf.data.Dataset:
        return shards(
            order,
            replicas,
            read_on_the_way(split, distribution),
            config.batch_size if distribution.static else None,
        )

    return distribution.dataset(pipeline)
