import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import small_vae
from vae_cli.models.transposed_convolution import fast_decoder

Z = np.random.default_rng(0).normal(size=(7, 2)).astype("float32")


def outputs_and_gradients(decode, weights):
    with tf.GradientTape() as tape:
        outputs = decode(Z, training=True)
        total = tf.reduce_sum(outputs**2)
    return outputs, tape.gradient(total, weights)


@pytest.mark.parametrize("shape", [(28, 28, 1), (13, 9, 3), (5, 7, 2)])
@pytest.mark.parametrize("kernel", [3, 5])
def test_quick_decoder_gives_what_the_decoder_gives(shape, kernel):
    size = f"architecture.kernel_sizes=[{kernel}]"
    decoder = small_vae(size, architecture="conv", shape=shape).decoder
    for weight in decoder.weights:
        weight.assign(np.random.default_rng(1).normal(size=weight.shape))
    quick = fast_decoder(decoder)
    assert (quick is decoder) == (kernel**2 * shape[-1] > 32)
    weights = decoder.trainable_weights
    outputs, gradients = outputs_and_gradients(quick, weights)
    plain_outputs, plain_gradients = outputs_and_gradients(decoder, weights)
    np.testing.assert_allclose(outputs, plain_outputs, rtol=1e-4, atol=1e-3)
    for gradient, plain in zip(gradients, plain_gradients, strict=True):
        scale = np.abs(plain).max()
        np.testing.assert_allclose(gradient / scale, plain / scale, atol=1e-5)


def test_other_decoders_are_left_as_they_are():
    z = keras.Input((2,))
    grid = keras.layers.Reshape((2, 2, 1))(keras.layers.Dense(4)(z))
    for last in (
        keras.layers.Conv2DTranspose(1, 3, strides=2, padding="same"),
        keras.layers.Conv2DTranspose(1, 3, padding="valid"),
        keras.layers.Conv2DTranspose(1, 2, padding="same"),
        keras.layers.Conv2D(1, 3, padding="same"),
    ):
        decoder = keras.Model(z, last(grid))
        assert fast_decoder(decoder) is decoder
