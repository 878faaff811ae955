"""What a TPU asks for, shown on a CPU: one program by XLA, every shape known."""

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import small_config
from vae_cli.data.prepare import load_data
from vae_cli.training.build import build_learner
from vae_cli.training.distribution import Distribution

TWO_LEVELS = ("hierarchy=two_level", "hierarchy.hidden_units=[4,3]")
VAMP = ("prior=vamp", "prior.components=3")
IWAE = ("objective=iwae", "objective.importance_samples=3")
CASES = {
    "conv vamp": ("conv", "architecture.normalization=batch", *VAMP),
    "residual_conv iwae mog": ("residual_conv", *IWAE, "prior=mog"),
    "dense": ("dense", "free_bits=0.1", "kl_annealing=cyclical"),
    "dense vamp": ("dense", *VAMP, *TWO_LEVELS, "precision=mixed_bfloat16"),
    "dense mask": ("dense", "corruption=random_mask"),
    "dense vae_gan": ("dense", "prior=mog", "objective=vae_gan"),
    "dense label": (
        "dense",
        "conditioning=label",
        "conditioning.learned_prior=true",
    ),
    "dense doubly": (
        "dense",
        *IWAE,
        "objective.doubly_reparameterized=true",
        "architecture.gated=true",
        "likelihood=gaussian",
        "optimizer=adamw",
        "optimizer.clip_norm=1",
    ),
    "dense continuous_bernoulli": (
        "dense",
        "likelihood=continuous_bernoulli",
        "dataset.binarize=dynamic",
        "optimizer=adamax",
        "optimizer.ema_decay=0.9",
    ),
}
QUICK = ("dense", "dense mask", "dense label")
"""Cases that the default tests compile; XLA takes seconds for each of the others."""
BATCH = 8


def learner_and_images(case: str):
    architecture, *overrides = CASES[case]
    config = small_config(
        "dataset.num_images=60",
        "dataset.validation_size=10",
        "dataset.image_size=8",
        f"batch_size={BATCH}",
        *overrides,
        architecture=architecture,
    )
    data = load_data(config.dataset)
    return build_learner(config, data, Distribution()), data.train.images


def share(images: np.ndarray, filled: int) -> dict[str, tf.Tensor]:
    """A share of `filled` images and others at no weight."""
    index = np.pad(np.arange(10, 10 + filled), (0, BATCH - filled))
    return {
        "index": tf.constant(index),
        "start": tf.constant(0, tf.int64),
        "total": tf.constant(filled, tf.int64),
        "weight": tf.constant((np.arange(BATCH) < filled).astype("float32")),
        "pixels": tf.constant(images[index]),
    }


def after_steps(case: str, jit: bool) -> tuple[list[np.ndarray], dict[str, float]]:
    learner, images = learner_and_images(case)
    step = tf.function(learner.train_step, jit_compile=jit)
    for filled in (BATCH, 5):
        step(share(images, filled))
    weights = [np.asarray(weight) for weight in learner.vae.trainable_variables]
    logs = {name: float(value) for name, value in learner._training_logs().items()}
    return weights, logs


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=() if case in QUICK else pytest.mark.slow)
        for case in CASES
    ],
)
def test_train_step_compiles_whole_and_does_the_same(case):
    compiled, plain = after_steps(case, jit=True), after_steps(case, jit=False)
    # XLA has noise of its own, so only the scale can be compared, not the values
    assert compiled[1].keys() == plain[1].keys()
    assert compiled[1]["loss"] == pytest.approx(plain[1]["loss"], rel=0.2)
    assert all(np.isfinite(weight).all() for weight in compiled[0])


@pytest.mark.parametrize("case", ["dense", "dense vamp"])
def test_images_at_no_weight_change_nothing(case):
    found = []
    for fill in (True, False):
        learner, images = learner_and_images(case)
        given = share(images, 5)
        if not fill:
            given = {
                name: value[:5] if value.shape.rank else value
                for name, value in given.items()
                if name != "weight"
            }
        learner.train_step(given)
        logs = learner._training_logs()
        found.append(
            [float(value) for value in logs.values()]
            + [float(tf.reduce_sum(weight**2)) for weight in learner.vae.weights]
        )
    np.testing.assert_allclose(*found, rtol=1e-5)
