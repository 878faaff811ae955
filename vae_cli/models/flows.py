"""Invertible transformations of codes, with the logarithm of their determinant.

    y = f(x; condition),   log p(y) = log p(x) - log |det df/dx|

A flow holds Keras layers in float32, whatever the networks compute in; who builds a
flow keeps `layers`, so that they are trained and saved.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from vae_cli.models.masked import MaskedNetwork, dense

FORGET_BIAS = 2.0
"""What is added to the input of a gate, which then starts open: sigmoid(2) = .88.

Kingma et al. 2016, section 4: 1 or 2."""
MAX_LOG_SCALE = 3.0
"""Bound on the log-scale of a step without gates, so that no step can overflow."""
IDENTITY_SHIFT = math.log(math.e - 1)
"""softplus of it is 1."""


class Flow:
    """Base of all transformations."""

    layers: Sequence[keras.layers.Layer] = ()
    """What holds its weights."""

    def forward(self, x: Any, condition: Any = None) -> tuple[Any, Any]:
        """Transform codes.

        Args:
            x: float32 [..., d].
            condition: what the transformation depends on, [..., k]; broadcast to x.

        Returns:
            y, [..., d], and log |det dy/dx| in nats, [...].
        """
        raise TypeError(f"{type(self).__name__} is not defined")

    def inverse(self, y: Any, condition: Any = None) -> Any:
        """Return the x of which y is the image, [..., d]."""
        raise TypeError(f"{type(self).__name__} has no inverse in closed form")


class Chain(Flow):
    """One flow after the other.

    Args:
        steps: the first one first.
    """

    def __init__(self, steps: Sequence[Flow]) -> None:
        self._steps = list(steps)
        self.layers = [layer for step in self._steps for layer in step.layers]

    def forward(self, x: Any, condition: Any = None) -> tuple[Any, Any]:
        """Transform codes; log-determinants add up."""
        total = 0.0
        for step in self._steps:
            x, log_det = step.forward(x, condition)
            total = total + log_det
        return x, total

    def inverse(self, y: Any, condition: Any = None) -> Any:
        """Undo the last step first."""
        for step in reversed(self._steps):
            y = step.inverse(y, condition)
        return y


class Planar(Flow):
    """y = x + u' tanh(w . x + b), where u, w and b are linear in the condition.

        u' = u + (m(w . u) - w . u) w / |w|^2,   m(a) = softplus(a + log(e - 1)) - 1

    w . u' = m(w . u) > -1 keeps it invertible. The source's m has no log(e - 1); with
    it m(0) = 0, so that u = 0 is the identity, from which training starts.

    Source: Rezende & Mohamed, "Variational inference with normalizing flows", 2015,
    eq. 10 to 12 and appendix A.1.

    Args:
        dim: d, dimensions of a code.
        condition_dim: k, of the condition.
        name: prefix of the weights' names.
    """

    def __init__(self, dim: int, condition_dim: int, name: str) -> None:
        self._dim = dim
        u, *others = (
            dense(condition_dim, units, f"{name}_{part}", kernel, bias)
            for part, units, kernel, bias in (
                ("u", dim, "zeros", "zeros"),
                ("w", dim, "glorot_uniform", keras.initializers.RandomNormal(0, 0.1)),
                ("b", 1, "glorot_uniform", "zeros"),
            )
        )
        self.layers = [u, *others]

    def forward(self, x: Any, condition: Any = None) -> tuple[Any, Any]:
        """Transform codes; the determinant is 1 + w . u' (1 - tanh^2)."""
        u, w, b = (layer(condition) for layer in self.layers)
        along = ops.sum(w * u, axis=-1, keepdims=True)
        above = ops.softplus(along + IDENTITY_SHIFT)  # w . u' + 1
        length = ops.maximum(ops.sum(w**2, axis=-1, keepdims=True), 1e-12)
        u = u + (above - 1 - along) * w / length
        height = ops.tanh(ops.sum(w * x, axis=-1, keepdims=True) + b)
        determinant = height**2 + above * (1 - height**2)
        return x + u * height, ops.log(determinant)[..., 0]


class Affine(Flow):
    """y_i = exp(a_i) x_i + m_i, where a_i and m_i depend on components before x_i.

    Args:
        network: x and condition -> what a and m are computed from, [..., 2 d].
        order: int [d]; the inverse computes components in this order, those with equal
            numbers at once.
        gated: a = log sigmoid(s + 2) and m = (1 - sigmoid(s + 2)) t as in inverse
            autoregressive flows, instead of m = t and a bounded by 3.
    """

    def __init__(
        self, network: MaskedNetwork, order: np.ndarray, gated: bool = False
    ) -> None:
        self._network, self._order, self._gated = network, order, gated
        self.layers = network.layers

    def forward(self, x: Any, condition: Any = None) -> tuple[Any, Any]:
        """Transform codes in one pass; the Jacobian is triangular."""
        log_scale, shift = self._parameters(x, condition)
        return x * ops.exp(log_scale) + shift, ops.sum(log_scale, axis=-1)

    def inverse(self, y: Any, condition: Any = None) -> Any:
        """Undo it in as many passes as there are numbers in the order."""

        def undone(x: Any) -> Any:
            log_scale, shift = self._parameters(x, condition)
            return (y - shift) * ops.exp(-log_scale)

        def solve(number: Any, x: Any) -> Any:
            # the others may be out of range as long as what they depend on isn't known
            return ops.where(ops.equal(self._order, number), undone(x), x)

        passes = int(self._order.max()) + 1
        if passes == 1:
            return undone(y)
        if not isinstance(y, keras.KerasTensor):
            return ops.fori_loop(0, passes, solve, ops.convert_to_tensor(y))
        # exported networks take neither loops nor conditions
        x = y
        for i in np.argsort(self._order).tolist():
            parts = [x[..., :i], undone(x)[..., i : i + 1], x[..., i + 1 :]]
            x = ops.concatenate([part for part in parts if part.shape[-1]], axis=-1)
        return x

    def _parameters(self, x: Any, condition: Any) -> tuple[Any, Any]:
        s, t = ops.split(self._network(x, condition), 2, axis=-1)
        if self._gated:
            log_scale = -ops.softplus(-(s + FORGET_BIAS))
            return log_scale, (1 - ops.exp(log_scale)) * t
        return MAX_LOG_SCALE * ops.tanh(s / MAX_LOG_SCALE), t


def autoregressive(
    dim: int,
    hidden_units: Sequence[int],
    condition_dim: int,
    reverse: bool,
    name: str,
    gated: bool = False,
) -> Affine:
    """Return a step in which each component depends on all before it.

    Sources: Germain et al., "MADE: Masked autoencoder for distribution estimation",
    2015, eq. 8, 9, 12 and 13; Kingma et al., "Improved variational inference with
    inverse autoregressive flow", 2016, algorithm 1; Papamakarios et al., "Masked
    autoregressive flow for density estimation", 2017.

    Args:
        dim: d, dimensions of a code.
        hidden_units: of its network.
        condition_dim: k, of the condition; 0 for none.
        reverse: whether the last component is the first in the order.
        name: prefix of the weights' names.
        gated: as of `Affine`.
    """
    order = np.arange(dim)[:: -1 if reverse else 1]
    # a hidden unit of degree n depends on the first n components, and the condition
    degrees = [_degrees(units, dim) for units in hidden_units]
    masks = [
        before[:, None] <= after
        for before, after in zip([order + 1, *degrees], degrees, strict=False)
    ]
    out = degrees[-1][:, None] <= order
    masks.append(np.concatenate([out, out], axis=1))
    return Affine(MaskedNetwork(masks, condition_dim, name), order, gated)


def _degrees(units: int, dim: int) -> np.ndarray:
    """Return the degrees of a layer, spread over 0 .. dim - 1 also by few units."""
    if units >= dim:
        return np.arange(units) % dim
    return np.linspace(0, dim - 1, units).astype(int)


def coupling(
    dim: int,
    hidden_units: Sequence[int],
    condition_dim: int,
    reverse: bool,
    name: str,
) -> Affine:
    """Return a step in which every other component depends on those between them.

    Source: Dinh et al., "Density estimation using Real NVP", 2017, eq. 9.

    Args:
        dim: d, dimensions of a code.
        hidden_units: of its network.
        condition_dim: k, of the condition; 0 for none.
        reverse: which half stays: components of odd index if true, else even ones.
        name: prefix of the weights' names.
    """
    stays = np.arange(dim) % 2 == int(reverse)
    if dim == 1:
        stays = np.array([False])
    widths = [*hidden_units, 2 * dim]
    shapes = zip([dim, *widths], widths, strict=False)
    masks = [np.ones(shape, bool) for shape in shapes]
    masks[0] &= stays[:, None]
    masks[-1] &= ~np.tile(stays, 2)
    return Affine(MaskedNetwork(masks, condition_dim, name), np.zeros(dim, int))
