import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import grey_images, small_config, small_vae
from vae_cli.models.architectures.base import start_at_mean
from vae_cli.models.architectures.residual_conv import _depth_to_space, residual_block
from vae_cli.models.layers import dense_stack, gate

RNG = np.random.default_rng(0)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x.astype(np.float64)))


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def randomize(network: keras.Model) -> None:
    """Give every weight, biases too, a value away from zero."""
    network.set_weights([0.5 * normal(*w.shape) for w in network.get_weights()])


def images(*shape: int, count: int = 3) -> np.ndarray:
    return grey_images(count, *shape).astype(np.float32) / 255


def test_gate_is_the_first_half_times_the_sigmoid_of_the_second():
    config = small_config("architecture.gated=true", "architecture.activation=linear")
    x = keras.Input((6,))
    network = keras.Model(x, gate(x, "layer", config.architecture))
    given = 3 * normal(5, 6)
    expected = given[:, :3] * sigmoid(given[:, 3:])
    np.testing.assert_allclose(network(given), expected, rtol=1e-5)


@pytest.mark.parametrize("activation", ["linear", "tanh"])
def test_gated_layers_are_those_computed_by_hand(activation):
    config = small_config(
        "architecture.gated=true", f"architecture.activation={activation}"
    ).architecture
    x = keras.Input((4,))
    network = keras.Model(x, dense_stack(x, [5, 3], config))
    randomize(network)
    given = expected = normal(7, 4)
    for index, width in enumerate([5, 3]):
        kernel, bias = network.get_layer(f"dense_{index}").get_weights()
        both = expected @ kernel.astype(np.float64) + bias
        value = both[:, :width]
        value = np.tanh(value) if activation == "tanh" else value
        expected = value * sigmoid(both[:, width:])
    np.testing.assert_allclose(network(given), expected, rtol=1e-4, atol=1e-6)


def test_gated_encoder_and_decoder_have_a_gate_for_every_hidden_unit():
    plain, gated = (
        small_vae("architecture.hidden_units=[9,8]", f"architecture.gated={on}")
        for on in ("false", "true")
    )
    for network, other in (
        (plain.encoder, gated.encoder),
        (plain.decoder, gated.decoder),
    ):
        for index in (0, 1):
            units = network.get_layer(f"dense_{index}").units
            assert other.get_layer(f"dense_{index}").units == 2 * units
    assert gated.encoder.get_layer("mean").kernel.shape == (8, 2)


def residual_network(filters: int, *overrides: str) -> keras.Model:
    config = small_config(*overrides, architecture="residual_conv").architecture
    x = keras.Input((5, 6, filters))
    return keras.Model(x, residual_block(x, config, "block"))


def test_residual_block_is_the_one_computed_by_hand():
    network = residual_network(3, "architecture.activation=tanh")
    randomize(network)
    x = normal(2, 5, 6, 3)
    inner, inner_bias = network.get_layer("block_inner").get_weights()
    outer, outer_bias = network.get_layer("block_outer").get_weights()
    hidden = tf.nn.conv2d(np.tanh(x), inner, 1, "SAME").numpy() + inner_bias
    both = tf.nn.conv2d(np.tanh(hidden), outer, 1, "SAME").numpy() + outer_bias
    expected = x + both[..., :3] * sigmoid(both[..., 3:])
    np.testing.assert_allclose(network(x), expected, rtol=1e-4, atol=1e-5)


def test_residual_block_without_weights_passes_its_input_on():
    network = residual_network(3)
    network.set_weights([np.zeros_like(w) for w in network.get_weights()])
    x = normal(2, 5, 6, 3)
    np.testing.assert_array_equal(network(x), x)


@pytest.mark.parametrize("shape", [(3, 2, 4), (1, 1, 12), (4, 5, 8)], ids=str)
def test_depth_becomes_space_as_in_tensorflow(shape):
    x = keras.Input(shape)
    network = keras.Model(x, _depth_to_space(x, 0))
    given = normal(2, *shape)
    expected = tf.nn.depth_to_space(given, 2)
    np.testing.assert_array_equal(network(given), expected)


@pytest.mark.parametrize(
    "shape, sizes",
    [
        ((13, 9, 3), [(7, 5), (4, 3)]),
        ((28, 28, 1), [(14, 14), (7, 7)]),
        ((1, 1, 1), [(1, 1), (1, 1)]),
    ],
    ids=str,
)
def test_residual_sizes_halve_rounded_up_and_double_back(shape, sizes):
    vae = small_vae(architecture="residual_conv", shape=shape)
    x = images(*shape)
    found = [
        vae.encoder.get_layer(f"down_{level}").output.shape[1:] for level in (0, 1)
    ]
    assert found == [(*sizes[0], 3), (*sizes[1], 4)]
    assert vae.decoder.get_layer("grid").output.shape[1:] == (*sizes[1], 4)
    assert vae(x).shape == x.shape


@pytest.mark.parametrize("shape", [(13, 9, 3), (28, 28, 1), (5, 7, 2)], ids=str)
def test_every_pixel_of_a_residual_decoder_depends_on_the_code(shape):
    vae = small_vae(
        "architecture.filters=[4]", architecture="residual_conv", shape=shape
    )
    randomize(vae.decoder)
    first, second = np.asarray(vae.decode(normal(2, 2)))
    assert (first != second).all()


@pytest.mark.parametrize("shape", [(13, 9, 3), (28, 28, 1), (5, 7, 2)], ids=str)
@pytest.mark.parametrize("architecture", ["conv", "residual_conv"])
def test_convolutional_decoder_without_weights_gives_the_channels_means(
    architecture, shape
):
    mean = RNG.uniform(0.05, 0.95, shape).astype(np.float32)
    vae = small_vae(architecture=architecture, shape=shape, pixel_mean=mean)
    zero_but_bias(vae.decoder)
    found = np.asarray(vae.pixel_means(normal(2, 2)))
    expected = np.broadcast_to(mean.mean((0, 1)), (2, *shape))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 2, 1), (4, 1, 1), (1, 4, 1)], ids=str)
def test_start_of_a_residual_decoder_averages_to_the_mean_on_images_of_four_pixels(
    shape,
):
    """There a bias for each of 4 pixels of a channel is as many as there are pixels."""
    mean = RNG.uniform(0.05, 0.95, shape).astype(np.float32)
    vae = small_vae(architecture="residual_conv", shape=shape, pixel_mean=mean)
    zero_but_bias(vae.decoder)
    found = np.asarray(vae.pixel_means(normal(1, 2)))[0].mean((0, 1))
    np.testing.assert_allclose(found, mean.mean((0, 1)), atol=1e-5)


def test_dense_decoder_without_weights_gives_each_pixels_mean():
    mean = RNG.uniform(0.05, 0.95, (4, 5, 2)).astype(np.float32)
    vae = small_vae("architecture.gated=true", shape=(4, 5, 2), pixel_mean=mean)
    zero_but_bias(vae.decoder)
    found = np.asarray(vae.pixel_means(normal(1, 2)))[0]
    np.testing.assert_allclose(found, mean, atol=1e-5)


@pytest.mark.parametrize("architecture", ["dense", "conv", "residual_conv"])
def test_two_levels_start_at_the_mean_too(architecture):
    mean = np.full((4, 5, 2), 0.2, np.float32)
    vae = small_vae(
        "hierarchy=two_level", architecture=architecture, shape=(4, 5, 2),
        pixel_mean=mean,
    )  # fmt: skip
    zero_but_bias(vae.decoder.get_layer("decoder"))
    np.testing.assert_allclose(vae.pixel_means(normal(3, 2)), 0.2, atol=1e-5)


def zero_but_bias(decoder: keras.Model) -> None:
    """Set every weight but the output bias to zero."""
    bias = decoder.get_layer("outputs").bias
    kept = np.asarray(bias)
    decoder.set_weights([np.zeros_like(w) for w in decoder.get_weights()])
    bias.assign(kept)


def test_start_at_mean_changes_the_output_bias_alone():
    vae = small_vae(architecture="residual_conv")
    before = vae.decoder.get_weights()
    mean = np.full((4, 5, 1), 0.3, np.float32)
    start_at_mean(vae.decoder, mean, vae.likelihood.starting_outputs)
    changed = [
        (a != b).any() for a, b in zip(before, vae.decoder.get_weights(), strict=True)
    ]
    assert changed.count(True) == 1
