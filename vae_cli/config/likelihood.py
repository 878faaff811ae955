"""Options of likelihoods p(x|z), in nats, given by the decoder's outputs."""

from dataclasses import dataclass
from typing import ClassVar

from vae_cli.config.option import Options, option
from vae_cli.pixels import Pixels
from vae_cli.registry import register

OF_BINARY = (
    "a density, which can grow without bound on pixels that are only 0 or 1; use "
    "likelihood=bernoulli"
)
"""What `fits` returns for a density of binary pixels."""


@dataclass
class LikelihoodConfig(Options):
    """p(x|z) in nats, given by the decoder's outputs."""

    is_density: ClassVar[bool] = True
    """Whether it is a density of real numbers, as `dataset.dequantize` needs."""

    def problem_with(self, pixels: Pixels) -> tuple[str, str] | None:
        """Return why it doesn't fit such pixels, and what does; None if it fits."""
        if pixels.bounded:
            return None
        return (
            f"likelihood={self.name} needs pixels in [0, 1], and these are "
            "standardized",
            "use likelihood=gaussian, or dataset.value_range=auto",
        )

    def fits(self, pixels: Pixels, binary: bool) -> str:
        """Return in a sentence what its value means for such pixels.

        Args:
            pixels: of a data set; `problem_with` returns None for them.
            binary: whether every pixel is 0 or 1 in the model.
        """
        return str(type(self).__doc__).splitlines()[0]


@register("likelihood", "bernoulli")
@dataclass
class BernoulliConfig(LikelihoodConfig):
    """Pixels are independent coin flips."""

    is_density = False

    def fits(self, pixels: Pixels, binary: bool) -> str:
        """Return what it is of such pixels."""
        if binary:
            return (
                "the probability of pixels that are 0 or 1; its nats are comparable "
                "with published ones of the same binarization"
            )
        return (
            "a cross-entropy, not a likelihood: these pixels have levels between 0 and "
            "1; dataset.binarize=static or dynamic makes them 0 or 1"
        )


@register("likelihood", "continuous_bernoulli")
@dataclass
class ContinuousBernoulliConfig(LikelihoodConfig):
    """A density on [0, 1] (Loaiza-Ganem & Cunningham 2019)."""

    def fits(self, pixels: Pixels, binary: bool) -> str:
        """Return what it is of such pixels."""
        return OF_BINARY if binary else f"a density on [0, 1]; {_of_density(pixels)}"


@register("likelihood", "gaussian")
@dataclass
class GaussianConfig(LikelihoodConfig):
    """Gaussian pixels with one standard deviation for the whole data set."""

    std: float = option(
        "standard deviation of a pixel, in units of [0, 1]; the initial one if learned",
        at_least=0.001,
        default=0.1,
    )
    learn_std: bool = option(
        "learn the standard deviation with the weights", default=True
    )

    def problem_with(self, pixels: Pixels) -> tuple[str, str] | None:
        """Return None: it fits any numbers."""
        return None

    def fits(self, pixels: Pixels, binary: bool) -> str:
        """Return what it is of such pixels."""
        if binary:
            return OF_BINARY
        spread = "learned" if self.learn_std else f"{self.std:g}"
        return f"a density of any numbers, standard deviation {spread}; " + _of_density(
            pixels
        )


@register("likelihood", "discretized_logistic")
@dataclass
class DiscretizedLogisticConfig(LikelihoodConfig):
    """The probability of each level of a pixel (Salimans et al. 2017)."""

    mixture: int = option(
        "logistic distributions of each channel of a pixel",
        at_least=1,
        at_most=100,
        default=1,
    )
    min_scale: float = option(
        "smallest scale of a logistic distribution, in levels",
        at_least=0.001,
        at_most=10,
        default=0.1,
    )

    is_density = False

    def problem_with(self, pixels: Pixels) -> tuple[str, str] | None:
        """Return that it needs levels if pixels have none."""
        problem = super().problem_with(pixels)
        if problem or pixels.levels is not None:
            return problem
        return (
            f"likelihood={self.name} gives the probability of each level of a pixel, "
            f"and these are real numbers ({pixels})",
            "use likelihood=gaussian",
        )

    def fits(self, pixels: Pixels, binary: bool) -> str:
        """Return what it is of such pixels."""
        return (
            "the probability of each level; bits per dimension are comparable with "
            "published ones of the same data"
        )


def _of_density(pixels: Pixels) -> str:
    if pixels.levels is None:
        return "its nats are comparable only on the same data"
    return (
        f"of {pixels.levels:,} levels its nats are bounds only with "
        "dataset.dequantize=uniform, and comparable only on the same data"
    )
