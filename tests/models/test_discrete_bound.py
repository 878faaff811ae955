"""The bounds of discrete codes, against the sum over every grid of codes."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import grey_images, small_vae
from vae_cli.evaluation.bounds import evaluate_elbo
from vae_cli.evaluation.importance import importance_sampling

SHAPE = (4, 5, 1)
IMAGES = grey_images(6, *SHAPE)
EVERY = np.array(list(itertools.product(range(3), repeat=2)), np.int32)
"""All nine grids of two positions of three codes."""
OPTIONS = {
    "vq": ("latent=vq", "latent.codes=3", "latent.code_dim=2"),
    "fsq": ("latent=fsq", "latent.levels=[3]"),
    "categorical": ("latent=categorical", "latent.codes=3", "latent.code_dim=2"),
}


def model(kind: str, learned: bool):
    """Return a model with random weights everywhere, of the prior's network too."""
    words = (*OPTIONS[kind], "latent.groups=2", "latent_dim=null")
    small = ("latent.prior_filters=4", "latent.prior_layers=2")
    vae = small_vae(*words, *small, shape=SHAPE)
    variables = list(vae.trainable_variables)
    if learned:
        vae.prior_network.learned = vae.prior_network.new_network()
        variables += vae.prior_network.learned.variables
    rng = np.random.default_rng(2)
    for variable in variables:
        variable.assign(rng.standard_normal(variable.shape) * 0.5)
    return vae


def summed_over_all_codes(vae) -> np.ndarray:
    """Return log p(x) of the images, [N], by decoding every grid of codes."""
    x = tf.constant(IMAGES / 255, tf.float32)
    z = vae.quantizer.vectors(tf.constant(EVERY))
    logits = vae.decode(z)
    joint = []
    log_prior = np.array(vae.prior().log_prob(z), np.float64)
    np.testing.assert_allclose(np.exp(log_prior).sum(), 1, rtol=1e-5)
    for grid, log_p in zip(logits, log_prior, strict=True):
        same = tf.broadcast_to(grid[None], (len(IMAGES), *grid.shape))
        joint.append(np.array(vae.likelihood.log_prob(x, same), np.float64) + log_p)
    return np.logaddexp.reduce(np.stack(joint), axis=0)


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("kind", ["vq", "fsq"])
def test_bound_of_codes_without_noise_is_their_term_of_the_sum(kind, learned):
    vae = model(kind, learned)
    log_p = summed_over_all_codes(vae)
    found = importance_sampling(vae, IMAGES, samples=4, seed=0)
    assert (found.log_prob <= log_p + 1e-4).all()
    assert (found.log_prob > log_p - 20).all()
    # every sample is the same code, so that more of them are the bound itself
    elbo = evaluate_elbo(vae, IMAGES, seed=0)
    assert -found.log_prob.mean() == pytest.approx(elbo.neg_elbo, rel=1e-5)


@pytest.mark.parametrize("learned", [False, True])
def test_estimate_of_categorical_codes_becomes_the_sum(learned):
    vae = model("categorical", learned)
    for variable in vae.encoder.trainable_variables:
        variable.assign(0.2 * variable)  # a wide q(z|x): weights of less variance
    log_p = summed_over_all_codes(vae)
    found = importance_sampling(vae, IMAGES, samples=4000, seed=0)
    error = np.sqrt(1 / found.effective_samples - 1 / 4000)
    assert error.max() < 0.05
    assert (np.abs(found.log_prob - log_p) < 4 * error).all()
    assert -evaluate_elbo(vae, IMAGES, seed=0).neg_elbo < log_p.mean()
