"""Every option of training, its type, range and meaning; imports no TensorFlow.

The groups that make a model are in `parts.py`.

Defaults live in `configs/`, once. A field gets a default here only when it is added
after a release, so that older run folders still load.
"""

from dataclasses import dataclass

from vae_cli.config.combinations import problems
from vae_cli.config.corruption import CorruptionConfig
from vae_cli.config.field import option
from vae_cli.config.hardware import PRECISIONS, DistributionConfig
from vae_cli.config.parts import (
    ArchitectureConfig,
    ConditioningConfig,
    HierarchyConfig,
    LikelihoodConfig,
    ObjectiveConfig,
    PriorConfig,
)

MAX_SEED = 2**32 - 1
BINARIZE = ("none", "threshold", "static", "dynamic")


@dataclass
class DatasetConfig:
    """A set of images."""

    name: str = option("which data set")
    validation_size: int = option(
        "images taken from the training set for validation, drawn by `seed`",
        at_least=0,
    )
    binarize: str = option(
        "none: grey levels; threshold: x > 0.5; static: drawn once; dynamic: drawn "
        "anew every training step, once for validation and test",
        choices=BINARIZE,
    )
    limit: int | None = option("use at most this many images of each split", at_least=1)
    seed: int = option(
        "draws the validation split and the binarization; apart from the training "
        "seed so that runs with different seeds score the same images",
        at_least=0,
        at_most=MAX_SEED,
    )
    classes: list[int] | None = option(
        "use the images of these classes alone; all if null", at_least=0, default=None
    )


@dataclass
class NpzConfig(DatasetConfig):
    """Arrays in a file: `x_train`, optionally `x_test`, `y_train`, `y_test`."""

    path: str = option("the .npz file")
    memory_mb: int = option(
        "larger arrays are streamed from the file instead of held in memory",
        at_least=1,
        default=4096,
    )
    channels_first: bool = option(
        "the arrays are [N, C, H, W]; they are transposed", default=False
    )
    channels: int | None = option(
        "channels of the images; needed where there are more than 4, checked where "
        "it is given",
        at_least=1,
        default=None,
    )


@dataclass
class SyntheticConfig(DatasetConfig):
    """Procedural shapes with known factors."""

    num_images: int = option("training images; a fifth as many for testing", at_least=2)
    image_size: int = option("height and width in pixels", at_least=8, at_most=65_536)
    channels: int = option("1: grey, 3: colour", at_least=1, at_most=4)


@dataclass
class KlAnnealingConfig:
    """How beta grows during training."""

    name: str = option("which schedule")


@dataclass
class RampConfig(KlAnnealingConfig):
    """Beta grows from `start` times its value to its full value, then stays."""

    duration: float = option("length of the ramp, in `unit`", above=0)
    unit: str = option("what `duration` counts", choices=("epochs", "steps"))
    start: float = option("share of beta at step 0", at_least=0, at_most=1)


@dataclass
class CyclicalConfig(KlAnnealingConfig):
    """Beta ramps up and holds, again and again (Fu et al. 2019)."""

    period: float = option("length of a cycle, in `unit`", above=0)
    unit: str = option("what `period` counts", choices=("epochs", "steps"))
    ramp: float = option("share of a cycle spent growing", above=0, at_most=1)
    start: float = option("share of beta where a cycle begins", at_least=0, at_most=1)
    cycles: int = option("number of cycles; full beta afterwards", at_least=1)


@dataclass
class OptimizerConfig:
    """Gradient descent."""

    name: str = option("which optimizer")
    learning_rate: float = option("peak learning rate", above=0)
    clip_norm: float | None = option("scale the whole gradient to this norm", above=0)
    ema_decay: float | None = option(
        "average the weights with this decay; the average is validated and saved",
        above=0,
        below=1,
    )


@dataclass
class AdamConfig(OptimizerConfig):
    """Adam and Adamax."""

    beta_1: float = option("decay of the first moment", at_least=0, below=1)
    beta_2: float = option("decay of the second moment", at_least=0, below=1)
    epsilon: float = option("added to the denominator", above=0)


@dataclass
class AdamWConfig(AdamConfig):
    """Adam with decoupled weight decay."""

    weight_decay: float = option("per step, times the learning rate", at_least=0)


@dataclass
class LearningRateScheduleConfig:
    """How the learning rate moves."""

    name: str = option("which schedule")
    warmup_epochs: float = option(
        "linear warm-up before the schedule begins", at_least=0
    )


@dataclass
class CosineConfig(LearningRateScheduleConfig):
    """Half a cosine from the peak to `final` times the peak, over all epochs."""

    final: float = option("share of the peak at the end", at_least=0, at_most=1)


@dataclass
class StepConfig(LearningRateScheduleConfig):
    """Multiplied by `factor` every `every_epochs` epochs."""

    every_epochs: float = option("epochs between drops", above=0)
    factor: float = option("multiplier at each drop", above=0, at_most=1)


@dataclass
class TrainConfig:
    """`vae-train`: everything that decides what a run computes."""

    dataset: DatasetConfig = option("images")
    architecture: ArchitectureConfig = option("encoder and decoder")
    likelihood: LikelihoodConfig = option("score of an image")
    kl_annealing: KlAnnealingConfig = option("beta over time")
    optimizer: OptimizerConfig = option("gradient descent")
    learning_rate_schedule: LearningRateScheduleConfig = option("rate over time")
    latent_dim: int = option("dimensions of z", at_least=1, at_most=1_000_000)
    beta: float = option("weight of the KL term", at_least=0)
    free_bits: float = option(
        "nats per latent dimension that cost nothing (Kingma et al. 2016)", at_least=0
    )
    epochs: int = option(
        "passes over the training images", at_least=1, at_most=10_000_000
    )
    batch_size: int = option("images a step", at_least=1, at_most=1_000_000)
    seed: int = option(
        "initial weights, data order and noise", at_least=0, at_most=MAX_SEED
    )
    early_stopping: int | None = option(
        "stop after this many epochs without a better validation bound", at_least=1
    )
    deterministic: bool = option(
        "bitwise repeatable on CPU: one thread, deterministic kernels; slower"
    )
    steps_per_execution: int = option(
        "training steps a compiled call; the bar moves once a call",
        at_least=1,
        at_most=1_000_000,
    )
    name: str | None = option("last part of the run folder's name")
    run_dir: str | None = option("run folder; output_root/<date>/<time>-<name> if null")
    output_root: str = option("folder of all runs")
    resume: str | None = option("run folder to continue, or latest; takes only epochs=")
    prior: PriorConfig = option(
        "p(z)", default_factory=lambda: PriorConfig(name="standard")
    )
    hierarchy: HierarchyConfig = option(
        "stochastic layers", default_factory=lambda: HierarchyConfig(name="none")
    )
    conditioning: ConditioningConfig = option(
        "what the networks are told beside the image",
        default_factory=lambda: ConditioningConfig(name="none"),
    )
    corruption: CorruptionConfig = option(
        "what the encoder sees in place of the image",
        default_factory=lambda: CorruptionConfig(name="none"),
    )
    objective: ObjectiveConfig = option(
        "bound to maximise", default_factory=lambda: ObjectiveConfig(name="elbo")
    )

    distribution: DistributionConfig = option(
        "replicas", default_factory=lambda: DistributionConfig(name="single")
    )
    precision: str = option(
        "of the networks in training; the likelihood, the KL, the weights and every "
        "evaluation are float32",
        choices=PRECISIONS,
        default="float32",
    )
    jit: str = option(
        "compile loss and gradients by XLA; auto: where it pays, in long runs without "
        "convolutions whose batches stay whole",
        choices=("auto", "true", "false"),
        default="auto",
    )
    threads: int | None = option(
        "CPU threads; all cores if null", at_least=1, at_most=1024, default=None
    )
    memory_growth: bool = option(
        "take GPU memory as needed instead of all of it", default=True
    )
    tf32: bool = option(
        "let GPUs multiply float32 with 10 bits of mantissa in training, faster",
        default=True,
    )

    def problems(self) -> list[str]:
        """Return what is wrong between fields."""
        return problems(self)

    @property
    def takes_free_bits(self) -> bool:
        """Whether the loss has a KL for each dimension to put a floor under."""
        return self.prior.name == "standard" and self.objective.name != "iwae"
