"""Flows against automatic differentiation, their inverses and numerical integrals."""

import numpy as np
import pytest
import tensorflow as tf

from vae_cli.models.distributions import Gaussian
from vae_cli.models.flow_distributions import Normalized, Transformed
from vae_cli.models.flows import Chain, Flow, Planar, autoregressive, coupling

UNITS, CONDITION_DIM = [9, 7], 3
KINDS = {
    "planar": lambda dim, k, i: Planar(dim, k, f"p{i}"),
    "gated": lambda dim, k, i: autoregressive(dim, UNITS, k, i % 2 == 1, f"g{i}", True),
    "autoregressive": lambda dim, k, i: autoregressive(dim, UNITS, k, i % 2 == 1, "a"),
    "coupling": lambda dim, k, i: coupling(dim, UNITS, k, i % 2 == 1, f"c{i}"),
}
INVERTIBLE = [kind for kind in KINDS if kind != "planar"]


def flow(
    kind: str,
    dim: int,
    condition_dim: int = CONDITION_DIM,
    steps: int = 3,
    scale: float = 0.5,
) -> Flow:
    """A chain far from where training starts; weights are of this scale."""
    chain = Chain([KINDS[kind](dim, condition_dim, i) for i in range(steps)])
    rng = np.random.default_rng(dim)
    for layer in chain.layers:
        layer.set_weights(
            [rng.normal(0, scale, weight.shape) for weight in layer.get_weights()]
        )
    return chain


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("dim", [1, 2, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_log_determinant_is_that_of_the_jacobian(kind: str, dim: int) -> None:
    chain = flow(kind, dim)
    x, condition = tf.constant(normal(6, dim)), normal(6, CONDITION_DIM, seed=1)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y, log_det = chain.forward(x, condition)
    jacobian = tape.batch_jacobian(y, x).numpy().astype(np.float64)
    sign, expected = np.linalg.slogdet(jacobian)
    assert (sign > 0).all()
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(log_det, expected, atol=2e-5)


@pytest.mark.parametrize("kind", ["gated", "autoregressive"])
def test_component_depends_on_those_before_it_in_its_order_alone(kind: str) -> None:
    for number, lower in ((0, True), (1, False)):
        step = KINDS[kind](5, CONDITION_DIM, number)
        for layer in step.layers:
            layer.set_weights([normal(*weight.shape) for weight in layer.get_weights()])
        x = tf.constant(normal(1, 5))
        with tf.GradientTape() as tape:
            tape.watch(x)
            y, _ = step.forward(x, normal(1, CONDITION_DIM))
        jacobian = tape.batch_jacobian(y, x)[0].numpy()
        kept = np.tril(jacobian) if lower else np.triu(jacobian)
        np.testing.assert_array_equal(jacobian, kept)
        assert np.count_nonzero(kept) == 15


@pytest.mark.parametrize(
    ("dim", "condition_dim"), [(1, CONDITION_DIM), (2, 0), (5, CONDITION_DIM)]
)
@pytest.mark.parametrize("kind", INVERTIBLE)
def test_inverse_undoes_the_flow(kind: str, dim: int, condition_dim: int) -> None:
    chain = flow(kind, dim, condition_dim)
    x = normal(4, 6, dim)
    condition = normal(6, condition_dim, seed=1) if condition_dim else None
    y, _ = chain.forward(x, condition)
    np.testing.assert_allclose(chain.inverse(y, condition), x, atol=2e-4)
    compiled = tf.function(chain.inverse)
    np.testing.assert_allclose(compiled(y, condition), x, atol=2e-4)


def test_planar_flow_says_that_it_has_no_inverse() -> None:
    with pytest.raises(TypeError, match="Planar has no inverse"):
        flow("planar", 2).inverse(normal(1, 2), normal(1, CONDITION_DIM))


@pytest.mark.parametrize("kind", ["planar", "autoregressive", "coupling"])
def test_training_starts_from_the_identity(kind: str) -> None:
    chain = Chain([KINDS[kind](4, CONDITION_DIM, i) for i in range(3)])
    x = normal(6, 4)
    y, log_det = chain.forward(x, normal(6, CONDITION_DIM))
    np.testing.assert_allclose(y, x, atol=1e-6)
    np.testing.assert_allclose(log_det, 0, atol=1e-6)


def test_gates_start_open() -> None:
    step = KINDS["gated"](4, CONDITION_DIM, 0)
    x = normal(6, 4)
    y, log_det = step.forward(x, normal(6, CONDITION_DIM))
    gate = 1 / (1 + np.exp(-2))
    np.testing.assert_allclose(y, gate * x, rtol=1e-6)
    np.testing.assert_allclose(log_det, 4 * np.log(gate), rtol=1e-6)


def test_planar_flow_stays_invertible_however_large_its_parameters_are() -> None:
    chain = flow("planar", 3)
    _, log_det = chain.forward(normal(500, 3), 30 * normal(500, CONDITION_DIM, seed=1))
    assert np.isfinite(log_det).all()


def plane(half: float, count: int) -> tuple[np.ndarray, float]:
    """Points of a square around zero, and the area of each."""
    line = np.linspace(-half, half, count)
    points = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1)
    return points.reshape(-1, 2).astype(np.float32), (line[1] - line[0]) ** 2


@pytest.mark.parametrize("condition_dim", [0, CONDITION_DIM])
@pytest.mark.parametrize("kind", ["autoregressive", "coupling"])
def test_prior_density_integrates_to_one(kind: str, condition_dim: int) -> None:
    condition = normal(1, condition_dim) if condition_dim else None
    p = Normalized(flow(kind, 2, condition_dim, steps=2, scale=0.3), condition)
    points, area = plane(14, 401)
    assert np.exp(p.log_prob(points)).sum() * area == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("kind", ["autoregressive", "coupling"])
def test_prior_samples_have_the_density_of_the_prior(kind: str) -> None:
    p = Normalized(flow(kind, 2, 0, steps=2, scale=0.3))
    z = np.asarray(p.sample(normal(20_000, 2)))
    points, area = plane(14, 401)
    density = np.exp(p.log_prob(points)).astype(np.float64) * area
    for dim in range(2):
        expected = (density * (points[:, dim] < z[:, dim].mean())).sum()
        observed = (z[:, dim] < z[:, dim].mean()).mean()
        assert observed == pytest.approx(expected, abs=0.02)


def preimage(chain: Flow, z: np.ndarray, condition: np.ndarray) -> np.ndarray:
    """The e of which f(e) is z, [N, 2], step by step and without `inverse`."""
    for step in reversed(chain._steps):
        if not isinstance(step, Planar):
            z = np.asarray(step.inverse(z, condition))
            continue
        u, w, b = (np.asarray(x(condition))[0].astype(np.float64) for x in step.layers)
        along = w @ u
        u = u + (np.log1p(np.exp(along + np.log(np.e - 1))) - 1 - along) * w / (w @ w)
        # w . z = a + (w . u) tanh(a + b) has one solution a = w . e
        right = (z @ w).astype(np.float64)
        low, high = right - abs(w @ u) - 1, right + abs(w @ u) + 1
        for _ in range(60):
            middle = (low + high) / 2
            over = middle + (w @ u) * np.tanh(middle + b) > right
            low, high = np.where(over, low, middle), np.where(over, middle, high)
        z = z - np.tanh(low + b)[:, None] * u
    return z.astype(np.float32)


@pytest.mark.parametrize("kind", ["planar", "gated"])
def test_posterior_density_at_an_image_integrates_to_one(kind: str) -> None:
    chain, condition = flow(kind, 2), normal(1, CONDITION_DIM)
    base = Gaussian(normal(1, 2, seed=5), 0.3 * normal(1, 2, seed=6))
    q = Transformed(base, chain, condition)
    points, area = plane(10, 401)
    e = preimage(chain, points, condition)
    again, log_det = chain.forward(e, condition)
    np.testing.assert_allclose(again, points, atol=2e-3)
    density = np.exp(base.log_prob(e) - log_det)
    assert density.sum() * area == pytest.approx(1, abs=3e-3)
    # and it is this density that a draw knows
    noise = normal(50, 2, seed=7)
    z, drawn = q.draw(noise)
    e = preimage(chain, np.asarray(z), condition)
    expected = base.log_prob(e) - chain.forward(e, condition)[1]
    np.testing.assert_allclose(drawn.log_prob(z), expected, atol=2e-2)
    np.testing.assert_array_equal(q.sample(noise), z)


def test_density_of_a_draw_is_known_at_no_other_code() -> None:
    base = Gaussian(normal(1, 2), normal(1, 2))
    z, drawn = Transformed(base, flow("gated", 2), normal(1, CONDITION_DIM)).draw(
        normal(4, 2)
    )
    with pytest.raises(TypeError, match="only where it was sampled"):
        drawn.log_prob(z + 1)


def test_gaussian_of_an_affine_flow_is_exact() -> None:
    step = KINDS["gated"](3, CONDITION_DIM, 0)
    for layer in step.layers[:-1]:  # hidden layers; biases of the last alone are left
        layer.set_weights([0 * weight for weight in layer.get_weights()])
    kernel, bias = step.layers[2].get_weights()
    step.layers[2].set_weights([0 * kernel, normal(*bias.shape)])
    base = Gaussian(normal(4, 3), normal(4, 3, seed=1))
    found = Transformed(base, step, normal(4, CONDITION_DIM)).gaussian()
    y, _ = step.forward(base.mean, normal(4, CONDITION_DIM))
    gate = 1 / (1 + np.exp(-(step.layers[2].get_weights()[1][:3] + 2)))
    np.testing.assert_allclose(found.mean, y, rtol=1e-6)
    np.testing.assert_allclose(
        found.log_var, base.log_var + 2 * np.log(gate), atol=1e-5
    )


def test_gaussian_of_a_narrow_base_is_the_delta_method() -> None:
    chain, condition = flow("planar", 40), normal(3, CONDITION_DIM)
    base = Gaussian(normal(3, 40), np.full((3, 40), 2 * np.log(1e-2), np.float32))
    x = tf.constant(base.mean)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y, _ = chain.forward(x, condition)
    jacobian = tape.batch_jacobian(y, x).numpy()
    expected = np.log(((jacobian * 1e-2) ** 2).sum(axis=-1))
    found = Transformed(base, chain, condition).gaussian()
    np.testing.assert_allclose(found.mean, y, rtol=1e-5)
    np.testing.assert_allclose(found.log_var, expected, atol=1e-2)


def test_few_hidden_units_still_let_every_component_depend_on_another() -> None:
    step = autoregressive(9, [4, 3], 0, reverse=False, name="narrow")
    for layer in step.layers:
        layer.set_weights([normal(*weight.shape) for weight in layer.get_weights()])
    x = tf.constant(normal(1, 9))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y, _ = step.forward(x, None)
    jacobian = tape.batch_jacobian(y, x)[0].numpy()
    np.testing.assert_array_equal(jacobian, np.tril(jacobian))
    assert jacobian[8, 7]
