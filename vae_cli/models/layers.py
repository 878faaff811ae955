"""Layers and blocks that encoders and decoders share; built-in Keras layers only.

Exported networks must open in plain Keras, so nothing here may end up in a saved
graph except `keras.layers` classes. `Sampling` never does: it lies between the two.
"""

from typing import Any

import keras

from vae_cli.config.schema import ArchitectureConfig


class Sampling(keras.layers.Layer):
    """Draw z from a diagonal Gaussian by the reparameterisation trick.

    z = mean + exp(log_var / 2) * noise

    The layer is stateless: the noise comes from `vae_cli.randomness`, keyed by (seed,
    stream, step), so the same step always gives the same z.

    Source: Kingma & Welling, "Auto-Encoding Variational Bayes", 2014, section 2.4.
    """

    def call(self, mean: Any, log_var: Any, noise: Any) -> Any:
        """Return z.

        Args:
            mean: float32 [B, latent_dim].
            log_var: float32 [B, latent_dim].
            noise: standard normal float32 [B, latent_dim].
        """
        return mean + keras.ops.exp(0.5 * log_var) * noise


def regularizer(config: ArchitectureConfig) -> keras.regularizers.Regularizer | None:
    """Return the kernel penalty, or None where it would be zero."""
    return keras.regularizers.L2(config.l2) if config.l2 else None


def hidden(x: Any, layer: keras.layers.Layer, config: ArchitectureConfig) -> Any:
    """Apply a layer, then normalization, activation and dropout as configured."""
    x = layer(x)
    if config.normalization == "batch":
        x = keras.layers.BatchNormalization(name=f"{layer.name}_norm")(x)
    elif config.normalization == "layer":
        x = keras.layers.LayerNormalization(name=f"{layer.name}_norm")(x)
    x = keras.layers.Activation(config.activation, name=f"{layer.name}_activation")(x)
    if config.dropout:
        x = keras.layers.Dropout(config.dropout, name=f"{layer.name}_dropout")(x)
    return x


def dense_stack(x: Any, units: list[int], config: ArchitectureConfig) -> Any:
    """Apply hidden dense layers of the given widths."""
    for index, width in enumerate(units):
        layer = keras.layers.Dense(
            width, kernel_regularizer=regularizer(config), name=f"dense_{index}"
        )
        x = hidden(x, layer, config)
    return x
