"""What training needs before it begins: images, TensorFlow, replicas."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from vae_cli.config.schema import SyntheticConfig, TrainConfig
from vae_cli.errors import DataError
from vae_cli.runtime import start_tensorflow
from vae_cli.training.memory import check_synthetic, check_training
from vae_cli.workers import worker_index

if TYPE_CHECKING:
    from vae_cli.data.splits import ImageData
    from vae_cli.training.distribution import Distribution

AT_ONCE = 0.05
"""Seconds in which a missing file is found to be missing."""


def ready(
    config: TrainConfig, load: Callable[[], "ImageData"]
) -> tuple["ImageData", "Distribution"]:
    """Load the images while TensorFlow starts, and the replicas that share a batch.

    Args:
        config: devices, threads and distribution are read.
        load: gives the images.

    Raises:
        DataError: the images can't be loaded, or lack what the config needs.
        ConfigError: there are no such devices, or no such workers.
    """
    if isinstance(config.dataset, SyntheticConfig):
        check_synthetic(config.dataset)
    worker_index(config.distribution)  # a wrong cluster is told before all work
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(load)
        wait([loading], timeout=AT_ONCE)
        if loading.done():
            loading.result()  # what is wrong with a path is told without TensorFlow
        start_tensorflow(config)
        data = loading.result()
    check_training(config, data.spec.image_shape, len(data.train))
    if config.conditioning.name == "label":
        data.check_labelled()
    if config.objective.name == "vae_gan" and data.spec.binary:
        raise DataError(
            "objective=vae_gan needs images with levels between black and white: every "
            "pixel of these is 0 or 1, and its discriminator would tell them from "
            "pixel means at once.",
            "use objective=elbo, iwae or perceptual",
        )
    if config.anomaly and not data.test:
        raise DataError(
            "anomaly=true scores test images, and this data set has none.",
            "train without it, then: vae-anomaly split=validation",
        )
    from vae_cli.training.distribution import build_distribution

    return data, build_distribution(config.distribution, config.batch_size)
