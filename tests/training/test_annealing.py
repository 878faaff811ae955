import math

import numpy as np
import pytest

from tests.helpers import small_config
from vae_cli.registry import OPTIONS, build
from vae_cli.training.kl_annealing import Schedule

STEPS_PER_EPOCH = 50


def schedule(name: str, *options: str) -> Schedule:
    overrides = [f"kl_annealing.{option}" for option in options]
    config = small_config(f"kl_annealing={name}", *overrides).kl_annealing
    return build(config, STEPS_PER_EPOCH)


def shares(name: str, *options: str, steps: list[float]) -> list[float]:
    share = schedule(name, *options)
    return [float(share(step)) for step in steps]


def logistic(t: float) -> float:
    return 1 / (1 + math.exp(-12 * (t - 0.5)))


def s_curve(t: float) -> float:
    return (logistic(t) - logistic(0)) / (logistic(1) - logistic(0))


def test_none_is_full_beta_from_the_first_step():
    assert shares("none", steps=[0, 1, 10_000]) == [1, 1, 1]


def test_linear_grows_in_a_straight_line_and_stays():
    found = shares(
        "linear", "duration=80", "unit=steps", steps=[0, 20, 40, 79, 80, 81, 10_000]
    )
    assert found == pytest.approx([0, 0.25, 0.5, 79 / 80, 1, 1, 1])


def test_linear_starts_at_the_share_it_is_given():
    options = "duration=80", "unit=steps", "start_fraction=0.2"
    assert shares("linear", *options, steps=[0, 40, 80]) == pytest.approx([0.2, 0.6, 1])


def test_sigmoid_follows_the_rescaled_logistic_curve():
    steps = [0, 10, 20, 40, 60, 75, 80, 500]
    found = shares("sigmoid", "duration=80", "unit=steps", steps=steps)
    expected = [s_curve(min(1, step / 80)) for step in steps]
    assert found == pytest.approx(expected, abs=1e-6)
    assert (found[0], found[3], found[-1]) == pytest.approx((0, 0.5, 1), abs=1e-6)


def test_sigmoid_starts_at_the_share_it_is_given():
    options = "duration=80", "unit=steps", "start_fraction=0.2"
    found = shares("sigmoid", *options, steps=[0, 20, 40, 80])
    expected = [0.2, 0.2 + 0.8 * s_curve(0.25), 0.6, 1]
    assert found == pytest.approx(expected, abs=1e-6)


def test_cyclical_ramps_and_holds_in_every_cycle():
    steps = [0, 5, 10, 20, 35, 39, 40, 45, 60, 79, 80, 85]
    options = "period=40", "unit=steps", "ramp_fraction=0.5", "cycles=3"
    found = shares("cyclical", *options, steps=steps)
    expected = [0, 0.25, 0.5, 1, 1, 1, 0, 0.25, 1, 1, 0, 0.25]
    assert found == pytest.approx(expected, abs=1e-6)


def test_cyclical_is_the_published_formula():
    period, ramp = 37, 0.4  # Fu et al. eq. 6: tau = mod(t, period) / period
    options = f"period={period}", "unit=steps", f"ramp_fraction={ramp}", "cycles=5"
    steps = list(range(5 * period))
    found = shares("cyclical", *options, steps=steps)
    expected = [min(1, (step % period) / period / ramp) for step in steps]
    assert found == pytest.approx(expected, abs=1e-5)


def test_cyclical_ends_at_full_beta():
    options = "period=40", "unit=steps", "ramp_fraction=0.5", "cycles=3"
    assert shares("cyclical", *options, steps=[119, 120, 125, 10_000]) == [1] * 4


def test_cyclical_starts_every_cycle_at_the_share_it_is_given():
    options = (
        "period=40",
        "unit=steps",
        "ramp_fraction=0.5",
        "cycles=3",
        "start_fraction=0.2",
    )
    found = shares("cyclical", *options, steps=[0, 10, 20, 40, 50])
    assert found == pytest.approx([0.2, 0.6, 1, 0.2, 0.6], abs=1e-6)


def test_cyclical_with_a_ramp_of_a_whole_cycle_never_holds():
    options = "period=40", "unit=steps", "ramp_fraction=1", "cycles=3"
    found = shares("cyclical", *options, steps=[10, 39, 40])
    assert found == pytest.approx([0.25, 39 / 40, 0], abs=1e-6)


@pytest.mark.parametrize("name", ["linear", "sigmoid"])
def test_ramp_in_epochs_is_the_same_ramp_in_steps(name):
    steps = [0, 31, 62, 93, 125, 200]
    epochs = shares(name, "duration=2.5", "unit=epochs", steps=steps)
    assert epochs == shares(name, "duration=125", "unit=steps", steps=steps)
    assert epochs[2] == pytest.approx(0.5, abs=0.02)
    assert epochs[4] == pytest.approx(1)


def test_cycles_in_epochs_are_the_same_cycles_in_steps():
    steps = [0, 31, 62, 93, 100, 125, 150, 500]
    epochs = shares("cyclical", "period=2", "unit=epochs", steps=steps)
    assert epochs == shares("cyclical", "period=100", "unit=steps", steps=steps)
    assert epochs[4] == 0


@pytest.mark.parametrize("name", OPTIONS["kl_annealing"])
def test_share_depends_on_the_step_alone(name):
    steps = [0, 3, 40, 90, 260, 1001]
    share = schedule(name)
    forwards = [float(share(step)) for step in steps]
    backwards = [float(share(step)) for step in reversed(steps)]
    assert forwards == backwards[::-1]
    assert forwards == [float(schedule(name)(step)) for step in steps]


@pytest.mark.parametrize("name", OPTIONS["kl_annealing"])
def test_share_stays_between_0_and_1(name):
    share = schedule(name)
    found = np.array([float(share(step)) for step in range(0, 1200, 7)])
    assert found.min() >= -1e-6
    assert found.max() <= 1 + 1e-6
    assert found[-1] == pytest.approx(1)


@pytest.mark.parametrize("name", OPTIONS["kl_annealing"])
def test_share_is_the_same_in_a_compiled_step(name):
    import tensorflow as tf

    share = schedule(name)
    step = tf.constant(133, tf.int64)
    assert float(tf.function(share)(step)) == pytest.approx(float(share(133)))
    assert share(step).dtype == tf.float32
