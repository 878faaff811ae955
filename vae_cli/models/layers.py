"""Layers and blocks that encoders and decoders share; Keras's own layers only.

Exported networks must open in plain Keras, so nothing here may end up in a saved
graph except layers and operations of Keras.
"""

from typing import Any

import keras
import tensorflow as tf

from vae_cli.config.architecture import ArchitectureConfig


def regularizer(config: ArchitectureConfig) -> keras.regularizers.Regularizer | None:
    """Return the kernel penalty, or None where it would be zero."""
    return keras.regularizers.L2(config.l2) if config.l2 else None


def hidden(x: Any, layer: keras.layers.Layer, config: ArchitectureConfig) -> Any:
    """Apply a layer, then normalization, activation and dropout as configured."""
    return activated(layer(x), layer.name, config)


def activated(x: Any, name: str, config: ArchitectureConfig) -> Any:
    """Apply normalization, activation and dropout as configured."""
    if config.normalization == "batch":
        # where replicas share a batch, its statistics are the whole batch's
        shared = tf.distribute.get_strategy().num_replicas_in_sync > 1
        x = keras.layers.BatchNormalization(synchronized=shared, name=f"{name}_norm")(x)
    elif config.normalization == "layer":
        x = keras.layers.LayerNormalization(name=f"{name}_norm")(x)
    x = keras.layers.Activation(config.activation, name=f"{name}_activation")(x)
    if config.dropout:
        x = keras.layers.Dropout(config.dropout, name=f"{name}_dropout")(x)
    return x


def dense_stack(
    x: Any, units: list[int], config: ArchitectureConfig, name: str = "dense"
) -> Any:
    """Apply hidden dense layers of the given widths, gated where configured."""
    gated = config.has_gates
    for index, width in enumerate(units):
        # units and their gates come out of one matrix product
        layer = keras.layers.Dense(
            2 * width if gated else width,
            kernel_regularizer=regularizer(config),
            name=f"{name}_{index}",
        )
        x = gate(layer(x), layer.name, config) if gated else hidden(x, layer, config)
    return x


def gate(x: Any, name: str, config: ArchitectureConfig) -> Any:
    """Return a * sigmoid(b), where a and b are the two halves of the last axis.

    Source: Dauphin et al., "Language modeling with gated convolutional networks",
    2017, section 2; a goes through normalization, activation and dropout first.
    """
    # not by slices: their gradients are far slower than that of a split
    passed, opened = keras.ops.split(x, 2, axis=-1)
    opened = keras.layers.Activation("sigmoid", name=f"{name}_gate")(opened)
    return activated(passed, name, config) * opened
