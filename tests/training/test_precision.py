import keras
import numpy as np
import pytest

from tests.helpers import TINY, mean_and_log_var, small_config, whole
from vae_cli.data.corruption import corrupt_split
from vae_cli.data.prepare import load_data
from vae_cli.data_spec import DataSpec
from vae_cli.evaluation.bounds import evaluate_elbo
from vae_cli.models.factory import build_model
from vae_cli.training.build import build_learner
from vae_cli.training.distribution import Distribution
from vae_cli.training.learner import Learner
from vae_cli.training.optimizer import LossScale

MIXED = ["mixed_bfloat16", "mixed_float16"]


def mixed_learner(
    precision: str, *overrides: str, architecture: str = "dense"
) -> Learner:
    """Return the learner of a tiny run, in a precision."""
    config = small_config(
        f"precision={precision}",
        "dataset.num_images=60",
        "dataset.validation_size=10",
        *overrides,
        architecture=architecture,
    )
    learner = build_learner(config, load_data(config.dataset), Distribution())
    learner.compile(learner.optimizer, run_eagerly=True)
    return learner


@pytest.mark.parametrize("architecture", ["dense", "conv", "residual_conv"])
@pytest.mark.parametrize("precision", MIXED)
def test_codes_logits_and_weights_stay_float32(precision, architecture):
    vae = build_model(
        small_config(architecture=architecture),
        DataSpec((8, 8, 1), binary=False),
        precision,
    )
    images = np.full((2, 8, 8, 1), 0.5, "float32")
    mean, log_var = mean_and_log_var(vae, images)
    logits = vae.decode(mean)
    assert {x.dtype.name for x in (mean, log_var, logits)} == {"float32"}
    assert {weight.dtype for weight in vae.weights} == {"float32"}
    inner = vae.encoder.layers[-1].compute_dtype
    assert inner == precision.removeprefix("mixed_")


def test_a_step_that_overflows_is_counted_and_changes_nothing():
    weight = keras.Variable([1.0, 2.0])
    optimizer = LossScale(keras.optimizers.Adam(0.1))
    optimizer.build([weight])
    optimizer.apply_gradients([(np.array([np.inf, 1.0], "float32"), weight)])
    assert int(optimizer.iterations) == 1
    assert np.asarray(weight).tolist() == [1.0, 2.0]
    assert float(optimizer.dynamic_scale) == optimizer.initial_scale / 2
    optimizer.apply_gradients([(np.array([1.0, 1.0], "float32"), weight)])
    assert int(optimizer.iterations) == 2
    assert (np.asarray(weight) < [1.0, 2.0]).all()


def test_float16_leaves_biases_undecayed():
    learner = mixed_learner("mixed_float16", "optimizer=adamw")
    inner = learner.optimizer.inner_optimizer
    weights = learner.vae.trainable_variables
    assert {w.name for w in weights if inner._use_weight_decay(w)} == {"kernel"}


def test_average_starts_at_the_weights_where_the_first_step_overflows():
    learner = mixed_learner("mixed_float16", "optimizer.ema_decay=0.9")
    weight = learner.vae.trainable_variables[0]
    # whatever the loss, scaled by this its gradients are infinite
    learner.optimizer.dynamic_scale.assign(3e38)
    trail = [np.asarray(weight).astype(float)]
    for step in range(4):
        learner.train_step(whole(range(8)))
        trail.append(np.asarray(weight).astype(float))
        if step == 0:
            learner.optimizer.dynamic_scale.assign(1.0)
    np.testing.assert_array_equal(trail[0], trail[1])
    assert (trail[1] != trail[2]).any()
    average = trail[0]
    for value in trail[1:]:
        average = 0.9 * average + 0.1 * value
    np.testing.assert_allclose(learner.average.variables[0], average, atol=1e-6)
    with learner.averaged_weights():
        np.testing.assert_allclose(weight, average, atol=1e-6)
    np.testing.assert_array_equal(weight, trail[-1])


OBSERVED = (
    "corruption=quadrants",
    "corruption.loss_on=missing",
    "conditioning=observed",
    "conditioning.hidden_units=[5]",
)
DISTRIBUTIONS = {
    "standard": (),
    "mog": ("prior=mog", "prior.components=3"),
    "vamp": ("prior=vamp", "prior.components=3"),
    "label": ("conditioning=label", "conditioning.learned_prior=true"),
    "observed": OBSERVED,
    "two levels": ("hierarchy=two_level", "hierarchy.hidden_units=[4]"),
    "iwae": ("objective=iwae", "objective.importance_samples=2"),
    "gaussian": ("likelihood=gaussian", "likelihood.learn_std=true"),
    "continuous_bernoulli": ("likelihood=continuous_bernoulli",),
}
"""Every prior and every likelihood."""


@pytest.mark.parametrize("precision", MIXED)
@pytest.mark.parametrize("kind", DISTRIBUTIONS)
def test_every_prior_and_likelihood_is_float32_in_a_mixed_precision_step(
    kind, precision
):
    learner = mixed_learner(precision, *DISTRIBUTIONS[kind])
    found = []
    kind_of_objective = type(learner.objective)

    class Spy(kind_of_objective):
        def __call__(self, *arguments, **options):
            found.append(super().__call__(*arguments, **options))
            return found[-1]

    learner.objective.__class__ = Spy
    learner.train_step(whole(range(8)))
    terms = [term for term in found[0] if hasattr(term, "dtype")]
    assert {term.dtype.name for term in terms} == {"float32"}
    assert all(np.isfinite(term).all() for term in terms)
    for part in (learner.vae.prior_network, learner.vae.likelihood):
        layers = part._flatten_layers()
        assert {layer.compute_dtype for layer in layers} == {"float32"}


EVALUATED = {
    "dense": (),
    "conv": (),
    "residual_conv": (),
    "batch norm, average": (
        "architecture.normalization=batch", "optimizer.ema_decay=0.5",
    ),
    "layer norm, gated": (
        "architecture.normalization=layer", "architecture.gated=true",
    ),
    "two levels, vamp": (
        "hierarchy=two_level", "hierarchy.hidden_units=[4]", "latent_dim=4",
        "prior=vamp", "prior.components=3",
    ),
    "label": ("conditioning=label",),
    "observed": OBSERVED,
}  # fmt: skip


@pytest.mark.parametrize("precision", MIXED)
@pytest.mark.parametrize("kind", EVALUATED)
def test_validation_in_training_is_the_float32_evaluation_of_what_is_saved(
    kind, precision, tmp_path
):
    options = ("dataset.image_size=8", "optimizer.learning_rate=0.03", *EVALUATED[kind])
    architecture = kind if kind in TINY else "dense"
    learner = mixed_learner(precision, *options, architecture=architecture)
    for _ in range(5):
        learner.train_step(whole(range(30)))
    learner.reset_metrics()
    with learner.averaged_weights():
        learner.test_step(whole(range(10)))
        learner.vae.save_weights(tmp_path / "saved.weights.h5")
    config = small_config(
        "dataset.num_images=60",
        "dataset.validation_size=10",
        *options,
        architecture=architecture,
    )
    data = load_data(config.dataset)
    saved = build_model(config, data.spec)
    saved.load_weights(tmp_path / "saved.weights.h5")
    split = corrupt_split(data.validation, config.corruption, config.dataset.seed)
    score = evaluate_elbo(
        saved, split.images[:], config.seed, condition=split.condition
    )
    found = learner._statistics.validation_logs()
    assert float(found["neg_elbo"]) == pytest.approx(score.neg_elbo, rel=2e-6)


def test_training_goes_on_in_16_bits_after_a_validation():
    learner = mixed_learner("mixed_bfloat16", "architecture.normalization=batch")
    layers = learner.vae._flatten_layers()
    before = [layer.dtype_policy.name for layer in layers]
    learner.test_step(whole(range(10)))
    assert [
        layer.dtype_policy.name for layer in learner.vae._flatten_layers()
    ] == before
    assert "mixed_bfloat16" in before
