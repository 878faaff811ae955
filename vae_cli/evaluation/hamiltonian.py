"""Hamiltonian Monte Carlo: one trajectory of many chains at once.

Source: Neal, "MCMC using Hamiltonian dynamics", 2011, section 5.3.2.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf


def trajectory(
    log_densities: Callable[[Any], tuple[Any, Any]],
    z: Any,
    momentum: Any,
    uniform: Any,
    step: Any,
    leapfrog_steps: int,
) -> tuple[Any, Any, Any, Any]:
    """Take leapfrog steps, and accept or reject where they end.

    Args:
        log_densities: codes [..., d] -> the target log-density, and a value to carry
            along, [...] each.
        z: codes, float32 [..., d].
        momentum: standard normal, likewise.
        uniform: in [0, 1), [...].
        step: sizes, to be multiplied with `z`.
        leapfrog_steps: of the trajectory.

    Returns:
        codes, the carried value before and after, and the probability of acceptance.
    """

    def forces(z: Any) -> tuple[Any, Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(z)
            density, carried = log_densities(z)
        return density, tape.gradient(density, z), carried

    def leap(i: Any, z: Any, p: Any, *_: Any) -> tuple[Any, ...]:
        z = z + step * p
        density, force, carried = forces(z)
        return i + 1, z, p + step * force, density, force, carried

    density, force, before = forces(z)
    state = (0, z, momentum + 0.5 * step * force, density, force, before)
    _, end, p, density_end, force, carried = tf.while_loop(
        lambda i, *_: i < leapfrog_steps, leap, state
    )
    p = p - 0.5 * step * force  # the last of its steps was a half too long
    kinetic = 0.5 * (tf.reduce_sum(momentum**2, -1) - tf.reduce_sum(p**2, -1))
    log_ratio = density_end - density + kinetic
    # a trajectory that left what float32 holds is rejected
    log_ratio = tf.where(tf.math.is_finite(log_ratio), log_ratio, -np.inf)
    accepted = tf.math.log(uniform) < log_ratio
    return (
        tf.where(accepted[..., None], end, z),
        before,
        tf.where(accepted, carried, before),
        tf.exp(tf.minimum(log_ratio, 0.0)),
    )
