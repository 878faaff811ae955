"""dip and mmd: objectives that compare moments and samples of codes with the prior."""

import numpy as np
import pytest
from scipy import special

from tests.helpers import grey_images, mean_and_log_var, small_config, small_vae
from vae_cli.models.distributions import code
from vae_cli.models.objective import TrainingSetup
from vae_cli.models.objective.dip import covariance_of
from vae_cli.models.objective.mmd import squared_mmd
from vae_cli.registry import build

SHAPE = (4, 5, 1)
IMAGES = grey_images(6, *SHAPE).astype(np.float32) / 255
NOISE = np.random.default_rng(1).standard_normal((3, 6, 3)).astype(np.float32)
SCALES = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]


def objective_of(*overrides, beta=1.0):
    setup = TrainingSetup(SHAPE, latent_dim=3, num_images=40, beta=beta)
    return build(small_config(*overrides).objective, setup)


def test_covariance_is_numpys():
    values = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
    expected = np.cov(values.T, bias=True)
    np.testing.assert_allclose(covariance_of(values), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["i", "ii"])
def test_dip_is_the_distance_of_the_covariance_from_the_identity(kind):
    vae = small_vae("latent_dim=3", shape=SHAPE)
    objective = objective_of(
        "objective=dip",
        f"objective.type={kind}",
        "objective.lambda_od=3",
        "objective.lambda_d=0.7",
    )
    terms = objective(vae, IMAGES, NOISE[:1], 1.0, training=True)
    mean, log_var = (np.asarray(x, np.float64) for x in mean_and_log_var(vae, IMAGES))
    covariance = np.cov(mean.T, bias=True)
    if kind == "ii":
        covariance += np.diag(np.exp(log_var).mean(axis=0))
    other = covariance[~np.eye(3, dtype=bool)]
    expected = 3 * (other**2).sum() + 0.7 * ((np.diag(covariance) - 1) ** 2).sum()
    found = np.asarray(terms.extras["penalty"])
    assert found.shape == (6,)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def kernel(x, y, name):
    square, widths = ((x - y) ** 2).sum(), [2 * len(x) * s for s in SCALES]
    if name == "rbf":
        return sum(np.exp(-square / c) for c in widths)
    return sum(c / (c + square) for c in widths)


@pytest.mark.parametrize("name", ["imq", "rbf"])
def test_mmd_is_the_unbiased_estimate_by_loops(name):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 7, 3))
    n, pairs = 7, [(i, j) for i in range(7) for j in range(7) if i != j]
    within = sum(kernel(a[i], a[j], name) for a in (x, y) for i, j in pairs)
    across = sum(kernel(a, b, name) for a in x for b in y)
    expected = within / (n * (n - 1)) - 2 * across / n**2
    found = squared_mmd(x.astype(np.float32), y.astype(np.float32), name, SCALES)
    assert float(found) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", ["imq", "rbf"])
def test_mmd_of_equal_distributions_is_zero_in_expectation_and_of_others_is_not(name):
    rng = np.random.default_rng(0)
    draws = rng.standard_normal((200, 2, 8, 2)).astype(np.float32)
    same = np.array([squared_mmd(x, y, name, [1.0]) for x, y in draws])
    error = same.std(ddof=1) / np.sqrt(len(same))
    assert abs(same.mean()) < 4 * error
    apart = np.array([squared_mmd(x, y + 1.0, name, [1.0]) for x, y in draws])
    assert apart.mean() > 20 * error


def test_mmd_of_one_image_is_zero():
    x, y = np.zeros((1, 2), np.float32), np.ones((1, 2), np.float32)
    assert float(squared_mmd(x, y, "imq", SCALES)) == 0


@pytest.mark.parametrize(
    "prior",
    [
        (),
        ("prior=mog", "prior.components=3"),
        ("prior=vamp", "prior.components=3"),
        ("hierarchy=two_level", "hierarchy.hidden_units=[4]"),
    ],
)
@pytest.mark.parametrize("training", [False, True])
def test_infovae_bound_is_the_loss_at_the_full_beta_with_any_prior(prior, training):
    vae = small_vae("latent_dim=3", *prior, shape=SHAPE)
    objective = objective_of("objective=mmd", "objective.mmd_weight=5", beta=0.25)
    assert (objective.bound, objective.noise_arrays) == ("neg_infovae", 3)
    terms = objective(vae, IMAGES, NOISE, 0.01, training=training)
    z = np.asarray(code(vae.infer(IMAGES, NOISE[:1]))[0])
    uniform = 0.5 * (1 + special.erf(NOISE[2, :, 0] / 2**0.5))
    drawn = np.asarray(vae.sample_prior(NOISE[1], uniform.astype(np.float32)))
    penalty = 5 * float(squared_mmd(z, drawn, "imq", SCALES))
    np.testing.assert_allclose(terms.extras["penalty"], penalty, rtol=1e-3, atol=1e-4)
    expected = terms.reconstruction + 0.25 * terms.kl + terms.extras["penalty"]
    np.testing.assert_allclose(terms.neg_bound, expected, rtol=1e-5)
