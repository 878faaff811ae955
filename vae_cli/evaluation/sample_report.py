"""Quality of a run's samples, with the classifier that measures it."""

import logging
from dataclasses import replace

import numpy as np

from vae_cli.config.evaluate import EvaluateConfig
from vae_cli.data.prepare import chosen_index, pick_split
from vae_cli.data.splits import Split
from vae_cli.evaluation.classifier import Classifier, train_classifier
from vae_cli.evaluation.feature_network import FeatureNetwork
from vae_cli.evaluation.fitted import fitted_density
from vae_cli.evaluation.samples import SampleQuality, generated_images, score_samples
from vae_cli.memory import check_arrays
from vae_cli.runs.opened import OpenRun

log = logging.getLogger(__name__)

_classifiers: dict[str, Classifier] = {}


def report_samples(
    run: OpenRun, split: Split, count: int, seed: int, how: EvaluateConfig
) -> tuple[SampleQuality, np.ndarray]:
    """Draw images from the prior and compare them with held-out ones.

    Args:
        run: the run.
        split: held-out images.
        count: images to draw.
        seed: of the draws.
        how: which prior, and which features.

    Returns:
        the figures, and the images, float32 [count, H, W, C].
    """
    data, dataset = run.data, run.config.dataset
    check_arrays(
        f"{count:,} samples, and as many real images to compare them with",
        (count, *data.spec.image_shape),
        "generated_images",
        copies=3,
    )
    # means say nothing of the levels that others have
    binary = data.spec.binary and run.vae.likelihood.is_discrete(data.spec)
    network = None
    if how.feature_network is not None:
        shape = data.spec.image_shape
        network = FeatureNetwork(how.feature_network, how.feature_range, shape)
    density = None
    if how.prior.is_fitted:
        density = fitted_density(run, how.prior.components)
    images, labels = generated_images(run.vae, count, seed, split, binary, density)
    train = pick_split(data, dataset, "train")
    classifier = None
    if split.labels is not None and train.labels is not None:
        kind = f"{data.fingerprint} {dataset.binarize}"
        classifier = _classifier(train, data.spec.num_classes or 1, kind)
    training_subset = train
    if count < len(train):
        training_subset = train.take(chosen_index(len(train), count, seed))
    quality = score_samples(images, labels, split, training_subset, classifier, network)
    return replace(quality, samples_are="draws" if binary else "means"), images


def _classifier(train: Split, num_classes: int, how: str) -> Classifier:
    """Return a classifier of images of a kind, trained when it is first needed."""
    if how not in _classifiers:
        log.info("training a classifier on %s images", f"{len(train):,}")
        _classifiers[how] = train_classifier(train, num_classes)
    return _classifiers[how]
