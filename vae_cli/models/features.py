"""Small convolutional networks that look at images: for features, and for judging."""

from typing import Any

import keras

FILTERS = (32, 64)
HIDDEN = 128
"""Units of the last hidden layer."""


def feature_network(
    image_shape: tuple[int, ...], outputs: int, dropout: float = 0.0
) -> keras.Model:
    """Two convolutions that halve the image, one hidden layer.

    Args:
        image_shape: (H, W, C).
        outputs: logits on top.
        dropout: rate before the hidden layer, in training.

    Returns:
        images [B, H, W, C] -> dict of `fine` and `coarse`, what the convolutions give,
        `hidden` [B, HIDDEN] and `logits` [B, outputs].
    """
    image = x = keras.Input(image_shape, name="image")
    features: dict[str, Any] = {}
    for name, filters in zip(("fine", "coarse"), FILTERS, strict=True):
        x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = features[name] = keras.layers.MaxPooling2D(padding="same")(x)
    x = keras.layers.Flatten()(x)
    if dropout:
        x = keras.layers.Dropout(dropout)(x)
    features["hidden"] = keras.layers.Dense(HIDDEN, activation="relu")(x)
    features["logits"] = keras.layers.Dense(outputs)(features["hidden"])
    return keras.Model(image, features)


def discriminator(image_shape: tuple[int, ...]) -> keras.Model:
    """Strided convolutions and leaky units, whose gradients reach every pixel.

    Source: Radford et al., "Unsupervised representation learning with deep
    convolutional generative adversarial networks", 2016, section 3.

    Args:
        image_shape: (H, W, C).

    Returns:
        images [B, H, W, C] -> dict of `fine` and `coarse` features, and of `logits`
        [B, 1], larger for real images.
    """
    image = x = keras.Input(image_shape, name="image")
    outputs: dict[str, Any] = {}
    for name, filters in zip(("fine", "coarse"), FILTERS, strict=True):
        x = keras.layers.Conv2D(filters, 4, strides=2, padding="same")(x)
        # not TensorFlow's leaky unit, which its optimizer fails to fuse, and says so
        x = outputs[name] = keras.ops.maximum(0.2 * x, x)
    outputs["logits"] = keras.layers.Dense(1)(keras.layers.Flatten()(x))
    return keras.Model(image, outputs)
