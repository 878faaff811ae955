"""Options of a model's parts: architecture, likelihood, prior, hierarchy, objective.

As in `schema.py`, defaults live in `configs/`; no TensorFlow is imported.
"""

from dataclasses import dataclass

from vae_cli.config.field import option

ACTIVATIONS = (
    "linear", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus",
    "tanh", "sigmoid",
)  # fmt: skip
MAX_LAYERS = 100
"""Layers or blocks in a row: more would take minutes to build."""

MAX_UNITS = 1_000_000
MAX_KERNEL = 255
"""Pixels: larger kernels end the process within oneDNN."""

NORMALIZATIONS = ("none", "batch", "layer")


@dataclass
class ArchitectureConfig:
    """Encoder and decoder networks."""

    name: str = option("which architecture")
    activation: str = option("after every hidden layer", choices=ACTIVATIONS)
    normalization: str = option("in every hidden layer", choices=NORMALIZATIONS)
    dropout: float = option(
        "rate after every hidden layer of the encoder and decoder", at_least=0, below=1
    )
    l2: float = option(
        "weight of the squared hidden kernels in what is minimised, not in the logged "
        "loss",
        at_least=0,
    )


def _too_deep(key: str, layers: list[int]) -> list[str]:
    """Return what is wrong with a number of layers."""
    if len(layers) <= MAX_LAYERS:
        return []
    return [f"{key} has {len(layers):,} layers; at most {MAX_LAYERS} are possible"]


@dataclass
class ConvConfig(ArchitectureConfig):
    """Strided convolutions, mirrored by transposed ones; any image size."""

    filters: list[int] = option(
        "filters of each encoder layer", at_least=1, at_most=MAX_UNITS
    )
    kernel_sizes: list[int] = option(
        "one for all layers, or one a layer", at_least=1, at_most=MAX_KERNEL
    )
    strides: list[int] = option(
        "one for all layers, or one a layer", at_least=1, at_most=MAX_KERNEL
    )
    dense_units: list[int] = option(
        "hidden dense layers between convolutions and latent space",
        at_least=1,
        at_most=MAX_UNITS,
    )

    def problems(self) -> list[str]:
        """Return what is wrong between fields."""
        found = [] if self.filters else ["architecture.filters needs a layer, got []"]
        found += _too_deep("architecture.filters", self.filters)
        found += _too_deep("architecture.dense_units", self.dense_units)
        for key in ("kernel_sizes", "strides"):
            count = len(getattr(self, key))
            if count not in (1, len(self.filters)):
                found.append(
                    f"architecture.{key} has {count} values for {len(self.filters)} "
                    f"layers; give one, or one a layer"
                )
        return found


@dataclass
class DenseConfig(ArchitectureConfig):
    """Fully connected layers, mirrored in the decoder."""

    hidden_units: list[int] = option(
        "units of each encoder layer", at_least=1, at_most=MAX_UNITS
    )
    gated: bool = option(
        "multiply each hidden unit by a sigmoid gate of its own (Dauphin et al. 2017)",
        default=False,
    )

    def problems(self) -> list[str]:
        """Return what is wrong between fields."""
        if self.hidden_units:
            return _too_deep("architecture.hidden_units", self.hidden_units)
        return ["architecture.hidden_units needs a layer, got []"]


@dataclass
class ResidualConvConfig(ArchitectureConfig):
    """Gated residual convolutions at sizes that halve; any image size."""

    filters: list[int] = option(
        "filters at each size, largest first; the first is half the image's",
        at_least=1,
        at_most=MAX_UNITS,
    )
    blocks: int = option("residual blocks at each size", at_least=0, at_most=MAX_LAYERS)
    kernel_size: int = option("of every convolution", at_least=1, at_most=MAX_KERNEL)
    dense_units: int = option(
        "units of the layer between convolutions and latent space",
        at_least=1,
        at_most=MAX_UNITS,
    )

    def problems(self) -> list[str]:
        """Return what is wrong between fields."""
        if self.filters:
            return _too_deep("architecture.filters", self.filters)
        return ["architecture.filters needs a layer, got []"]


@dataclass
class LikelihoodConfig:
    """How decoder outputs score an image, in nats."""

    name: str = option("which likelihood")


@dataclass
class GaussianConfig(LikelihoodConfig):
    """Normal pixels with one scale for the whole data set."""

    scale: float = option(
        "standard deviation of a pixel, in units of [0, 1]; the initial one if learned",
        at_least=0.001,
    )
    learn_scale: bool = option("learn the scale with the weights")


@dataclass
class PriorConfig:
    """p(z): where codes come from when there is no image."""

    name: str = option("which prior")


@dataclass
class MixtureConfig(PriorConfig):
    """A mixture of diagonal Gaussians."""

    components: int = option("Gaussians in the mixture", at_least=1, at_most=100_000)


@dataclass
class VampConfig(MixtureConfig):
    """The posteriors of learned pseudo-inputs, mixed (Tomczak & Welling 2018)."""

    start: str = option(
        "where pseudo-inputs start: noise: near black; data: random training images",
        choices=("noise", "data"),
    )


@dataclass
class HierarchyConfig:
    """Stochastic layers between image and prior."""

    name: str = option("how many levels")


@dataclass
class TwoLevelConfig(HierarchyConfig):
    """A top level that the prior draws, and a bottom level drawn given the top."""

    top_dim: int | None = option(
        "how many of latent_dim are the top level's; half if null", at_least=1
    )
    hidden_units: list[int] = option(
        "hidden layers of p(bottom|top) and of q(bottom|image, top)",
        at_least=1,
        at_most=MAX_UNITS,
    )

    def problems(self) -> list[str]:
        """Return what is wrong with the number of layers."""
        return _too_deep("hierarchy.hidden_units", self.hidden_units)


@dataclass
class ConditioningConfig:
    """What encoder and decoder are told beside the image."""

    name: str = option("what they are told")


@dataclass
class LabelConfig(ConditioningConfig):
    """The image's label: the model is of p(x|y)."""

    learned_prior: bool = option(
        "learn a Gaussian p(z|y) for each label; else p(z) is the same for all"
    )


@dataclass
class SeenConfig(ConditioningConfig):
    """What corruption leaves of the image: the model completes it."""

    hidden_units: list[int] = option(
        "layers between what is seen and what decoder and prior are told",
        at_least=1,
        at_most=MAX_UNITS,
    )

    def problems(self) -> list[str]:
        """Return what is wrong between fields."""
        if self.hidden_units:
            return _too_deep("conditioning.hidden_units", self.hidden_units)
        return ["conditioning.hidden_units needs a layer, got []"]


@dataclass
class ObjectiveConfig:
    """The bound that training maximises."""

    name: str = option("which bound")

    @property
    def bound(self) -> str:
        """Name in the logs of what selects the best epoch: the bound at beta 1."""
        return "neg_elbo"


@dataclass
class FeatureConfig(ObjectiveConfig):
    """The ELBO, and a squared error of features beside it."""

    weight: float = option(
        "weight of half the squared error of features, summed, a layer's mean over "
        "places",
        at_least=0,
    )


@dataclass
class PerceptualConfig(FeatureConfig):
    """Features of a small classifier of the data set's labels, or of turned images."""

    epochs: int = option(
        "passes over the images that train it first", at_least=1, at_most=10_000
    )


@dataclass
class VaeGanConfig(FeatureConfig):
    """Features of a discriminator that learns with the model (Larsen et al. 2016)."""

    adversarial_weight: float = option(
        "weight of fooling it, which moves the decoder alone", at_least=0
    )


@dataclass
class IwaeConfig(ObjectiveConfig):
    """The importance-weighted bound (Burda et al. 2016)."""

    samples: int = option("posterior samples an image, k", at_least=1, at_most=10_000)
    doubly_reparameterized: bool = option(
        "encoder gradient of lower variance (Tucker et al. 2019)"
    )

    @property
    def bound(self) -> str:
        """Name in the logs of what selects the best epoch: the bound at beta 1."""
        return "neg_iwae" if self.samples > 1 else "neg_elbo"
