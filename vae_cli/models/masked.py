"""Dense networks in which some outputs don't depend on some inputs; float32."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


class MaskedNetwork:
    """Dense layers some of whose weights are zero; ELU between them.

    The last layer starts at zero. Called on symbolic inputs, the network consists of
    built-in layers alone, so that what is exported needs no package.

    Args:
        masks: of each layer's kernel, bool [inputs, outputs].
        condition_dim: of what the first hidden layer gets besides; 0 for nothing.
        name: prefix of the weights' names.
    """

    def __init__(
        self, masks: Sequence[np.ndarray], condition_dim: int, name: str
    ) -> None:
        last = len(masks) - 1
        self._dense = [
            MaskedDense(
                mask,
                masks_bias=i == last,
                name=f"{name}_{i}",
                kernel_initializer="zeros" if i == last else "glorot_uniform",
            )
            for i, mask in enumerate(masks)
        ]
        self.layers: list[keras.layers.Layer] = [*self._dense]
        self._condition = None
        if condition_dim:
            self._condition = dense(
                condition_dim, masks[0].shape[1], f"{name}_condition", use_bias=False
            )
            self.layers.append(self._condition)
        self._plain: list[keras.layers.Dense] = []

    def __call__(self, x: Any, condition: Any = None) -> Any:
        """Return the outputs, float32 [..., n] of x, [..., d]."""
        layers: Sequence[keras.layers.Layer] = self._dense
        if isinstance(x, keras.KerasTensor):
            layers = self._plain_layers()
        first, *others = layers
        x = first(x)
        if self._condition is not None:
            x = x + self._condition(condition)
        for layer in others:
            x = layer(ops.elu(x))
        return x

    def _plain_layers(self) -> list[keras.layers.Dense]:
        """Return built-in layers with the weights of now."""
        if not self._plain:
            self._plain = [
                dense(layer.kernel.shape[0], layer.kernel.shape[1], layer.name)
                for layer in self._dense
            ]
        for plain, layer in zip(self._plain, self._dense, strict=True):
            plain.set_weights([np.asarray(each) for each in layer.masked_weights()])
        return self._plain


class MaskedDense(keras.layers.Dense):
    """A dense layer some of whose weights are zero; float32.

    Args:
        mask: of the kernel, bool [inputs, outputs].
        masks_bias: whether outputs that depend on no input are zero.
    """

    def __init__(self, mask: np.ndarray, masks_bias: bool, **options: Any) -> None:
        super().__init__(mask.shape[1], dtype="float32", **options)
        bias_mask = mask.any(axis=0) if masks_bias else np.ones(mask.shape[1])
        self._masks = mask.astype(np.float32), bias_mask.astype(np.float32)
        self.build((None, mask.shape[0]))

    def masked_weights(self) -> tuple[Any, Any]:
        """Return kernel and bias as they are applied."""
        kernel_mask, bias_mask = self._masks
        return self.kernel * kernel_mask, self.bias * bias_mask

    def call(self, inputs: Any, training: Any = None) -> Any:
        """Return inputs times the kernel, plus the bias."""
        kernel, bias = self.masked_weights()
        return ops.matmul(inputs, kernel) + bias


def dense(
    inputs: int,
    units: int,
    name: str,
    kernel: Any = "glorot_uniform",
    bias: Any = "zeros",
    use_bias: bool = True,
) -> keras.layers.Dense:
    """Return a built-in dense layer that has its weights, in float32."""
    layer = keras.layers.Dense(
        units,
        kernel_initializer=kernel,
        bias_initializer=bias,
        use_bias=use_bias,
        dtype="float32",
        name=name,
    )
    layer.build((None, inputs))
    return layer
