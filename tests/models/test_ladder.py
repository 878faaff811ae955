"""Ladders: the bound, the two paths, sizes, priors, conditions."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tests.helpers import grey_images
from tests.models.toys import redraw
from vae_cli.config.by_size import resolved
from vae_cli.config.compose import composed
from vae_cli.config.objective import ElboConfig
from vae_cli.data_spec import DataSpec
from vae_cli.models.distributions import code, log_ratio
from vae_cli.models.factory import build_model
from vae_cli.models.ladder import LadderLevels, LadderVAE
from vae_cli.models.objective import Elbo

SHAPE = (6, 5, 1)
GRIDS = (
    "architecture=residual_conv",
    "architecture.filters=[3,4]",
    "architecture.dense_units=5",
    "hierarchy.levels_per_size=[1,2,1]",
    "hierarchy.channels=[3,2,1]",
)
VECTORS = (
    "architecture=dense",
    "architecture.hidden_units=[7,6]",
    "hierarchy.levels_per_size=[2,1]",
    "hierarchy.channels=[2,3]",
)
KINDS = {
    "grids": GRIDS,
    "vectors": VECTORS,
    "gated vectors": (*VECTORS, "architecture.gated=true"),
    "top of a grid": (*GRIDS, "hierarchy.levels_per_size=[0,1,2]"),
    "not at the last size": (*GRIDS, "hierarchy.levels_per_size=[1,1,0]"),
}
EVERY = [
    pytest.param(kind, marks=() if kind in ("grids", "vectors") else pytest.mark.slow)
    for kind in KINDS
]


def ladder_vae(
    *overrides: str,
    shape: tuple[int, int, int] = SHAPE,
    num_classes: int | None = None,
    precision: str = "float32",
    drawn: bool = True,
) -> LadderVAE:
    """A ladder whose weights are all away from zero, unless as they start."""
    config = composed("train", ["dataset=synthetic", "hierarchy=ladder", *overrides])
    config, _ = resolved(config, shape, 50_000)
    vae = build_model(config, DataSpec(shape, False, num_classes), precision)
    return redraw(vae, 0.3, seed=4) if drawn else vae


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def images(count: int, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    return grey_images(count, *shape).astype(np.float32) / 255


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("kind", EVERY)
def test_state_of_the_levels_gives_what_decoding_their_code_gives(kind, precision):
    vae = ladder_vae(*KINDS[kind], precision=precision)
    x, noise = images(4), normal(3, 4, vae.latent_dim)
    levels = vae.infer(x, noise)
    assert isinstance(levels, LadderLevels)
    ours = vae.log_likelihood(x, levels)
    decoded = vae.log_likelihood(x, list(levels))
    tolerance = 1e-5 if precision == "float32" else 0.02
    np.testing.assert_allclose(ours, decoded, rtol=tolerance)
    logits = vae.decode_samples(code(levels))
    np.testing.assert_allclose(
        vae.log_likelihood_of_logits(x, logits), decoded, rtol=1e-6
    )


@pytest.mark.parametrize("kind", EVERY)
def test_posterior_starts_at_the_prior_below_the_top(kind):
    vae = ladder_vae(*KINDS[kind], drawn=False)
    _, *below = vae.infer(images(4), normal(1, 4, vae.latent_dim))
    for level in below:
        np.testing.assert_array_equal(level.posterior.mean, 0)
        np.testing.assert_array_equal(level.posterior.log_var, 0)


@pytest.mark.parametrize("kind", ["grids", "vectors"])
def test_weights_of_importance_sampling_are_those_in_absolute_coordinates(kind):
    """log p(z) - log q(z|x), each z_l and its two Gaussians as the networks name them.

    A Gaussian's location and scale cancel in the ratio.
    """
    vae = ladder_vae(*KINDS[kind])
    x, noise = images(4), normal(1, 4, vae.latent_dim)
    encoded = vae.encode(x)
    levels = vae.levels(encoded, noise)
    expected, kl = absolute(vae, encoded, levels)
    np.testing.assert_allclose(log_ratio(levels)[0], expected, rtol=1e-4, atol=1e-4)
    terms = Elbo(ElboConfig())(vae, x, noise, 1.0)
    np.testing.assert_allclose(terms.kl_per_level, kl, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(terms.kl, kl.sum(axis=1), rtol=1e-4)
    np.testing.assert_allclose(
        terms.neg_elbo, kl.sum(axis=1) - vae.log_likelihood(x, levels)[0], rtol=1e-4
    )


def absolute(vae, encoded, levels) -> tuple[np.ndarray, np.ndarray]:
    """log p - log q of the code [B], and the KL of each level [B, levels]; float64.

    The networks give the parameters; densities are SciPy's, the KL by integration.
    """
    start, lower_levels, _ = vae._networks()
    z = np.asarray(levels[0].z[0], np.float64)
    top = [np.asarray(encoded[k], np.float64) for k in ("mean", "log_var")]
    ratio = stats.norm.logpdf(z).sum(axis=1)
    ratio -= stats.norm.logpdf(z, top[0], np.exp(top[1] / 2)).sum(axis=1)
    kl = [integrated(*top, np.zeros_like(z), np.zeros_like(z))]
    state = start(levels[0].z[0])
    for networks, level in zip(lower_levels, levels[1:], strict=True):
        features = encoded[f"features_{networks.size}_{networks.part}"]
        q = {
            k: np.asarray(v, np.float64)
            for k, v in networks.posterior([state, features]).items()
        }
        p = {k: np.asarray(v, np.float64) for k, v in networks.prior(state).items()}
        z = p["mean"] + np.exp(p["log_var"] / 2) * np.asarray(level.z[0])
        ratio += stats.norm.logpdf(z, p["mean"], np.exp(p["log_var"] / 2)).sum(axis=1)
        ratio -= stats.norm.logpdf(z, q["mean"], np.exp(q["log_var"] / 2)).sum(axis=1)
        kl.append(integrated(q["mean"], q["log_var"], p["mean"], p["log_var"]))
        state = networks.below([state, tf.constant(z, tf.float32)])
    return ratio, np.stack(kl, axis=1)


def integrated(mean, log_var, other_mean, other_log_var) -> np.ndarray:
    """KL of Gaussians by the trapezoidal rule over +-10 deviations, summed, [B]."""
    line = np.linspace(-10, 10, 2001)[:, None, None]
    x = mean + np.exp(log_var / 2) * line
    log_q = stats.norm.logpdf(x, mean, np.exp(log_var / 2))
    log_p = stats.norm.logpdf(x, other_mean, np.exp(other_log_var / 2))
    density = np.exp(log_q) * np.exp(log_var / 2)
    return np.trapezoid(density * (log_q - log_p), line[:, 0, 0], axis=0).sum(axis=1)


def test_code_under_the_prior_is_ancestral_sampling():
    """Decoding N(0, I) draws each z_l from its own p(z_l|z_<l) on the way down."""
    vae = ladder_vae(*GRIDS)
    noise = normal(5, vae.latent_dim)
    z = vae.sample_prior(noise, None)
    np.testing.assert_array_equal(z, noise)
    start, lower_levels, outputs = vae._networks()
    begin = vae.level_sizes[0]
    state = start(noise[:, :begin])
    for networks in lower_levels:
        p = networks.prior(state)
        own = noise[:, begin : begin + networks.dim]
        state = networks.below([state, p["mean"] + np.exp(p["log_var"] / 2) * own])
        begin += networks.dim
    np.testing.assert_allclose(vae.decode(z), outputs(state), rtol=1e-4, atol=1e-5)


def test_mean_posterior_is_the_pass_without_noise():
    vae = ladder_vae(*GRIDS)
    encoded = vae.encode(images(4))
    q = vae.mean_posterior(encoded)
    # where each level lies at its mean, so does the pass that draws nothing
    levels = vae.levels(encoded, np.zeros((1, 4, vae.latent_dim), np.float32))
    drawn = np.concatenate([level.posterior.mean[0] for level in levels], axis=-1)
    top = vae.level_sizes[0]
    np.testing.assert_allclose(q.mean[:, :top], drawn[:, :top], rtol=1e-6)
    np.testing.assert_allclose(q.mean, drawn, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        # 3 x 3 and 2 x 2 are the halves of 6 x 5, rounded up
        ("grids", (3, 2 * 2 * 2, 2 * 2 * 2, 3 * 3)),
        ("vectors", (2, 2, 3)),
        ("top of a grid", (2 * 2 * 2, 3 * 3, 3 * 3)),
        ("not at the last size", (3, 2 * 2 * 2)),
    ],
)
def test_levels_have_the_sizes_of_the_architecture(kind, sizes):
    vae = ladder_vae(*KINDS[kind])
    assert vae.level_sizes == sizes
    assert vae.latent_dim == sum(sizes) == vae.decoder.input_shape[-1]


def test_networks_grow_linearly_with_depth():
    """Parameters and operations: each level more adds as much as the one before."""

    def sizes(levels: int) -> tuple[int, int]:
        vae = ladder_vae(*VECTORS, f"hierarchy.levels_per_size=[1,{levels}]")
        step = tf.function(lambda x, e: vae.log_likelihood(x, vae.infer(x, e)))
        graph = step.get_concrete_function(
            tf.zeros((2, *SHAPE)), tf.zeros((1, 2, vae.latent_dim))
        ).graph
        return vae.count_params(), len(graph.get_operations())

    found = np.array([sizes(levels) for levels in (1, 2, 3)])
    added = np.diff(found, axis=0)
    np.testing.assert_array_equal(added[0], added[1])


def test_one_pass_down_serves_levels_and_likelihood():
    """The likelihood of the levels adds the outputs alone."""
    vae = ladder_vae(*GRIDS)

    def operations(function) -> int:
        shapes = tf.zeros((2, *SHAPE)), tf.zeros((1, 2, vae.latent_dim))
        graph = tf.function(function).get_concrete_function(*shapes).graph
        return sum(op.type == "Conv2D" for op in graph.get_operations())

    levels = operations(lambda x, e: code(vae.infer(x, e)))
    both = operations(lambda x, e: vae.log_likelihood(x, vae.infer(x, e)))
    assert both == levels + 1  # the convolution of the outputs


@pytest.mark.parametrize("prior", ["mog", "vamp"])
def test_top_level_takes_a_learned_prior(prior):
    vae = ladder_vae(*GRIDS, f"prior={prior}", "prior.components=3")
    x, noise = images(4), normal(2, 4, vae.latent_dim)
    levels = vae.infer(x, noise)
    assert levels[0].prior.mean.shape == (3, 3)
    assert np.isfinite(log_ratio(levels)).all()
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(log_ratio(vae.infer(x, noise)))
    gradients = tape.gradient(loss, vae.prior_network.trainable_variables)
    assert all(np.abs(g).max() > 0 for g in gradients)


def test_label_enters_both_passes():
    vae = ladder_vae(*GRIDS, "conditioning=label", num_classes=3)
    x, noise = images(4), normal(1, 4, vae.latent_dim)
    first, second = (vae.condition(label=np.full(4, y)) for y in (0, 2))
    levels = vae.infer(x, noise, first)
    assert not np.allclose(levels[0].z, vae.infer(x, noise, second)[0].z)
    np.testing.assert_allclose(
        vae.log_likelihood(x, levels, first),
        vae.log_likelihood(x, list(levels), first),
        rtol=1e-5,
    )
    z = code(levels)[0]
    assert not np.allclose(vae.decode(z, first), vae.decode(z, second))
    assert vae.posterior(x, first).mean.shape == (4, vae.latent_dim)


def test_log_variances_are_bounded_and_their_gradient_is_not_lost():
    from vae_cli.models.ladder_builder import MAX_LOG_VAR, bounded

    x = tf.constant([-1e6, -2.0, 0.0, 0.5, 1e6])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = bounded(x)
    assert np.abs(y).max() <= MAX_LOG_VAR
    np.testing.assert_allclose(y[1:4], x[1:4], atol=0.03)
    assert np.all(tape.gradient(y, x)[1:4] > 0.9)


def test_networks_are_counted_once():
    from vae_cli.training.summary import parameters

    vae = ladder_vae(*GRIDS)
    assert parameters(vae).keys() == {"encoder", "decoder", "posteriors"}
    assert sum(parameters(vae).values()) == vae.count_params()
    paths = [weight.path for weight in vae.decoder.weights]
    assert len(paths) == len(set(paths))


@pytest.mark.parametrize("kind", EVERY)
def test_exported_networks_are_those_of_the_model(kind, tmp_path):
    vae = ladder_vae(*KINDS[kind])
    networks = vae.export_networks()
    for network in networks:
        network.save(tmp_path / f"{network.name}.keras")
    encoder, decoder = (
        keras.saving.load_model(tmp_path / f"{name}.keras")
        for name in ("encoder", "decoder")
    )
    x = images(3)
    q = vae.posterior(x)
    np.testing.assert_allclose(encoder(x)["mean"], q.mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(encoder(x)["log_var"], q.log_var, rtol=1e-4, atol=1e-5)
    means = vae.pixel_means(q.mean)
    np.testing.assert_allclose(decoder(q.mean), means, rtol=1e-4, atol=1e-5)


def test_levels_and_free_bits_are_floored_as_by_hand():
    from vae_cli.models.objective import Terms, kl_term

    kl = np.array([[0.2, 3.0, 0.0], [0.4, 1.0, 0.1]], np.float32)
    terms = Terms(None, kl.sum(1), None, None, None, None, kl_per_level=tf.constant(kl))
    assert float(kl_term(terms, 2, 0.5, by_level=True)) == pytest.approx(
        0.5 + 2.0 + 0.5
    )
    # two halves of the batch, as replicas have them, add up to the same
    halves = [
        Terms(None, k.sum(1), None, None, None, None, kl_per_level=tf.constant(k))
        for k in (kl[:1], kl[1:])
    ]
    whole = tf.constant(kl.mean(axis=0))
    parts = [kl_term(t, 2, 0.5, 2, lambda x: whole, by_level=True) for t in halves]
    assert float(sum(parts)) == pytest.approx(3.0)


@pytest.mark.slow
def test_every_combination_of_sizes_has_its_levels():
    for levels in itertools.product((0, 1), repeat=3):
        if sum(levels) > 1:
            vae = ladder_vae(*GRIDS, f"hierarchy.levels_per_size={[*levels]}")
            assert len(vae.level_sizes) == sum(levels)


def test_estimate_is_the_same_where_features_of_all_images_are_too_many():
    from vae_cli.evaluation.importance import importance_sampling

    vae = ladder_vae(*GRIDS)
    pixels = grey_images(3, *SHAPE)
    kept = importance_sampling(vae, pixels, samples=9, seed=1)
    # nothing fits into no memory: codes come one at a time, each encoded anew
    anew = importance_sampling(vae, pixels, samples=9, seed=1, memory_mb=0)
    np.testing.assert_allclose(anew.log_prob, kept.log_prob, rtol=1e-5)
