"""What a ladder needs of an architecture: features and states at its sizes.

The bottom-up pass gives features of the image at each size. The top-down pass has a
state, which each level reads and adds to, and which grows from size to size. A size is
a vector or a grid; both offer the same few operations on Keras tensors.
"""

import math
from typing import Any

import keras
from keras import ops

from vae_cli.config.architecture import ResidualConvConfig
from vae_cli.models.layers import activated, dense_stack, regularizer

Shape = tuple[int, ...]


def scaled_by(depth: int) -> keras.initializers.Initializer:
    """Return an initializer of the last layer of one of `depth` residual branches.

    Glorot's, with 1 / depth of its variance: the variance of the sum of all branches
    then does not grow with depth (Child, "Very deep VAEs", 2021, section 4.1).
    """
    return keras.initializers.VarianceScaling(1 / depth, "fan_avg", "uniform")


class VectorSize:
    """A state [B, width], and latent variables [B, d].

    Args:
        width: units of the state.
        config: activation, normalization, dropout and penalty of the layers.
    """

    def __init__(self, width: int, config: Any) -> None:
        self.width = width
        self.config = config
        self.shape: Shape = (width,)

    def latent_shape(self, channels: int) -> Shape:
        """Return the shape of a level's latent variables."""
        return (channels,)

    def activated(self, x: Any, name: str) -> Any:
        """Return a state or features as a layer takes them."""
        return activated(x, name, self.config)

    def linear(self, units: int, name: str, **options: Any) -> keras.layers.Layer:
        """Return a layer without a nonlinearity, at each place of a grid."""
        return keras.layers.Dense(units, name=name, **options)

    def mixing(self, units: int, name: str, **options: Any) -> keras.layers.Layer:
        """Return a layer that sees neighbours, too, where there are any."""
        return keras.layers.Dense(
            units, kernel_regularizer=regularizer(self.config), name=name, **options
        )

    def start(self, z: Any, embedding: Any, name: str) -> Any:
        """Return the first state, from the top level and the condition.

        Args:
            z: [B, d].
            embedding: [B, k], or None.
            name: of the layers.
        """
        x = z if embedding is None else ops.concatenate([z, embedding], axis=-1)
        return dense_stack(x, [self.width], self.config, name)

    def blocks(self, x: Any, name: str, depth: int) -> Any:
        """Return x + dense layers of x."""
        inner = dense_stack(
            activated(x, f"{name}_in", self.config), [self.width], self.config, name
        )
        return x + self.mixing(
            self.width, f"{name}_out", kernel_initializer=scaled_by(depth)
        )(inner)


class GridSize(VectorSize):
    """A state [B, height, width, filters], and latent variables of the same grid.

    Args:
        grid: (height, width).
        filters: of the state.
        config: of the layers.
        block: `residual_block` of the architecture.
    """

    def __init__(
        self,
        grid: tuple[int, int],
        filters: int,
        config: ResidualConvConfig,
        block: Any,
    ) -> None:
        super().__init__(filters, config)
        self.grid = grid
        self.shape = (*grid, filters)
        self._block = block

    def latent_shape(self, channels: int) -> Shape:
        """Return the shape of a level's latent variables."""
        return (*self.grid, channels)

    def linear(self, units: int, name: str, **options: Any) -> keras.layers.Layer:
        """Return a convolution of one pixel."""
        return keras.layers.Conv2D(units, 1, name=name, **options)

    def mixing(self, units: int, name: str, **options: Any) -> keras.layers.Layer:
        """Return a convolution."""
        return keras.layers.Conv2D(
            units,
            self.config.kernel_size,
            padding="same",
            kernel_regularizer=regularizer(self.config),
            name=name,
            **options,
        )

    def start(self, z: Any, embedding: Any, name: str) -> Any:
        """Return the first state; the condition is the same at each place."""
        x = self.linear(self.width, f"{name}_z")(z)
        if embedding is None:
            return x
        added = keras.layers.Dense(self.width, name=f"{name}_embedding")(embedding)
        return x + keras.layers.Reshape((1, 1, self.width))(added)

    def blocks(self, x: Any, name: str, depth: int) -> Any:
        """Return x after the architecture's residual blocks."""
        for block in range(self.config.blocks):
            x = self._block(x, self.config, f"{name}_block_{block}", scaled_by(depth))
        return x


class LadderNetworks:
    """Base: the networks of a ladder that an architecture has; built from its options.

    Attributes:
        sizes: smallest first, as `ArchitectureConfig.ladder_sizes` names them.
    """

    sizes: list[VectorSize]

    def bottom_up(self, image: Any) -> list[Any]:
        """Return activated features of the image at each size."""
        raise TypeError(f"{type(self).__name__} has no features")

    def up(self, x: Any, index: int) -> Any:
        """Return a state of size `index` as one of the next size."""
        raise TypeError(f"{type(self).__name__} has one size")

    def outputs(self, x: Any, output_shape: Shape) -> Any:
        """Return what the likelihood takes, from a state of the last size."""
        raise TypeError(f"{type(self).__name__} has no outputs")


class DenseLadder(LadderNetworks):
    """A vector for each hidden layer.

    Args:
        config: hidden layers, gated where configured.
    """

    def __init__(self, config: Any) -> None:
        self.config = config
        self.sizes = [VectorSize(units, config) for units in config.hidden_units[::-1]]

    def bottom_up(self, image: Any) -> list[Any]:
        """Return what each hidden layer gives."""
        x = keras.layers.Flatten(name="flatten")(image)
        features = []
        for index, units in enumerate(self.config.hidden_units):
            x = dense_stack(x, [units], self.config, f"hidden_{index}")
            features.append(x)
        return features[::-1]

    def up(self, x: Any, index: int) -> Any:
        """Apply a dense layer."""
        x = activated(x, f"up_{index}", self.config)
        larger = self.sizes[index + 1]
        return larger.mixing(larger.width, f"up_{index}")(x)

    def outputs(self, x: Any, output_shape: Shape) -> Any:
        """Apply the last dense layer."""
        x = activated(x, "last", self.config)
        x = keras.layers.Dense(math.prod(output_shape), name="outputs")(x)
        return keras.layers.Reshape(output_shape, name="image")(x)
