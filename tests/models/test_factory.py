import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.helpers import grey_images, mean_and_log_var, sized, small_vae
from vae_cli import registry
from vae_cli.config.likelihood import BernoulliConfig
from vae_cli.data_spec import DataSpec
from vae_cli.models.factory import build_model
from vae_cli.models.likelihood import Bernoulli
from vae_cli.models.vae import VAE
from vae_cli.registry import OPTIONS

SHAPES = [(28, 28, 1), (29, 31, 3), (5, 7, 2)]

NETWORKS = {
    "one stride": ("conv", ()),
    "strides 2 and 3": ("conv", ("architecture.strides=[2,3]",)),
    "strides 3 and 1": ("conv", ("architecture.strides=[3,1]",)),
    "three layers": ("conv", ("architecture.filters=[2,3,4]",)),
    "kernels 5 and 2": ("conv", ("architecture.kernel_sizes=[5,2]",)),
    "kernel below stride": (
        "conv",
        ("architecture.kernel_sizes=[1]", "architecture.strides=[2]"),
    ),
    "dense on top": ("conv", ("architecture.dense_units=[9,6]",)),
    "dense": ("dense", ()),
    "dense, gated": ("dense", ("architecture.gated=true",)),
    "residual": ("residual_conv", ()),
    "residual, one size": ("residual_conv", ("architecture.filters=[3]",)),
    "residual, three sizes": ("residual_conv", ("architecture.filters=[2,3,4]",)),
    "residual, no blocks": ("residual_conv", ("architecture.blocks=0",)),
    "residual, kernel 2": ("residual_conv", ("architecture.kernel_size=2",)),
    "dense, three layers": ("dense", ("architecture.hidden_units=[9,8,7]",)),
}
"""Name -> architecture and overrides."""


TWO_LEVELS = "hierarchy=two_level", "hierarchy.hidden_units=[6,5]"


def images(shape: tuple[int, int, int], count: int = 3) -> np.ndarray:
    return grey_images(count, *shape).astype(np.float32) / 255


def layers(network: keras.Model, kind: type) -> list[keras.layers.Layer]:
    return [layer for layer in network.layers if isinstance(layer, kind)]


def norm(shape: tuple[int, ...], value: float) -> np.ndarray:
    return np.full(shape, value, np.float32)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("network", NETWORKS)
def test_decoder_gives_images_of_the_encoders_shape(network, shape):
    architecture, overrides = NETWORKS[network]
    vae = small_vae(*overrides, architecture=architecture, shape=shape)
    mean, log_var = mean_and_log_var(vae, images(shape))
    assert mean.shape == log_var.shape == (3, 2)
    assert vae.decode(mean).shape == (3, *shape)


@pytest.mark.parametrize("likelihood", OPTIONS["likelihood"])
@pytest.mark.parametrize("architecture", OPTIONS["architecture"])
def test_reconstruction_is_an_image_of_pixel_means(architecture, likelihood):
    vae = small_vae(
        f"likelihood={likelihood}", architecture=architecture, shape=(9, 11, 2)
    )
    x = images((9, 11, 2))
    restored = np.asarray(vae(x))
    assert restored.shape == x.shape
    assert 0 <= restored.min() < restored.max() <= 1
    np.testing.assert_allclose(
        restored, vae.pixel_means(mean_and_log_var(vae, x)[0]), rtol=1e-6
    )


@pytest.mark.parametrize("architecture", OPTIONS["architecture"])
@pytest.mark.parametrize("latent_dim", [1, 5])
def test_latent_dim_is_that_of_the_config(architecture, latent_dim):
    vae = small_vae(f"latent_dim={latent_dim}", architecture=architecture)
    assert vae.latent_dim == latent_dim
    assert mean_and_log_var(vae, images((4, 5, 1)))[0].shape == (3, latent_dim)


def test_conv_layers_have_the_filters_kernels_and_strides_of_the_config():
    vae = small_vae(
        "architecture.filters=[2,3]",
        "architecture.kernel_sizes=[5,3]",
        "architecture.strides=[2,3]",
        "architecture.dense_units=[9,6]",
        architecture="conv",
        shape=(12, 12, 1),
    )
    found = [
        (layer.filters, layer.kernel_size, layer.strides)
        for layer in layers(vae.encoder, keras.layers.Conv2D)
    ]
    assert found == [(2, (5, 5), (2, 2)), (3, (3, 3), (3, 3))]
    mirrored = [
        (layer.filters, layer.kernel_size, layer.strides)
        for layer in layers(vae.decoder, keras.layers.Conv2DTranspose)
    ]
    assert mirrored[:2] == found[::-1]
    units = [layer.units for layer in layers(vae.decoder, keras.layers.Dense)]
    assert units == [6, 9, 2 * 2 * 3]


def test_dense_decoder_mirrors_the_encoder():
    vae = small_vae("architecture.hidden_units=[9,8]")
    units = [
        [layer.units for layer in layers(network, keras.layers.Dense)]
        for network in (vae.encoder, vae.decoder)
    ]
    assert units == [[9, 8, 2, 2], [8, 9, 20]]


def test_default_network_has_the_layers_of_the_keras_guide_but_for_its_dense_one():
    vae = build_model(sized(), DataSpec((28, 28, 1), binary=False))
    # 3x3 convolutions to 32 and 64 filters, then two dense layers from 7 * 7 * 64
    assert vae.encoder.count_params() == 320 + 18496 + 2 * (7 * 7 * 64 * 2 + 2)
    # dense from z to 7 * 7 * 64, then back through 64, 32 and 1 filters
    decoder = (2 + 1) * 7 * 7 * 64 + 36928 + 18464 + 289
    assert vae.decoder.count_params() == decoder


def test_dense_output_bias_starts_at_the_logit_of_each_pixels_mean():
    mean = np.random.default_rng(0).uniform(0.05, 0.95, (4, 5, 2)).astype(np.float32)
    vae = small_vae(shape=(4, 5, 2), pixel_mean=mean)
    bias = np.asarray(vae.decoder.get_layer("outputs").bias)
    expected = np.log(mean / (1 - mean)).reshape(-1)
    np.testing.assert_allclose(bias, expected, rtol=1e-5, atol=1e-6)


def test_conv_output_bias_starts_at_the_logit_of_each_channels_mean():
    mean = np.random.default_rng(0).uniform(0.05, 0.95, (4, 5, 2)).astype(np.float32)
    vae = small_vae(architecture="conv", shape=(4, 5, 2), pixel_mean=mean)
    bias = np.asarray(vae.decoder.get_layer("outputs").bias)
    channel = mean.mean((0, 1))
    expected = np.log(channel / (1 - channel))
    np.testing.assert_allclose(bias, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mean, logit", [(0.0, -6.9067548), (1.0, 6.9067548)])
@pytest.mark.parametrize("architecture", OPTIONS["architecture"])
def test_pixels_that_never_change_start_at_a_finite_logit(architecture, mean, logit):
    pixel_mean = norm((4, 5, 1), mean)
    vae = small_vae(architecture=architecture, pixel_mean=pixel_mean)
    bias = np.asarray(vae.decoder.get_layer("outputs").bias)
    np.testing.assert_allclose(bias, logit, rtol=1e-4)


def test_model_without_a_pixel_mean_starts_at_zero():
    vae = small_vae()
    assert not np.asarray(vae.decoder.get_layer("outputs").bias).any()


@pytest.mark.parametrize("architecture", OPTIONS["architecture"])
def test_same_seed_draws_the_same_weights(architecture):
    first, second = (small_vae("seed=3", architecture=architecture) for _ in range(2))
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("architecture", OPTIONS["architecture"])
def test_another_seed_draws_other_weights(architecture):
    first = small_vae("seed=3", architecture=architecture)
    second = small_vae("seed=4", architecture=architecture)
    drawn = [
        (a, b)
        for a, b in zip(first.get_weights(), second.get_weights(), strict=True)
        if a.ndim > 1  # biases start at zero
    ]
    assert len(drawn) >= 4
    assert all((a != b).all() for a, b in drawn)


def test_pixel_mean_changes_no_drawn_weight():
    first = small_vae(pixel_mean=norm((4, 5, 1), 0.2)).get_weights()
    second = small_vae(pixel_mean=norm((4, 5, 1), 0.8)).get_weights()
    same = [(a == b).all() for a, b in zip(first, second, strict=True)]
    assert same.count(False) == 1


WITH_HIDDEN = {"conv": (2, 3), "dense": (1, 1), "residual_conv": (6, 7)}
"""Architecture -> activations of the tiny encoder and decoder, gates left out.

Of the residual one: two a block, one after the last block or before each doubling,
one after the dense layer.
"""
WITH_KERNEL = {"conv": (2, 3), "dense": (1, 1), "residual_conv": (7, 7)}
"""Architecture -> hidden layers with a kernel."""


@pytest.mark.parametrize("architecture", OPTIONS["architecture"])
@pytest.mark.parametrize(
    "override, kind",
    [
        ("dropout=0.25", keras.layers.Dropout),
        ("normalization=batch", keras.layers.BatchNormalization),
        ("normalization=layer", keras.layers.LayerNormalization),
    ],
)
def test_every_hidden_layer_has_what_was_asked_for(architecture, override, kind):
    plain = small_vae(architecture=architecture)
    asked = small_vae(f"architecture.{override}", architecture=architecture)
    counts = [
        tuple(len(layers(network, kind)) for network in (vae.encoder, vae.decoder))
        for vae in (plain, asked)
    ]
    assert counts == [(0, 0), WITH_HIDDEN[architecture]]


@pytest.mark.parametrize("architecture", OPTIONS["architecture"])
def test_activation_is_that_of_the_config_after_every_hidden_layer(architecture):
    vae = small_vae("architecture.activation=gelu", architecture=architecture)
    for network, count in zip(
        (vae.encoder, vae.decoder), WITH_HIDDEN[architecture], strict=True
    ):
        found = [
            layer.activation
            for layer in layers(network, keras.layers.Activation)
            if not layer.name.endswith("_gate")
        ]
        assert found == [keras.activations.gelu] * count


def test_dropout_has_the_rate_of_the_config_and_acts_in_training_only():
    vae = small_vae("architecture.dropout=0.5", "architecture.hidden_units=[64]")
    (dropout,) = layers(vae.encoder, keras.layers.Dropout)
    assert dropout.rate == 0.5
    x = images((4, 5, 1))
    calm, calm_again = mean_and_log_var(vae, x)[0], mean_and_log_var(vae, x)[0]
    np.testing.assert_array_equal(calm, calm_again)
    assert (
        np.asarray(mean_and_log_var(vae, x, training=True)[0]) != np.asarray(calm)
    ).any()


@pytest.mark.parametrize("architecture", OPTIONS["architecture"])
def test_l2_is_the_sum_of_squared_hidden_kernels(architecture):
    vae = small_vae(
        "architecture.l2=0.01", "likelihood=gaussian", architecture=architecture
    )
    hidden = [
        layer.kernel
        for network in (vae.encoder, vae.decoder)
        for layer in network.layers
        if hasattr(layer, "kernel") and layer.name not in ("mean", "log_var", "outputs")
    ]
    assert len(hidden) == sum(WITH_KERNEL[architecture])
    expected = 0.01 * sum(np.sum(np.square(kernel)) for kernel in hidden)
    assert float(sum(vae.losses)) == pytest.approx(expected, rel=1e-5)


def test_no_l2_adds_no_losses():
    assert small_vae().losses == []


@pytest.mark.parametrize("architecture", OPTIONS["architecture"])
def test_gradients_reach_every_weight(architecture):
    import tensorflow as tf

    vae = small_vae(
        "likelihood=gaussian",
        "architecture.activation=tanh",
        architecture=architecture,
    )
    x = tf.constant(images((4, 5, 1)))
    with tf.GradientTape() as tape:
        q = vae.posterior(x)
        z = q.sample(tf.ones_like(q.mean))
        loss = tf.reduce_sum(vae.likelihood.log_prob(x, vae.decode(z)))
    for gradient in tape.gradient(loss, vae.trainable_variables):
        assert np.any(np.asarray(gradient) != 0)


EXPORTED = {
    **{name: (name, ()) for name in OPTIONS["architecture"]},
    **{name: ("dense", (f"likelihood={name}",)) for name in OPTIONS["likelihood"]},
}
EXPORTED |= {
    "mixture of logistics": (
        "dense",
        ("likelihood=discretized_logistic", "likelihood.mixture=3"),
    ),
    "gated, two levels": ("dense", ("architecture.gated=true", *TWO_LEVELS)),
    **{f"{name}, two levels": (name, TWO_LEVELS) for name in OPTIONS["architecture"]},
}
"""Name -> architecture and overrides."""
OPENING = """
import sys
sys.modules["vae_cli"] = None  # importing it fails from here on
from pathlib import Path
import numpy as np
from keras.saving import load_model

for folder in sorted(Path(sys.argv[1]).iterdir()):
    given = np.load(folder / "given.npz")
    encoder = load_model(folder / "encoder.keras")
    decoder = load_model(folder / "decoder.keras")
    code = encoder(given["images"])
    np.savez(
        folder / "opened.npz",
        mean=code["mean"],
        log_var=code["log_var"],
        pixels=decoder(given["z"]),
    )
assert not [name for name in sys.modules if name.startswith("vae_cli.")]
"""


def export(folder: Path, vae: VAE) -> dict[str, np.ndarray]:
    """Save the two networks; return what they give before saving."""
    folder.mkdir()
    for network in vae.export_networks():
        network.save(folder / f"{network.name}.keras")
    x = images((9, 11, 2), 5)
    z = 3 * np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    np.savez(folder / "given.npz", images=x, z=z)
    mean, log_var = mean_and_log_var(vae, x)
    pixels = vae.pixel_means(z)
    return {
        "mean": np.asarray(mean),
        "log_var": np.asarray(log_var),
        "pixels": np.asarray(pixels),
    }


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> tuple[Path, dict[str, dict[str, np.ndarray]]]:
    """Folders of exported networks, and what each gave in this process."""
    root = tmp_path_factory.mktemp("exported")
    given = {}
    for name, (architecture, overrides) in EXPORTED.items():
        vae = small_vae(
            "latent_dim=3",
            *overrides,
            "architecture.normalization=batch",
            "architecture.dropout=0.2",
            "architecture.l2=0.001",
            architecture=architecture,
            shape=(9, 11, 2),
            pixel_mean=norm((9, 11, 2), 0.3),
        )
        given[name] = export(root / name, vae)
    return root, given


@pytest.fixture(scope="module")
def opened(exported, tmp_path_factory) -> Path:
    """The same folders, opened by a fresh process that has Keras and not us."""
    root, _ = exported
    done = subprocess.run(
        [sys.executable, "-I", "-c", OPENING, str(root)],
        cwd=tmp_path_factory.mktemp("elsewhere"),
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return root


@pytest.mark.parametrize("output", ["mean", "log_var", "pixels"])
@pytest.mark.parametrize("name", EXPORTED)
def test_exported_networks_give_the_same_in_keras_alone(exported, opened, name, output):
    _, given = exported
    with np.load(opened / name / "opened.npz") as file:
        np.testing.assert_allclose(file[output], given[name][output], atol=1e-5)


@pytest.mark.parametrize("name", EXPORTED)
def test_exported_decoder_gives_pixels_in_the_unit_interval(opened, name):
    with np.load(opened / name / "opened.npz") as file:
        pixels = file["pixels"]
    assert pixels.shape == (5, 9, 11, 2)
    assert 0 <= pixels.min() < pixels.max() <= 1


def classes(config: object) -> list[tuple[str | None, str]]:
    """Module and name of every class that a saved Keras config names, at any depth."""
    found = []
    if isinstance(config, dict):
        if "module" in config:
            found = [(config["module"], config["class_name"])]
        config = list(config.values())
    if isinstance(config, list):
        found += [named for part in config for named in classes(part)]
    return found


@pytest.mark.parametrize("network", ["encoder", "decoder"])
@pytest.mark.parametrize("name", EXPORTED)
def test_exported_networks_hold_no_lambda_and_nothing_but_keras(
    exported, name, network
):
    root, _ = exported
    with zipfile.ZipFile(root / name / f"{network}.keras") as file:
        found = classes(json.loads(file.read("config.json")))
    assert len(found) > 5
    assert not [kind for _, kind in found if "Lambda" in kind]
    assert {(module or "keras").split(".")[0] for module, _ in found} <= {
        "keras",
        "builtins",
    }


class TwoOutputs(Bernoulli):
    """Pixels are Laplace, with a location and a scale of each."""

    outputs_per_channel = 2

    def log_prob(self, x, logits, weight=None):
        """Score images: logits [..., H, W, 2 C]."""
        location, log_scale = keras.ops.split(logits, 2, axis=-1)
        error = keras.ops.abs(x - keras.ops.sigmoid(location))
        nats = -error * keras.ops.exp(-log_scale) - log_scale - np.log(2.0)
        return keras.ops.sum(nats, axis=(-3, -2, -1))

    def mean(self, logits):
        """Return the locations, [..., H, W, C]."""
        return keras.ops.sigmoid(keras.ops.split(logits, 2, axis=-1)[0])


@pytest.mark.parametrize("architecture", ["dense", "conv", "residual_conv"])
def test_every_decoder_gives_as_many_outputs_as_the_likelihood_takes(
    architecture, monkeypatch
):
    monkeypatch.setitem(registry._builders, BernoulliConfig, TwoOutputs)
    shape = (4, 5, 3)
    vae = small_vae(
        architecture=architecture, shape=shape, pixel_mean=np.full(shape, 0.3)
    )
    x = images(shape)
    levels = vae.infer(x, np.zeros((1, len(x), vae.latent_dim), np.float32))
    assert vae.decode(levels[0].z[0]).shape == (len(x), 4, 5, 6)
    assert vae.log_likelihood(x, levels).shape == (1, len(x))
    assert vae(x).shape == x.shape
