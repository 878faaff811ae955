import json
import math

import numpy as np
import pytest
from scipy import stats

from tests.helpers import grey_images, small_vae
from tests.models.toys import redraw
from vae_cli.data.splits import Split
from vae_cli.data_spec import DataSpec
from vae_cli.evaluation.bounds import score_images
from vae_cli.evaluation.importance import importance_sampling
from vae_cli.evaluation.latent import active_units, encode
from vae_cli.evaluation.probes import probe
from vae_cli.evaluation.reconstruction import score_reconstruction
from vae_cli.evaluation.summary import Evaluation, evaluate_split, standard_error
from vae_cli.pixels import Pixels

SHAPE = (11, 12, 1)
BINARY = np.where(grey_images(30, *SHAPE) > 127, 255, 0).astype(np.uint8)
LABELS = np.arange(30) % 3
TRAIN = Split(BINARY[:18], LABELS[:18])
TEST = Split(BINARY[18:], LABELS[18:])


def evaluate(
    *overrides: str,
    train: Split | None = TRAIN,
    split: Split = TEST,
    samples: int | None = 8,
    binary: bool = True,
    **sizes: int,
) -> Evaluation:
    spec = DataSpec(SHAPE, binary=binary)
    return evaluate_split(
        tiny_vae(*overrides), spec, split, train, 3, samples, lambda share: None,
        **sizes,
    )  # fmt: skip


def tiny_vae(*overrides: str):
    return redraw(small_vae(*overrides, "latent_dim=3", shape=SHAPE), 0.3)


@pytest.fixture(scope="module")
def usual() -> Evaluation:
    """The evaluation that most tests look at."""
    return evaluate()


def test_report_holds_what_each_measure_says(usual):
    report = usual.report
    vae = tiny_vae()
    scores = score_images(vae, TEST.images[:], seed=3)
    weights = importance_sampling(vae, TEST.images[:], 8, seed=3)
    found = score_reconstruction(vae, TEST.images[:])
    codes, _ = encode(vae, TRAIN.images[:])
    probes = probe(codes, TRAIN.labels, scores.mean, TEST.labels)
    neg_elbo = scores.reconstruction.astype(np.float64) + scores.kl
    expected = {
        "num_images": 12,
        "neg_elbo": neg_elbo.mean(),
        "neg_elbo_se": neg_elbo.std(ddof=1) / math.sqrt(12),
        "reconstruction_loss": scores.reconstruction.mean(),
        "kl_loss": scores.kl.mean(),
        "nll": -weights.log_prob.mean(),
        "nll_se": weights.log_prob.std(ddof=1) / math.sqrt(12),
        "bits_per_dim": -weights.log_prob.mean() / (11 * 12) / math.log(2),
        "bits_per_dim_se": weights.log_prob.std(ddof=1)
        / math.sqrt(12)
        / (11 * 12)
        / math.log(2),
        "importance_samples": 8,
        "active_units": active_units(scores.mean),
        "mse": found.mse,
        "psnr": found.psnr,
        "ssim": found.ssim,
        "knn_accuracy": probes.knn_accuracy,
        "linear_accuracy": probes.linear_accuracy,
        "effective_sample_size": weights.effective_samples.mean(),
    }
    assert {key: report[key] for key in expected} == pytest.approx(expected, rel=1e-6)
    assert report["kl_per_dim"] == pytest.approx(scores.kl_per_dim.mean(0), rel=1e-5)
    assert report["cross_entropy_bound"] is report["cross_entropy_bound_se"] is None


def test_parts_of_the_bound_add_up_to_it(usual):
    report = usual.report
    parts = report["reconstruction_loss"] + report["kl_loss"]
    assert report["neg_elbo"] == pytest.approx(parts, rel=1e-9)
    assert sum(report["kl_per_dim"]) == pytest.approx(report["kl_loss"], rel=1e-5)


@pytest.mark.parametrize("overrides", [(), ("prior=mog", "prior.components=2")])
def test_report_is_strict_json(overrides):
    report = evaluate(*overrides).report
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_report_has_the_same_keys_whatever_was_measured(usual):
    unlabelled = Split(TEST.images[:])
    reports = [
        usual.report,
        evaluate(train=None, samples=None).report,
        evaluate(split=unlabelled, samples=None, binary=False).report,
    ]
    assert len({tuple(report) for report in reports}) == 1


@pytest.mark.parametrize(
    "likelihood, binary, name, discrete",
    [
        ("bernoulli", True, "nll", True),
        ("bernoulli", False, "cross_entropy_bound", False),
        ("continuous_bernoulli", False, "nll", False),
        ("gaussian", False, "nll", False),
        ("discretized_logistic", False, "nll", True),
    ],
)
def test_estimate_is_called_a_likelihood_where_it_is_one(
    likelihood, binary, name, discrete
):
    found = evaluate(f"likelihood={likelihood}", binary=binary)
    other = {"nll": "cross_entropy_bound", "cross_entropy_bound": "nll"}[name]
    estimate = -found.importance.log_prob.mean()
    assert found.report[name] == pytest.approx(estimate)
    assert found.report[f"{name}_se"] > 0
    assert found.report[other] is found.report[f"{other}_se"] is None
    assert (found.report["bits_per_dim"] is not None) == discrete
    assert found.name == ("NLL" if name == "nll" else "cross-entropy bound")


def flat_vae(*overrides: str):
    """A model that gives every image the same: all weights are 0."""
    vae = small_vae(*overrides, "latent_dim=3", shape=SHAPE)
    for network in (vae.encoder, vae.decoder):
        network.set_weights([np.zeros_like(w) for w in network.get_weights()])
    return vae


def bits_of(vae, pixels: Pixels, images: np.ndarray, **condition) -> dict:
    spec = DataSpec(SHAPE, binary=False, pixels=pixels)
    split = Split(images, **condition)
    report = evaluate_split(vae, spec, split, None, 3, 4, lambda share: None).report
    return {key: value for key, value in report.items() if "bits" in key}


@pytest.mark.parametrize("levels", [17, 256])
def test_density_of_one_takes_as_many_bits_as_levels_have(levels):
    pixels = Pixels("uint16", 0, levels - 1, levels=levels, dequantized=True)
    images = np.random.default_rng(0).uniform(0, 1, (9, *SHAPE)).astype(np.float32)
    found = bits_of(flat_vae("likelihood=continuous_bernoulli"), pixels, images)
    assert found["bits_per_dim_bound"] == pytest.approx(math.log2(levels), abs=1e-6)
    assert found["bits_per_dim_bound_se"] == pytest.approx(0, abs=1e-6)
    assert found["bits_per_dim"] is found["bits_per_dim_se"] is None


def test_density_of_pixels_without_noise_has_no_bits():
    images = np.random.default_rng(0).uniform(0, 1, (9, *SHAPE)).astype(np.float32)
    for pixels in (Pixels(), Pixels("float32", 0, 1, levels=None)):
        found = bits_of(flat_vae("likelihood=continuous_bernoulli"), pixels, images)
        assert set(found.values()) == {None}


def test_bits_of_levels_are_minus_the_logarithm_of_their_probability():
    vae = flat_vae("likelihood=discretized_logistic")
    images = grey_images(9, *SHAPE)
    found = bits_of(vae, Pixels(), images)
    # mean 1/2; the smallest scale of 0.1 levels is added to 0.1
    scale = 0.1 + 0.1 / 255
    edges = np.concatenate([[-np.inf], (np.arange(255) + 0.5) / 255, [np.inf]])
    probability = np.diff(stats.logistic.cdf(edges, 0.5, scale))
    bits = -np.log2(probability[images]).mean((1, 2, 3))
    assert found["bits_per_dim"] == pytest.approx(bits.mean(), rel=1e-5)
    assert found["bits_per_dim_se"] == pytest.approx(standard_error(bits), rel=1e-3)
    assert found["bits_per_dim_bound"] is found["bits_per_dim_bound_se"] is None


def test_bits_are_of_whole_images_alone():
    mask = np.full((9, 11, 12, 1), 255, np.uint8)
    mask[:, :5] = 0
    vae = flat_vae("likelihood=discretized_logistic")
    found = bits_of(vae, Pixels(), grey_images(9, *SHAPE), mask=mask)
    assert set(found.values()) == {None}


def test_without_importance_sampling_there_is_no_estimate():
    found = evaluate(samples=None)
    absent = (
        "nll", "nll_se", "cross_entropy_bound", "cross_entropy_bound_se",
        "bits_per_dim", "bits_per_dim_se", "bits_per_dim_bound",
        "bits_per_dim_bound_se", "importance_samples", "effective_sample_size",
    )  # fmt: skip
    assert found.importance is None
    assert {found.report[key] for key in absent} == {None}


@pytest.mark.parametrize(
    "train, split",
    [
        (None, TEST),
        (Split(TRAIN.images[:]), TEST),
        (TRAIN, Split(TEST.images[:])),
    ],
    ids=["not asked for", "training has none", "split has none"],
)
def test_without_labels_there_are_no_probes(train, split):
    report = evaluate(train=train, split=split, samples=None).report
    assert report["knn_accuracy"] is report["linear_accuracy"] is None


def test_mixture_prior_has_no_kl_per_dimension_but_one_to_the_normal():
    found = evaluate("prior=mog", "prior.components=2", samples=None)
    assert found.report["kl_per_dim"] is None
    assert found.kl_to_normal.shape == (3,)


def test_single_image_has_no_standard_error():
    report = evaluate(split=Split(TEST.images[:1], TEST.labels[:1])).report
    assert report["num_images"] == 1
    assert report["neg_elbo_se"] is report["nll_se"] is None


def test_sizes_change_no_result(usual):
    parts = evaluate(batch_size=5, chunk_size=3)
    np.testing.assert_allclose(parts.neg_elbo, usual.neg_elbo, atol=1e-4)
    np.testing.assert_allclose(
        parts.importance.log_prob, usual.importance.log_prob, atol=1e-4
    )


def test_standard_error_is_that_of_a_mean():
    # deviation sqrt(5 / 3) over sqrt(4)
    assert standard_error(np.array([1.0, 2, 3, 4])) == pytest.approx((5 / 12) ** 0.5)
    assert standard_error(np.array([1.0])) is None


def test_probes_say_what_else_the_encoder_was_given(usual):
    assert usual.report["probes_of"] == "posterior means"
    vae = small_vae("conditioning=label", "latent_dim=3", shape=SHAPE, num_classes=3)
    spec = DataSpec(SHAPE, binary=True, num_classes=3)
    found = evaluate_split(vae, spec, TEST, TRAIN, 3, None, lambda share: None)
    assert found.report["probes_of"] == (
        "posterior means of an encoder that gets the label"
    )
