import keras
import numpy as np
import pytest

from tests.helpers import grey_images, small_vae
from vae_cli.data.splits import Split
from vae_cli.evaluation.bounds import evaluate_elbo
from vae_cli.evaluation.importance import importance_sampling
from vae_cli.evaluation.latent import decode, encode, row_condition, sample_prior
from vae_cli.models.distributions import (
    Gaussian,
    kl_per_dim,
    log_ratio,
)

SHAPE = (4, 5, 1)
TWO_LEVELS = ("hierarchy=two_level", "hierarchy.hidden_units=[4,3]")
KINDS = {
    "dense": ("dense",),
    "conv": ("conv",),
    "residual_conv": ("residual_conv",),
    "learned prior": ("dense", "conditioning.learned_prior=true"),
    "two levels": ("conv", *TWO_LEVELS, "conditioning.learned_prior=true"),
    "vamp": ("conv", "prior=vamp", "prior.components=4", *TWO_LEVELS),
    "mog": ("dense", "prior=mog", "prior.components=2"),
}
IMAGES = grey_images(6, *SHAPE)
LABELS = np.array([0, 2, 1, 2, 0, 1])
TOLD = {"label": LABELS}


def conditional(kind: str):
    """A model of three classes whose weights are all at random."""
    architecture, *overrides = KINDS[kind]
    vae = small_vae(
        "conditioning=label",
        "latent_dim=3",
        *overrides,
        architecture=architecture,
        num_classes=3,
    )
    rng = np.random.default_rng(0)
    for weight in vae.trainable_variables:
        weight.assign(weight + 0.3 * rng.normal(size=weight.shape))
    return vae


@pytest.fixture(params=KINDS)
def vae(request):
    return conditional(request.param)


def test_labels_change_what_is_encoded_and_decoded(vae):
    z = np.ones((3, 3), np.float32)
    images = decode(vae, z, condition={"label": np.arange(3)})
    assert np.abs(images[0] - images[1]).max() > 1e-3
    assert np.abs(images[1] - images[2]).max() > 1e-3
    same = np.repeat(IMAGES[:1], 3, axis=0)
    means, _ = encode(vae, same, condition={"label": np.arange(3)})
    assert np.abs(means[0] - means[1]).max() > 1e-3


def test_each_image_is_scored_with_its_own_label(vae):
    whole = evaluate_elbo(vae, IMAGES, seed=1, condition=TOLD)
    small = evaluate_elbo(vae, IMAGES, seed=1, condition=TOLD, batch_size=4)
    assert small.neg_elbo == pytest.approx(whole.neg_elbo, rel=1e-5)
    other = evaluate_elbo(vae, IMAGES, seed=1, condition={"label": LABELS[::-1].copy()})
    assert abs(other.neg_elbo - whole.neg_elbo) > 1e-3


def test_codes_of_many_samples_meet_the_label_of_their_image(vae):
    rng = np.random.default_rng(1)
    z = rng.normal(size=(4, 6, 3)).astype(np.float32)
    x = IMAGES.astype(np.float32) / 255
    condition = vae.condition(LABELS)
    scores = np.asarray(
        vae.log_likelihood_of_logits(x, vae.decode_samples(z, condition), condition)
    )
    for s in range(4):
        for b in range(6):
            alone = vae.condition(LABELS[b : b + 1])
            expected = vae.log_likelihood_of_logits(
                x[b : b + 1], vae.decode(z[s, b][None], alone), alone
            )
            assert scores[s, b] == pytest.approx(float(expected[0]), rel=1e-4)


def test_bound_lies_below_the_estimate_of_many_samples(vae):
    # E log w <= E log mean w, both of log p(x|y)
    # twenty of each image, which compiles once
    condition = {"label": np.tile(LABELS, 20)}
    few = -evaluate_elbo(
        vae, np.tile(IMAGES, (20, 1, 1, 1)), 0, condition=condition
    ).neg_elbo
    many = importance_sampling(vae, IMAGES, 500, 0, condition=TOLD).log_prob.mean()
    assert few < many


def test_estimate_is_that_of_its_formula():
    vae = conditional("two levels")
    condition = vae.condition(LABELS)
    x = IMAGES.astype(np.float32) / 255
    from vae_cli.evaluation.bounds import sample_noise

    log_weights = []
    for s in range(3):
        noise = sample_noise(6, 3, 7, s)[None]
        levels = vae.infer(x, noise, condition)
        log_p = vae.log_likelihood(x, levels, condition)
        log_weights.append(np.asarray(log_p + log_ratio(levels))[0])
    expected = np.logaddexp.reduce(log_weights) - np.log(3)
    found = importance_sampling(vae, IMAGES, 3, 7, condition=TOLD, chunk_size=2)
    np.testing.assert_allclose(found.log_prob, expected, rtol=1e-5)


@pytest.mark.parametrize("kind", ["learned prior", "two levels"])
def test_kl_to_the_gaussian_of_a_label_is_its_closed_form(kind):
    vae = conditional(kind)
    rng = np.random.default_rng(2)
    prior = vae.prior(vae.condition(LABELS))
    dim = prior.mean.shape[-1]
    q = Gaussian(*rng.normal(size=(2, 6, dim)).astype(np.float32))
    z = q.sample(rng.normal(size=(100_000, 6, dim)).astype(np.float32))
    sampled = np.mean(q.log_prob(z) - prior.log_prob(z), axis=0)
    exact = np.asarray(kl_per_dim(q, prior)).sum(axis=-1)
    np.testing.assert_allclose(sampled, exact, rtol=0.02, atol=0.01)


def test_codes_are_drawn_from_the_gaussian_of_their_label():
    vae = conditional("learned prior")
    labels = np.repeat(np.arange(3), 20_000)
    z = sample_prior(vae, len(labels), seed=0, condition={"label": labels})
    for label in range(3):
        one = vae.prior(vae.condition(np.array([label])))
        drawn = z[labels == label]
        mean, log_var = np.asarray(one.mean)[0], np.asarray(one.log_var)[0]
        np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.05)
        np.testing.assert_allclose(drawn.std(axis=0), np.exp(log_var / 2), rtol=0.05)


def test_exported_networks_take_image_and_label(vae, tmp_path):
    encoder, decoder = vae.export_networks()
    encoder.save(tmp_path / "encoder.keras")
    decoder.save(tmp_path / "decoder.keras")
    encoder, decoder = (
        keras.saving.load_model(tmp_path / f"{name}.keras")
        for name in ("encoder", "decoder")
    )
    label = np.eye(3, dtype=np.float32)[LABELS]
    found = encoder([IMAGES.astype(np.float32) / 255, label])
    mean, log_var = encode(vae, IMAGES, condition=TOLD)
    np.testing.assert_allclose(found["mean"], mean, atol=1e-5)
    np.testing.assert_allclose(found["log_var"], log_var, atol=1e-5)
    pixels = decode(vae, mean, condition=TOLD)
    np.testing.assert_allclose(decoder([mean, label]), pixels, atol=1e-5)


def test_pseudo_inputs_keep_the_labels_of_the_images_they_start_from(tmp_path):
    vae, other = conditional("vamp"), conditional("vamp")
    labels = np.array([2, 2, 0, 1])
    vae.prior_network.start_at(IMAGES[:4] / 255, labels)
    vae.save_weights(tmp_path / "vamp.weights.h5")
    other.load_weights(tmp_path / "vamp.weights.h5")
    images = IMAGES[:4].astype(np.float32) / 255
    expected = vae.encode(images, vae.condition(labels))
    np.testing.assert_allclose(other.prior().mean, expected["mean"], atol=1e-5)


def test_a_grid_shows_one_class_a_row_over_and_over():
    found = row_condition(conditional("dense"), 8, 2, Split(IMAGES))
    np.testing.assert_array_equal(found["label"], [0, 0, 1, 1, 2, 2, 0, 0])
    assert row_condition(small_vae(), 8, 2, Split(IMAGES)) == {}
