"""Anomaly scores against closed forms, and what they are held against."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tests.helpers import grey_images, mean_and_log_var, small_vae
from tests.models.toys import SHAPE, linear_gaussian
from vae_cli.data.images import Images
from vae_cli.data.splits import Split
from vae_cli.errors import ConfigError
from vae_cli.evaluation.anomaly import (
    SCORES,
    CodeStatistics,
    anomaly_scores,
    code_statistics,
    detection,
    mean_intensity,
    pixel_nll,
    rank_correlation,
    unexplained_variance,
)
from vae_cli.evaluation.detection import ScoredImages, check_score, detect
from vae_cli.evaluation.latent import encode

IMAGES = grey_images(40, *SHAPE)
SPLIT = Split(IMAGES)


def test_scores_in_nats_are_those_of_the_closed_form():
    toy = linear_gaussian(shift=0.1, widen=1.3)
    statistics = code_statistics(toy.vae, SPLIT)
    found = anomaly_scores(toy.vae, SPLIT, statistics, samples=4000, seed=0)
    assert set(found) == set(SCORES)
    np.testing.assert_allclose(found["kl"], toy.kl(IMAGES), rtol=1e-4)
    np.testing.assert_allclose(found["neg_elbo"], -toy.elbo(IMAGES), atol=0.15)
    np.testing.assert_allclose(found["nll"], -toy.log_prob(IMAGES), atol=0.1)
    np.testing.assert_allclose(
        found["neg_elbo"], found["reconstruction"] + found["kl"], rtol=1e-5
    )


def test_latent_distance_is_mahalanobis_distance_to_training_codes():
    vae = small_vae("latent_dim=3", shape=SHAPE)
    train = Split(grey_images(300, *SHAPE, seed=1))
    found = anomaly_scores(vae, SPLIT, code_statistics(vae, train), 1, 0)
    codes, _ = encode(vae, train.images[:])
    own, _ = encode(vae, IMAGES)
    precision = np.linalg.inv(np.cov(codes.T.astype(np.float64), ddof=0))
    away = own - codes.mean(axis=0)
    expected = np.sqrt((away @ precision * away).sum(axis=1))
    np.testing.assert_allclose(found["mahalanobis"], expected, rtol=1e-3)


def test_unexplained_is_one_minus_r_squared_of_each_image():
    vae = small_vae("latent_dim=3", shape=SHAPE)
    found = anomaly_scores(vae, SPLIT, code_statistics(vae, SPLIT), 1, 0)[
        "unexplained_variance"
    ]
    x = IMAGES / 255
    restored = np.asarray(vae(IMAGES.astype(np.float32) / 255))
    left = ((x - restored) ** 2).sum((1, 2, 3))
    own = ((x - x.mean((1, 2, 3), keepdims=True)) ** 2).sum((1, 2, 3))
    np.testing.assert_allclose(found, left / own, rtol=1e-4)


def test_flat_image_leaves_its_error_in_units_of_the_least_variance():
    x, restored = tf.fill((1, *SHAPE), 0.5), tf.fill((1, *SHAPE), 0.6)
    assert float(unexplained_variance(x, restored)[0]) == pytest.approx(
        0.1**2 / 1e-3, rel=1e-4
    )


def test_pixels_that_are_not_scored_neither_surprise_nor_ask_to_be_explained():
    vae = small_vae("latent_dim=3", shape=SHAPE)
    scored = np.zeros((40, *SHAPE[:2], 1), np.uint8)
    scored[:, :2] = 255
    split = Split(IMAGES, mask=scored)
    found = anomaly_scores(vae, split, code_statistics(vae, SPLIT), 1, 0)[
        "unexplained_variance"
    ]
    x = IMAGES[:, :2] / 255
    restored = np.asarray(vae(IMAGES.astype(np.float32) / 255))[:, :2]
    left = ((x - restored) ** 2).sum((1, 2, 3))
    own = ((x - x.mean((1, 2, 3), keepdims=True)) ** 2).sum((1, 2, 3))
    np.testing.assert_allclose(found, left / own, rtol=1e-4)
    nats, whole = pixel_nll(vae, split), pixel_nll(vae, SPLIT)
    np.testing.assert_allclose(nats[:, :2], whole[:, :2], rtol=1e-5)
    assert not nats[:, 2:].any()


def test_codes_that_never_move_have_a_distance_nevertheless():
    vae = small_vae("latent_dim=3", shape=SHAPE)
    mean = vae.encoder.get_layer("mean")
    mean.set_weights([np.zeros_like(w) for w in mean.get_weights()])
    statistics = code_statistics(vae, SPLIT)
    found = anomaly_scores(vae, SPLIT, statistics, 1, 0)["mahalanobis"]
    assert np.isfinite(found).all()


def test_batches_change_no_score():
    vae = small_vae("latent_dim=3", shape=SHAPE)
    statistics = CodeStatistics(np.zeros(3), np.eye(3))
    whole, apart = (
        anomaly_scores(vae, SPLIT, statistics, 3, 0, batch_size=size)
        for size in (40, 7)
    )
    for name in SCORES:
        np.testing.assert_allclose(whole[name], apart[name], rtol=1e-5)


def test_surprise_adds_up_to_the_reconstruction_at_the_mean():
    vae = small_vae("latent_dim=3", shape=(4, 5, 3))
    split = Split(grey_images(6, 4, 5, 3))
    nats = pixel_nll(vae, split)
    assert nats.shape == (6, 4, 5, 1)
    x = split.images[:].astype(np.float32) / 255
    mean, _ = mean_and_log_var(vae, x)
    expected = -np.asarray(vae.log_likelihood_of_logits(x, vae.decode(mean)))
    np.testing.assert_allclose(nats.sum((1, 2, 3)), expected, rtol=1e-5)


def test_detection_is_the_share_of_pairs_in_the_right_order():
    rng = np.random.default_rng(0)
    anomalous = rng.random(200) < 0.3
    scores = np.round(rng.normal(size=200) + anomalous, 1)  # with ties
    found = detection(scores, anomalous)
    above = scores[anomalous][:, None] - scores[~anomalous]
    assert found.auroc == pytest.approx(np.mean((above > 0) + 0.5 * (above == 0)))
    turned = detection(-scores, anomalous)
    assert found.auroc + turned.auroc == pytest.approx(1)
    reached = np.sort(scores[anomalous])[::-1][int(np.ceil(0.95 * anomalous.sum())) - 1]
    assert found.fpr_at_95_recall == np.mean(scores[~anomalous] >= reached)


def test_detection_of_separable_and_of_equal_scores():
    anomalous = np.arange(100) < 20
    plain = detection(anomalous.astype(float), anomalous)
    assert (plain.auroc, plain.aupr, plain.fpr_at_95_recall) == (1, 1, 0)
    none = detection(np.zeros(100), anomalous)
    assert (none.auroc, none.aupr, none.fpr_at_95_recall) == (0.5, 0.2, 1)


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(0)
    a = rng.normal(size=50)
    b = np.round(a + rng.normal(size=50))
    assert rank_correlation(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)
    assert rank_correlation(a, np.ones(50)) == 0


def test_ink_is_the_mean_pixel():
    np.testing.assert_allclose(
        mean_intensity(Images(IMAGES)), IMAGES.mean((1, 2, 3)) / 255
    )


def scored(count, anomalous, **shifts):
    rng = np.random.default_rng(count)
    known = None if anomalous is None else np.arange(count) < anomalous
    shift = 0 if known is None else known
    scores = {n: rng.normal(size=count) + shifts.get(n, 0) * shift for n in SCORES}
    return ScoredImages(scores, rng.random(count), known)


def test_threshold_is_the_quantile_of_normal_held_out_images():
    images, held_out = scored(500, 100, nll=3), scored(1000, 300, nll=3)
    found = detect(images, held_out, 0.9, "neg_elbo")
    own = found["scores"]["nll"]
    assert own["threshold"] == np.quantile(held_out.scores["nll"][300:], 0.9)
    assert own["flagged"] == np.mean(images.scores["nll"] > own["threshold"])
    assert found["base_rate"] == 0.2
    assert found["num_anomalous"] == 100


def test_score_by_labels_is_chosen_on_held_out_images_not_on_those_judged():
    images, held_out = scored(500, 100, kl=5), scored(500, 100, reconstruction=5)
    found = detect(images, held_out, 0.95, "by_validation_auroc")
    assert (found["score"], found["chosen_by"]) == (
        "reconstruction",
        "AUROC on labelled validation anomalies",
    )


def test_fixed_score_is_the_one_that_counts_whatever_the_labels_say():
    images, held_out = scored(500, 100, kl=5), scored(500, 100, reconstruction=5)
    found = detect(images, held_out, 0.95, "neg_elbo")
    assert (found["score"], found["chosen_by"]) == (
        "neg_elbo",
        "fixed in advance",
    )


@pytest.mark.parametrize("anomalous", [None, 0])
def test_score_by_labels_is_refused_where_validation_images_are_of_one_kind(anomalous):
    with pytest.raises(ConfigError, match="score=by_validation_auroc"):
        check_score("by_validation_auroc", scored(500, anomalous).anomalous)


@pytest.mark.parametrize("anomalous", [None, 0, 500])
def test_images_of_one_kind_have_no_auroc(anomalous):
    found = detect(scored(500, anomalous), scored(500, None), 0.95, "neg_elbo")
    assert "auroc" not in found["scores"]["nll"]
    assert (found["mean_intensity"], found["base_rate"]) == (None, None)
