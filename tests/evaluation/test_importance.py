import numpy as np
import pytest
from scipy.special import logsumexp

from tests.helpers import grey_images, mean_and_log_var, small_vae
from tests.models.toys import SHAPE, linear_gaussian, redraw
from vae_cli.evaluation.bounds import evaluation_noise
from vae_cli.evaluation.importance import RunningWeights, importance_sampling
from vae_cli.registry import OPTIONS

IMAGES = grey_images(23, *SHAPE)
VARIANTS = {
    "dense": ("dense", ()),
    "conv": ("conv", ()),
    "residual": ("residual_conv", ()),
    "mog": ("dense", ("prior=mog", "prior.components=3")),
    "two levels, vamp": (
        "dense",
        (
            "hierarchy=two_level",
            "hierarchy.hidden_units=[4,3]",
            "prior=vamp",
            "prior.components=3",
        ),
    ),
}
"""Name -> architecture and overrides."""


def tiny_vae(variant: str = "dense", *overrides: str):
    architecture, chosen = VARIANTS[variant]
    vae = small_vae(
        *chosen, *overrides, "latent_dim=3", architecture=architecture, shape=SHAPE
    )
    return redraw(vae, 0.5)


def log_mean_exp(log_weights: np.ndarray) -> np.ndarray:
    return logsumexp(log_weights.astype(np.float64), axis=0) - np.log(len(log_weights))


@pytest.mark.parametrize("samples", [1, 2, 5, 50])
def test_every_weight_of_the_true_posterior_is_p_of_x(samples):
    model = linear_gaussian()
    result = importance_sampling(model.vae, IMAGES, samples, seed=0)
    exact = model.log_prob(IMAGES)
    np.testing.assert_allclose(result.log_prob, exact, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(result.effective_samples, samples, rtol=1e-6)


@pytest.mark.parametrize("shift, widen", [(0.0, 2.0), (0.2, 1.5), (-0.2, 3.0)])
def test_estimates_with_another_posterior_converge_to_the_closed_form(shift, widen):
    model, samples = linear_gaussian(shift, widen), 1500
    result = importance_sampling(model.vae, IMAGES, samples, seed=0)
    # the deviation of the log of a mean of weights
    error = np.sqrt((samples / result.effective_samples - 1) / samples)
    assert 0.005 < error.max() < 0.05
    difference = result.log_prob - model.log_prob(IMAGES)
    assert (np.abs(difference) < 4.5 * error + 1e-4).all()


def test_bound_grows_with_the_samples_from_the_elbo_to_log_p():
    model, pixels = linear_gaussian(shift=0.3, widen=2.0), grey_images(2000, *SHAPE)
    means = [model.elbo(pixels).mean()] + [
        importance_sampling(model.vae, pixels, samples, seed=0).log_prob.mean()
        for samples in (2, 4, 8, 16, 64)
    ]
    assert (np.diff(means) > 0).all()
    exact = model.log_prob(pixels).mean()
    assert means[-1] < exact + 0.005
    assert means[-1] == pytest.approx(exact, abs=0.05)


@pytest.mark.parametrize("likelihood", OPTIONS["likelihood"])
@pytest.mark.parametrize("samples", [1, 6])
def test_estimate_is_the_log_mean_of_weights_computed_by_hand(likelihood, samples):
    vae = tiny_vae("dense", f"likelihood={likelihood}")
    x = IMAGES.astype(np.float32) / 255
    noise = evaluation_noise(len(x), 3, seed=4, samples=samples).numpy()
    mean, log_var = (np.asarray(part, np.float64) for part in mean_and_log_var(vae, x))
    rows = []
    for epsilon in noise:
        z = mean + np.exp(log_var / 2) * epsilon
        score = vae.likelihood.log_prob(x, vae.decode(z.astype(np.float32)))
        # log p(z) - log q(z|x); log 2 pi cancels
        rows.append(score + 0.5 * (epsilon**2 + log_var - z**2).sum(axis=1))
    log_weights = np.stack(rows)
    result = importance_sampling(vae, IMAGES, samples, seed=4)
    np.testing.assert_allclose(
        result.log_prob, log_mean_exp(log_weights), rtol=1e-5, atol=1e-4
    )
    weights = np.exp(log_weights - log_weights.max(axis=0))
    effective = weights.sum(axis=0) ** 2 / (weights**2).sum(axis=0)
    np.testing.assert_allclose(result.effective_samples, effective, rtol=1e-3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_batch_and_chunk_sizes_change_no_estimate(variant):
    vae = tiny_vae(variant)
    whole = importance_sampling(vae, IMAGES, 10, seed=0)
    for batch_size, chunk_size in [(1, 10), (7, 3)]:
        parts = importance_sampling(vae, IMAGES, 10, 0, batch_size, chunk_size)
        np.testing.assert_allclose(parts.log_prob, whole.log_prob, atol=1e-4)
        np.testing.assert_allclose(
            parts.effective_samples, whole.effective_samples, rtol=1e-3
        )


@pytest.mark.parametrize(
    "sizes, chunks",
    [({}, 1), ({"memory_mb": 1}, 14), ({"memory_mb": 1, "chunk_size": 9000}, 2)],
)
def test_memory_bounds_the_noise_and_changes_no_estimate(sizes, chunks, monkeypatch):
    monkeypatch.setattr("vae_cli.evaluation.importance.CODES_AT_A_TIME", 10**6)
    vae, shares = tiny_vae(), []
    # one more than a MiB holds: noise [23, 3] and a weight for each of the images
    samples = 2**20 // (4 * 23 * (3 + 1)) + 1
    whole = importance_sampling(vae, IMAGES, samples, seed=0, chunk_size=100)
    parts = importance_sampling(
        vae, IMAGES, samples, seed=0, progress=shares.append, **sizes
    )
    assert len(shares) == chunks
    np.testing.assert_allclose(parts.log_prob, whole.log_prob, atol=1e-4)


@pytest.mark.parametrize("count", [1, 3, 7, 8])
def test_split_that_no_batch_divides_gives_what_single_images_give(count):
    vae = tiny_vae()
    single = importance_sampling(vae, IMAGES[:count], 4, seed=0, batch_size=1)
    batched = importance_sampling(vae, IMAGES[:count], 4, seed=0, batch_size=3)
    assert batched.log_prob.shape == batched.effective_samples.shape == (count,)
    np.testing.assert_allclose(batched.log_prob, single.log_prob, atol=1e-4)


@pytest.mark.parametrize("samples", [1, 4, 5, 11])
def test_samples_need_not_be_a_multiple_of_the_chunk(samples):
    vae = tiny_vae()
    whole = importance_sampling(vae, IMAGES, samples, seed=0, chunk_size=samples)
    parts = importance_sampling(vae, IMAGES, samples, seed=0, chunk_size=4)
    np.testing.assert_allclose(parts.log_prob, whole.log_prob, atol=1e-4)


def test_same_seed_repeats_and_another_does_not():
    vae = tiny_vae()
    first, again, other = (
        importance_sampling(vae, IMAGES, 5, seed).log_prob for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


def test_dropout_is_off():
    vae = tiny_vae("dense", "architecture.dropout=0.5")
    first, again = (importance_sampling(vae, IMAGES, 3, 0).log_prob for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_progress_is_told_the_share_that_is_done():
    fractions: list[float] = []
    importance_sampling(
        tiny_vae(), IMAGES, 10, 0, chunk_size=4, progress=fractions.append
    )
    assert fractions == [0.4, 0.8, 1.0]


def running(*parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Estimates from log-weights [S, N] that come in parts."""
    weights = RunningWeights(parts[0].shape[1])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for part in parts:
            weights.add(part)
        result = weights.result()
    return result.log_prob, result.effective_samples


@pytest.mark.parametrize("sizes", [[30], [1] * 30, [10, 20], [29, 1]], ids=str)
def test_running_sums_are_scipys_log_sum_exp(sizes):
    log_weights = np.random.default_rng(0).normal(-800, 30, (30, 5))
    found, effective = running(*np.split(log_weights, np.cumsum(sizes)[:-1]))
    np.testing.assert_allclose(found, log_mean_exp(log_weights), rtol=1e-12)
    expected = 2 * logsumexp(log_weights, axis=0) - logsumexp(2 * log_weights, axis=0)
    np.testing.assert_allclose(effective, np.exp(expected), rtol=1e-9)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)], ids=str)
def test_hugely_different_weights_neither_overflow_nor_vanish(order):
    parts = np.array([[-90_000.0, -90_000.0], [0.0, -90_000.0], [90_000.0, -90_000.0]])
    found, effective = running(*(parts[[index]] for index in order))
    np.testing.assert_allclose(found, [90_000 - np.log(3), -90_000], rtol=1e-12)
    np.testing.assert_allclose(effective, [1, 3])


def test_single_precision_weights_are_summed_in_double():
    log_weights = np.full((20_000, 1), -100.0, np.float32)
    found, effective = running(*np.split(log_weights, 20_000))
    np.testing.assert_allclose(found, -100, rtol=1e-14)
    np.testing.assert_allclose(effective, 20_000, rtol=1e-10)


@pytest.mark.parametrize("samples", [1, 2, 1000])
def test_equal_weights_count_in_full(samples):
    _, effective = running(np.full((samples, 3), -75.5))
    np.testing.assert_allclose(effective, samples, rtol=1e-12)


def test_one_dominating_weight_counts_as_one_sample():
    log_weights = np.full((1000, 1), -75.5)
    log_weights[123] += 40
    _, effective = running(log_weights)
    np.testing.assert_allclose(effective, 1, rtol=1e-9)


def test_two_weights_of_which_one_is_half_the_other_count_as_nine_fifths():
    _, effective = running(np.log([[1.0], [2.0]]))  # (1 + 2)^2 / (1 + 4)
    np.testing.assert_allclose(effective, 9 / 5)
