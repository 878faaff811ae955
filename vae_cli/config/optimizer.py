"""Options of optimizers."""

from dataclasses import dataclass

from vae_cli.config.option import Options, option
from vae_cli.registry import register


@dataclass
class OptimizerConfig(Options):
    """Gradient descent."""

    learning_rate: float = option("peak learning rate", above=0, default=1e-3)
    clip_norm: float | None = option(
        "scale the whole gradient to this norm", above=0, default=None
    )
    ema_decay: float | None = option(
        "average the weights with this decay; the average is validated and saved",
        above=0,
        below=1,
        default=None,
    )


@register("optimizer", "adam")
@dataclass
class AdamConfig(OptimizerConfig):
    """Adam (Kingma & Ba 2015)."""

    beta_1: float = option(
        "decay of the first moment", at_least=0, below=1, default=0.9
    )
    beta_2: float = option(
        "decay of the second moment", at_least=0, below=1, default=0.999
    )
    epsilon: float = option("added to the denominator", above=0, default=1e-7)


@register("optimizer", "adamax")
@dataclass
class AdamaxConfig(AdamConfig):
    """Adam with the infinity norm (Kingma & Ba 2015)."""


@register("optimizer", "adamw")
@dataclass
class AdamWConfig(AdamConfig):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    weight_decay: float = option(
        "per step, times the learning rate", at_least=0, default=0.004
    )
