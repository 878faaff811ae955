import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tests.helpers import grey_images, small_vae
from tests.models.toys import redraw
from vae_cli.config.objective import ElboConfig, IwaeConfig
from vae_cli.evaluation.importance import importance_sampling
from vae_cli.models.distributions import Mixture, code
from vae_cli.models.hierarchy import TwoLevelVAE
from vae_cli.models.objective import Elbo
from vae_cli.models.objective.iwae import Iwae
from vae_cli.models.vae import VAE

SHAPE = (2, 2, 1)
EVERY = np.array(list(itertools.product([0, 255], repeat=4)), np.uint8)
EVERY = EVERY.reshape(16, *SHAPE)
"""All black and white images of 2 x 2 pixels."""
SCALED = EVERY.astype(np.float32) / 255
PRIORS = {
    "standard": (),
    "mog": ("prior=mog", "prior.components=2"),
    "vamp": ("prior=vamp", "prior.components=3"),
}
LINE = np.linspace(-12, 12, 241)


def two_level_vae(
    *overrides: str,
    latent_dim: int = 2,
    top_dim: int = 1,
    shape: tuple[int, int, int] = SHAPE,
    architecture: str = "dense",
) -> TwoLevelVAE:
    """A two-level model whose weights are all well away from zero."""
    vae = small_vae(
        "hierarchy=two_level",
        f"hierarchy.top_dim={top_dim}",
        "hierarchy.hidden_units=[4,3]",
        f"latent_dim={latent_dim}",
        "architecture.activation=tanh",
        *overrides,
        architecture=architecture,
        shape=shape,
    )
    vae = redraw(vae, 0.7, seed=4)
    temper(vae.bottom_prior, 0.3)  # so that a relative code stays within LINE
    return vae


def temper(network: keras.Model, by: float, log_var: float = 0.0) -> None:
    """Make a Gaussian's parameters depend less on what it is given."""
    for name, bias in (("mean", 0.0), ("log_var", log_var)):
        layer = network.get_layer(name)
        kernel, old = layer.get_weights()
        layer.set_weights([by * kernel, by * old + bias])


def wide_posterior(vae: TwoLevelVAE) -> TwoLevelVAE:
    """Make q wider than the prior and slow to move, so that samples go everywhere."""
    for network in (vae.encoder, vae.bottom_encoder):
        temper(network, 0.3, log_var=0.7)
    return vae


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def weights(network, name: str) -> tuple[np.ndarray, np.ndarray]:
    kernel, bias = network.get_layer(name).get_weights()
    return kernel.astype(np.float64), bias.astype(np.float64)


def dense(network, name: str, x: np.ndarray) -> np.ndarray:
    kernel, bias = weights(network, name)
    return x @ kernel + bias


def bottom_by_hand(vae, x: np.ndarray, top: np.ndarray) -> tuple[np.ndarray, ...]:
    """Mean and log-variance of q(z1|x, top) relative to p(z1|top), in float64."""
    features = np.tanh(dense(vae.encoder, "dense_0", x.reshape(len(x), -1)))
    network = vae.bottom_encoder
    joined = np.hstack([features, np.tanh(dense(network, "top_0", top))])
    hidden = np.tanh(dense(network, "joint_0", joined))
    prior_mean, deviation = bottom_prior_by_hand(vae, top)
    mean = (dense(network, "mean", hidden) - prior_mean) / deviation
    return mean, dense(network, "log_var", hidden) - 2 * np.log(deviation)


def bottom_prior_by_hand(vae, top: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of p(z1|top), in double precision."""
    x = np.tanh(dense(vae.bottom_prior, "dense_0", top))
    x = np.tanh(dense(vae.bottom_prior, "dense_1", x))
    log_var = dense(vae.bottom_prior, "log_var", x)
    return dense(vae.bottom_prior, "mean", x), np.exp(log_var / 2)


def scores_by_hand(vae, top: np.ndarray, z1: np.ndarray) -> np.ndarray:
    """log p(x|top, z1) of every image at codes [M, 1] each: [16, M]."""
    inner = vae.decoder.get_layer("decoder")
    x = np.tanh(dense(inner, "dense_0", np.hstack([top, z1])))
    logits = dense(inner, "outputs", x)
    pixels = SCALED.reshape(16, 4).astype(np.float64)
    return pixels @ logits.T - np.logaddexp(0, logits).sum(axis=1)


def top_prior_by_hand(vae, top: np.ndarray) -> np.ndarray:
    """p(top) at codes [M, 1]: [M]."""
    prior = vae.prior()
    if not isinstance(prior, Mixture):
        return stats.norm.pdf(top[:, 0])
    log_weights, means, log_vars = (
        np.asarray(part, np.float64)
        for part in (prior.log_weights, prior.mean, prior.log_var)
    )
    parts = stats.norm.pdf(top, means[:, 0], np.exp(log_vars[:, 0] / 2))
    return parts @ np.exp(log_weights)


def plane() -> tuple[np.ndarray, np.ndarray]:
    """Two columns of codes that cover the plane; the first changes slowest."""
    first, second = np.meshgrid(LINE, LINE, indexing="ij")
    return first.reshape(-1, 1), second.reshape(-1, 1)


def integrate(values: np.ndarray) -> np.ndarray:
    """Integrate over the plane: [..., M] -> [...]."""
    grid = values.reshape(*values.shape[:-1], len(LINE), len(LINE))
    return np.trapezoid(np.trapezoid(grid, LINE), LINE)


def exact_log_prob(vae) -> np.ndarray:
    """log of the integral of p(top) p(z1|top) p(x|top, z1), z1 = mean + s bottom."""
    top, bottom = plane()
    mean, deviation = bottom_prior_by_hand(vae, top)
    likelihood = np.exp(scores_by_hand(vae, top, mean + deviation * bottom))
    prior = top_prior_by_hand(vae, top) * stats.norm.pdf(bottom[:, 0])
    return np.log(integrate(likelihood * prior))


@pytest.mark.parametrize("prior", PRIORS)
def test_importance_sampling_converges_to_the_integral_over_both_levels(prior):
    vae = wide_posterior(two_level_vae(*PRIORS[prior]))
    samples = 4000
    result = importance_sampling(vae, EVERY, samples, seed=0)
    share = result.effective_samples / samples
    error = np.sqrt((1 / share - 1) / samples)  # of the log of a mean of weights
    assert error.max() < 0.05
    difference = np.abs(result.log_prob - exact_log_prob(vae))
    assert (difference < 4 * error + 1e-4).all()


def test_probabilities_of_all_images_add_up_to_one():
    vae = wide_posterior(two_level_vae())
    assert np.exp(exact_log_prob(vae)).sum() == pytest.approx(1, abs=1e-6)
    found = importance_sampling(vae, EVERY, 2000, seed=1).log_prob
    assert np.exp(found).sum() == pytest.approx(1, abs=0.02)


def test_relative_bottom_level_is_the_model_of_the_literature():
    """p(top) N(z1; mean(top), s(top)^2) p(x|top, z1), integrated over z1 itself."""
    vae = two_level_vae()
    line = np.linspace(-9, 9, 1201)
    for point in (-1.0, 0.0, 1.7):
        top = np.full((len(line), 1), point)
        mean, deviation = bottom_prior_by_hand(vae, top)
        z1 = line[:, None]
        density = stats.norm.pdf(z1, mean, deviation)[:, 0]
        expected = np.trapezoid(np.exp(scores_by_hand(vae, top, z1)) * density, line)
        codes = np.hstack([top, z1]).astype(np.float32)
        logits = np.asarray(vae.decode(codes), np.float64).reshape(len(line), 4)
        pixels = SCALED.reshape(16, 4).astype(np.float64)
        scores = pixels @ logits.T - np.logaddexp(0, logits).sum(axis=1)
        found = np.trapezoid(np.exp(scores) * stats.norm.pdf(line), line)
        np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("prior", PRIORS)
def test_elbo_is_its_integral_over_both_levels_in_expectation(prior):
    vae, copies = two_level_vae(*PRIORS[prior]), 4000
    x = np.tile(SCALED, (copies, 1, 1, 1))
    objective = Elbo(ElboConfig())
    terms = objective(vae, x, normal(1, len(x), 2), 1.0)
    found = -np.asarray(terms.neg_elbo, np.float64).reshape(copies, 16)

    top, bottom = plane()
    log_prior = np.log(top_prior_by_hand(vae, top)) + stats.norm.logpdf(bottom[:, 0])
    mean, deviation = bottom_prior_by_hand(vae, top)
    log_joint = log_prior + scores_by_hand(vae, top, mean + deviation * bottom)
    code = {name: np.asarray(part) for name, part in vae.encoder(SCALED).items()}
    expected = []
    for index in range(16):
        log_q = stats.norm.logpdf(
            top[:, 0], code["mean"][index], np.exp(code["log_var"][index] / 2)
        )
        image = np.repeat(SCALED[index : index + 1], len(LINE), axis=0)
        below = bottom_by_hand(vae, image, LINE[:, None])
        mean, log_var = (np.repeat(part[:, 0], len(LINE)) for part in below)
        log_q = log_q + stats.norm.logpdf(bottom[:, 0], mean, np.exp(log_var / 2))
        expected.append(integrate(np.exp(log_q) * (log_joint[index] - log_q)))
    error = found.std(axis=0, ddof=1) / np.sqrt(copies)
    assert error.max() < 0.1
    assert (np.abs(found.mean(axis=0) - expected) < 4.5 * error).all()


def test_iwae_bound_lies_between_the_elbo_and_the_integral():
    vae, copies = two_level_vae(), 300
    x, noise = np.tile(SCALED, (copies, 1, 1, 1)), normal(20, 16 * copies, 2)
    terms = Iwae(IwaeConfig(importance_samples=20))(vae, x, noise, 1.0)
    elbo, iwae = (
        -np.asarray(bound).reshape(copies, 16).mean(axis=0)
        for bound in (terms.neg_elbo, terms.neg_bound)
    )
    assert (elbo < iwae).all()
    assert (iwae < exact_log_prob(vae)).all()


def test_density_of_a_draw_is_that_of_the_top_times_that_of_the_bottom_given_it():
    vae = two_level_vae(latent_dim=5, top_dim=2)
    noise = normal(3, 16, 5)
    levels = vae.infer(SCALED, noise)
    encoded = {
        name: np.asarray(part, np.float64) for name, part in vae.encoder(SCALED).items()
    }
    log_q = sum(np.asarray(level.posterior.log_prob(level.z)) for level in levels)
    for sample in range(3):
        deviation = np.exp(encoded["log_var"] / 2)
        top = encoded["mean"] + deviation * noise[sample, :, :2]
        mean, log_var = bottom_by_hand(vae, SCALED, top)
        bottom = mean + np.exp(log_var / 2) * noise[sample, :, 2:]
        z = code(levels)[sample]
        np.testing.assert_allclose(z, np.hstack([top, bottom]), atol=1e-5)
        expected = stats.norm.logpdf(top, encoded["mean"], deviation).sum(axis=1)
        expected += stats.norm.logpdf(bottom, mean, np.exp(log_var / 2)).sum(axis=1)
        np.testing.assert_allclose(log_q[sample], expected, rtol=1e-5, atol=1e-5)


def test_kl_of_each_dimension_is_that_of_the_gaussian_it_was_drawn_from():
    vae, noise = two_level_vae(latent_dim=5, top_dim=2), normal(1, 16, 5)
    objective = Elbo(ElboConfig())
    terms = objective(vae, SCALED, noise, 1.0)
    code = {name: np.asarray(part) for name, part in vae.encoder(SCALED).items()}
    top = code["mean"] + np.exp(code["log_var"] / 2) * noise[0, :, :2]
    below = bottom_by_hand(vae, SCALED, top)
    mean = np.hstack([code["mean"], below[0]])
    log_var = np.hstack([code["log_var"], below[1]])
    expected = 0.5 * (mean**2 + np.exp(log_var) - log_var - 1)
    np.testing.assert_allclose(terms.kl_per_dim, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(terms.kl, expected.sum(axis=1), rtol=1e-5)


def test_logits_are_those_computed_by_hand():
    vae = two_level_vae()
    top, bottom = normal(9, 1), normal(9, 1, seed=1)
    mean, deviation = bottom_prior_by_hand(vae, top)
    scores = scores_by_hand(vae, top, mean + deviation * bottom)
    logits = np.asarray(vae.decode(np.hstack([top, bottom])))
    found = [vae.likelihood.log_prob(image[None], logits) for image in SCALED]
    np.testing.assert_allclose(found, scores, rtol=1e-5)


def test_samples_of_a_draw_are_independent_of_how_many_there_are():
    vae, noise = two_level_vae(), normal(7, 16, 2)
    together = vae.infer(SCALED, noise)
    for sample in range(7):
        alone = vae.infer(SCALED, noise[sample : sample + 1])
        for whole, part in zip(together, alone, strict=True):
            np.testing.assert_allclose(whole.z[sample], part.z[0], atol=1e-6)
    bottom, one = together[1].posterior, alone[1].posterior
    np.testing.assert_allclose(bottom.mean[6], one.mean[0], atol=1e-6)


@pytest.mark.parametrize("architecture", ["dense", "conv", "residual_conv"])
def test_encode_is_a_draw_without_noise(architecture):
    vae = two_level_vae(
        latent_dim=5, top_dim=2, shape=(5, 7, 2), architecture=architecture
    )
    images = grey_images(3, 5, 7, 2).astype(np.float32) / 255
    q = vae.posterior(images)
    levels = vae.infer(images, np.zeros((1, 3, 5), np.float32))
    np.testing.assert_allclose(code(levels)[0], q.mean, atol=1e-5)
    log_var = np.concatenate([level.posterior.log_var[0] for level in levels], axis=-1)
    np.testing.assert_allclose(log_var, q.log_var, atol=1e-5)


@pytest.mark.parametrize(
    "top_dim, found", [("null", 3), ("1", 1), ("6", 6)], ids=["half", "1", "6"]
)
def test_top_level_has_the_dimensions_of_the_config_or_half(top_dim, found):
    vae = two_level_vae(f"hierarchy.top_dim={top_dim}", latent_dim=7)
    assert vae.encoder.output["mean"].shape == (None, found)
    assert vae.bottom_encoder.output["mean"].shape == (None, 7 - found)
    assert vae.latent_dim == 7


@pytest.mark.parametrize(
    "architecture, prior",
    [("dense", "mog"), ("conv", "standard"), ("residual_conv", "vamp")],
)
def test_gradients_reach_every_weight_of_both_levels(architecture, prior):
    vae = two_level_vae(
        *PRIORS[prior], latent_dim=4, top_dim=2, architecture=architecture
    )
    objective = Elbo(ElboConfig())
    with tf.GradientTape() as tape:
        terms = objective(
            vae, tf.constant(SCALED), normal(1, 16, 4), 1.0, training=True
        )
        loss = tf.reduce_mean(terms.neg_elbo)
    gradients = tape.gradient(loss, vae.trainable_variables)
    for variable, gradient in zip(vae.trainable_variables, gradients, strict=True):
        assert np.any(np.asarray(gradient) != 0), variable.path


def test_prior_of_the_bottom_level_says_the_same_to_posterior_and_decoder():
    vae = two_level_vae("architecture.dropout=0.5", latent_dim=5, top_dim=2)
    top = normal(9, 2)
    once, again = (vae.bottom_prior(top, training=True) for _ in range(2))
    for name in ("mean", "log_var"):
        np.testing.assert_array_equal(once[name], again[name])


def test_weights_of_both_levels_are_the_models_own():
    vae = two_level_vae(*PRIORS["vamp"])
    parts = [vae.encoder, vae.bottom_encoder, vae.decoder, vae.prior_network]
    expected = [id(v) for part in parts for v in part.trainable_variables]
    assert sorted(id(v) for v in vae.trainable_variables) == sorted(expected)
    assert len(set(expected)) == len(expected)


def test_one_level_is_the_plain_model():
    assert type(small_vae("hierarchy=none")) is VAE
    assert type(two_level_vae()) is TwoLevelVAE
