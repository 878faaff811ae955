import keras
import numpy as np
import pytest

from tests.helpers import small_config
from vae_cli.data.prepare import load_data
from vae_cli.registry import OPTIONS
from vae_cli.training.build import build_learner
from vae_cli.training.distribution import Distribution
from vae_cli.training.optimizer import build_optimizer

STEPS_PER_EPOCH = 50


def optimizer(*overrides: str) -> keras.optimizers.Optimizer:
    """Return the optimizer of a run of 10 epochs of 50 steps."""
    return build_optimizer(small_config("epochs=10", *overrides), STEPS_PER_EPOCH)


def rates(*overrides: str, steps: list[int]) -> list[float]:
    """Return the learning rates in force at some steps."""
    built = optimizer("optimizer.learning_rate=0.02", *overrides)
    built.build([keras.Variable([0.0])])
    found = []
    for step in steps:
        built.iterations.assign(step)
        found.append(float(built.learning_rate))
    return found


def schedule(name: str, *options: str) -> list[str]:
    group = "learning_rate_schedule"
    return [f"{group}={name}", *(f"{group}.{option}" for option in options)]


def test_constant_rate_is_the_same_throughout():
    found = rates(*schedule("constant"), steps=[0, 1, 250, 10_000])
    assert found == pytest.approx([0.02] * 4)


def test_cosine_falls_from_the_peak_to_nothing_over_all_epochs():
    found = rates(*schedule("cosine"), steps=[0, 250, 500])
    assert found == pytest.approx([0.02, 0.01, 0], abs=1e-8)


def test_cosine_is_that_of_keras():
    steps = [0, 1, 77, 125, 250, 380, 499, 500, 600]
    theirs = keras.optimizers.schedules.CosineDecay(0.02, 500, alpha=0.1)
    found = rates(*schedule("cosine", "final_fraction=0.1"), steps=steps)
    assert found == pytest.approx([float(theirs(step)) for step in steps], rel=1e-5)


def test_cosine_stays_at_its_final_share_after_the_end():
    found = rates(*schedule("cosine", "final_fraction=0.1"), steps=[500, 700])
    assert found == pytest.approx([0.002, 0.002])


def test_step_multiplies_by_its_factor_at_each_drop():
    options = schedule("step", "every_epochs=2", "factor=0.1")
    found = rates(*options, steps=[0, 99, 100, 199, 200, 300])
    assert found == pytest.approx([0.02, 0.02, 0.002, 0.002, 2e-4, 2e-5])


def test_step_is_the_staircase_of_keras():
    steps = [0, 124, 125, 126, 249, 250, 375, 499]
    theirs = keras.optimizers.schedules.ExponentialDecay(0.02, 125, 0.5, staircase=True)
    found = rates(*schedule("step", "every_epochs=2.5"), steps=steps)
    assert found == pytest.approx([float(theirs(step)) for step in steps])


def test_warm_up_grows_in_a_straight_line_from_its_first_step():
    steps = [0, 1, 49, 98, 99, 100, 400]
    found = rates(*schedule("constant", "warmup_epochs=2"), steps=steps)
    assert found == pytest.approx([2e-4, 4e-4, 0.01, 0.0198, 0.02, 0.02, 0.02])


@pytest.mark.parametrize("name", ["constant", "cosine", "step"])
def test_schedule_begins_at_the_peak_where_the_warm_up_ends(name):
    found = rates(*schedule(name, "warmup_epochs=1"), steps=[24, 49, 50])
    assert found == pytest.approx([0.01, 0.02, 0.02])


def test_cosine_behind_a_warm_up_ends_with_the_run():
    theirs = keras.optimizers.schedules.CosineDecay(0.02, 450)
    steps = [50, 120, 275, 430, 500]
    found = rates(*schedule("cosine", "warmup_epochs=1"), steps=steps)
    expected = [float(theirs(step - 50)) for step in steps]
    assert found == pytest.approx(expected, rel=1e-5)
    assert (found[2], found[4]) == pytest.approx((0.01, 0), abs=1e-8)


def test_drops_are_counted_from_the_end_of_the_warm_up():
    options = schedule("step", "every_epochs=2", "factor=0.1", "warmup_epochs=0.5")
    found = rates(*options, steps=[25, 124, 125, 225])
    assert found == pytest.approx([0.02, 0.02, 0.002, 2e-4])


def test_rate_depends_on_the_step_alone():
    options = schedule("cosine", "warmup_epochs=1")
    assert rates(*options, steps=[400, 20]) == rates(*options, steps=[20, 400])[::-1]


@pytest.mark.parametrize("name", OPTIONS["optimizer"])
def test_every_optimizer_goes_downhill(name):
    built = optimizer(f"optimizer={name}", "optimizer.learning_rate=0.1")
    assert type(built).__name__.lower() == name
    weight = keras.Variable([4.0, -3.0])
    for _ in range(100):
        built.apply([2 * weight.value], [weight])
    assert np.abs(weight.value.numpy()).max() < 1


@pytest.mark.parametrize("name", OPTIONS["optimizer"])
def test_moments_and_epsilon_are_those_of_the_config(name):
    built = optimizer(
        f"optimizer={name}",
        "optimizer.beta_1=0.8",
        "optimizer.beta_2=0.95",
        "optimizer.epsilon=0.001",
    )
    assert (built.beta_1, built.beta_2, built.epsilon) == (0.8, 0.95, 0.001)


def test_adam_takes_the_steps_of_its_formula():
    built = optimizer("optimizer=adam", "optimizer.learning_rate=0.1")
    weight = keras.Variable([1.0])
    expected, m, v = 1.0, 0.0, 0.0
    for step, gradient in enumerate([0.5, -0.2, 3.0], 1):
        built.apply([keras.ops.array([gradient])], [weight])
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        m_hat, v_hat = m / (1 - 0.9**step), v / (1 - 0.999**step)
        expected -= 0.1 * m_hat / (np.sqrt(v_hat) + 1e-7)
    assert float(weight[0]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_updates_at_once_are_those_of_keras(name):
    theirs = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW}[name]
    options = {"clip_norm": 2.0}
    ours = optimizer(
        f"optimizer={name}",
        "optimizer.learning_rate=0.05",
        *(f"optimizer.{key}={value}" for key, value in options.items()),
    )
    own = {"weight_decay": ours.weight_decay} if name == "adamw" else {}
    plain = theirs(0.05, global_clipnorm=2.0, **own)
    rng = np.random.default_rng(0)
    found = []
    start, gradients = rng.normal(size=(3, 5)), rng.normal(size=(20, 3, 5))
    for built in (ours, plain):
        weight = keras.Variable(start, dtype="float32")
        for gradient in gradients:
            built.apply([keras.ops.array(gradient, "float32")], [weight])
        found.append([weight, *built.variables[2:]])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_weight_decay_shrinks_weights_that_have_no_gradient():
    built = optimizer(
        "optimizer=adamw", "optimizer.learning_rate=0.1", "optimizer.weight_decay=0.5"
    )
    weight = keras.Variable([4.0])
    built.apply([keras.ops.zeros(1)], [weight])
    assert float(weight[0]) == pytest.approx(4 * (1 - 0.1 * 0.5))


def test_gradients_are_scaled_to_the_clip_norm_together():
    options = "optimizer.beta_1=0", "optimizer.beta_2=0", "optimizer.epsilon=1"
    built = optimizer(*options, "optimizer.clip_norm=1", "optimizer.learning_rate=1")
    weights = [keras.Variable([0.0]), keras.Variable([0.0])]
    built.apply([keras.ops.array([3.0]), keras.ops.array([-4.0])], weights)
    # without moments Adam steps by g / (|g| + epsilon)
    expected = [-0.6 / 1.6, 0.8 / 1.8]
    assert [float(w[0]) for w in weights] == pytest.approx(expected, rel=1e-5)


def test_gradients_are_left_alone_without_a_clip_norm():
    options = "optimizer.beta_1=0", "optimizer.beta_2=0", "optimizer.epsilon=1"
    built = optimizer(*options, "optimizer.learning_rate=1")
    weight = keras.Variable([0.0])
    built.apply([keras.ops.array([3.0])], [weight])
    assert float(weight[0]) == pytest.approx(-3 / 4)


@pytest.mark.parametrize("name", OPTIONS["optimizer"])
def test_gradients_clipped_apart_are_scaled_by_their_own_norm(name):
    options = "optimizer.beta_1=0", "optimizer.beta_2=0", "optimizer.epsilon=1"
    rate = "optimizer.learning_rate=1"
    clipped = optimizer(f"optimizer={name}", *options, "optimizer.clip_norm=1", rate)
    clipped.clipped_apart = 1
    plain = optimizer(f"optimizer={name}", *options, rate)
    found = []
    for built, gradients in ((clipped, [3, -4, 30]), (plain, [0.6, -0.8, 1])):
        weights = [keras.Variable([0.0]) for _ in gradients]
        built.apply([keras.ops.array([float(g)]) for g in gradients], weights)
        found.append([float(weight[0]) for weight in weights])
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_clipping_of_a_model_ignores_its_discriminator():
    config = small_config("objective=vae_gan", "dataset.num_images=60")
    config.dataset.validation_size = 10
    learner = build_learner(config, load_data(config.dataset), Distribution())
    apart = learner.optimizer.clipped_apart
    assert apart == len(learner.objective.trainable_variables) > 0
    assert apart + len(learner.vae.trainable_variables) == len(learner._trained)
