"""Options of learning-rate schedules."""

from dataclasses import dataclass
from typing import ClassVar

from vae_cli.config.option import Options, option
from vae_cli.registry import register


@dataclass
class LearningRateScheduleConfig(Options):
    """How the learning rate changes."""

    warmup_epochs: float = option(
        "linear warm-up before the schedule begins", at_least=0, default=0.0
    )

    spans_the_run: ClassVar[bool] = False
    """Whether it stretches over all epochs, so that more epochs change it."""


@register("learning_rate_schedule", "constant")
@dataclass
class ConstantConfig(LearningRateScheduleConfig):
    """The same rate throughout, after an optional warm-up."""


@register("learning_rate_schedule", "cosine")
@dataclass
class CosineConfig(LearningRateScheduleConfig):
    """Cosine decay over all epochs."""

    final_fraction: float = option(
        "fraction of the peak at the end", at_least=0, at_most=1, default=0.0
    )

    spans_the_run = True


@register("learning_rate_schedule", "step")
@dataclass
class StepConfig(LearningRateScheduleConfig):
    """Multiplied by `factor` every `every_epochs` epochs."""

    every_epochs: float = option("epochs between drops", above=0, default=10.0)
    factor: float = option("multiplier at each drop", above=0, at_most=1, default=0.5)
