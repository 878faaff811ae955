"""All of training: every group and key, and what doesn't go together."""

from dataclasses import dataclass

import vae_cli.config.dataset_factors  # registers data sets, as below
import vae_cli.config.dataset_formats  # registers more data sets
import vae_cli.config.objective_aggregate  # more objectives
import vae_cli.config.objective_constraint  # noqa: F401
from vae_cli.config.architecture import ArchitectureConfig, ConvConfig
from vae_cli.config.conditioning import ConditioningConfig, UnconditionalConfig
from vae_cli.config.conflicts import (
    inpainting_problems,
    objective_problems,
    posterior_problems,
    standardized_problems,
)
from vae_cli.config.corruption import CorruptionConfig, NoCorruptionConfig
from vae_cli.config.dataset import MAX_SEED, DatasetConfig, MnistConfig
from vae_cli.config.distribution import DistributionConfig, SingleConfig
from vae_cli.config.figure import GridFigureConfig
from vae_cli.config.hierarchy import HierarchyConfig, OneLevelConfig
from vae_cli.config.init_from import PARTS, InitFromConfig
from vae_cli.config.kl_annealing import AutoAnnealingConfig, KlAnnealingConfig
from vae_cli.config.latent import ContinuousConfig, LatentConfig
from vae_cli.config.latent_conflicts import discrete_problems
from vae_cli.config.learning_rate_schedule import (
    ConstantConfig,
    LearningRateScheduleConfig,
)
from vae_cli.config.likelihood import BernoulliConfig, LikelihoodConfig
from vae_cli.config.objective import ElboConfig, ObjectiveConfig
from vae_cli.config.optimizer import AdamConfig, OptimizerConfig
from vae_cli.config.option import option
from vae_cli.config.posterior import GaussianPosteriorConfig, PosteriorConfig
from vae_cli.config.prior import PriorConfig, StandardPriorConfig
from vae_cli.config.sweep import SweepConfig
from vae_cli.config.tracker import TensorBoardConfig, TrackerOptions

NOT_TRAINING = (
    "name", "run_dir", "output_root", "resume", "tracker", "figure", "sweep",
)  # fmt: skip
"""Keys and groups that say where a run goes and how it is shown, not what it is."""
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


@dataclass
class EarlyStoppingConfig:
    """When training stops before its last epoch."""

    patience: int | None = option(
        "stop after this many epochs without a better validation bound; never if null",
        at_least=1,
        default=None,
    )


@dataclass
class TrainConfig:
    """`vae-train`: train a model, or resume a run.

    The defaults are those of `configs/train.yaml`: the Keras guide's VAE on MNIST.
    """

    dataset: DatasetConfig = option("images", default_factory=MnistConfig)
    architecture: ArchitectureConfig = option(
        "encoder and decoder networks", default_factory=ConvConfig
    )
    likelihood: LikelihoodConfig = option("p(x|z)", default_factory=BernoulliConfig)
    posterior: PosteriorConfig = option(
        "q(z|x)", default_factory=GaussianPosteriorConfig
    )
    latent: LatentConfig = option("what z is", default_factory=ContinuousConfig)
    prior: PriorConfig = option("p(z)", default_factory=StandardPriorConfig)
    hierarchy: HierarchyConfig = option(
        "levels of latent variables", default_factory=OneLevelConfig
    )
    conditioning: ConditioningConfig = option(
        "what the networks get besides the image", default_factory=UnconditionalConfig
    )
    corruption: CorruptionConfig = option(
        "what is done to the encoder's input", default_factory=NoCorruptionConfig
    )
    objective: ObjectiveConfig = option(
        "the bound to maximise", default_factory=ElboConfig
    )
    kl_annealing: KlAnnealingConfig = option(
        "beta over time", default_factory=AutoAnnealingConfig
    )
    optimizer: OptimizerConfig = option("gradient descent", default_factory=AdamConfig)
    learning_rate_schedule: LearningRateScheduleConfig = option(
        "learning rate over time", default_factory=ConstantConfig
    )
    distribution: DistributionConfig = option(
        "devices that share each batch", default_factory=SingleConfig
    )
    tracker: TrackerOptions = option(
        "where the run is recorded in addition to its folder",
        default_factory=TensorBoardConfig,
    )
    latent_dim: int = option(
        "dimensions of z; null: 2 for images up to 32 x 32 grey, 64 for larger ones, "
        "128 above 64 x 64 colour",
        at_least=1,
        at_most=1_000_000,
        by_size=True,
        default=None,
    )
    beta: float = option("weight of the KL term", at_least=0, default=1.0)
    free_bits: float = option(
        "KL per dimension below which nothing is penalised, nats (Kingma et al. 2016)",
        at_least=0,
        default=0.0,
    )
    free_bits_per: str = option(
        "what has that floor: each dimension, or each level as a whole",
        choices=("dimension", "level"),
        default="dimension",
    )
    epochs: int = option(
        "passes over the training images", at_least=1, at_most=10_000_000, default=30
    )
    batch_size: int = option(
        "images per step; null: 128, or 32 for less than 10,000 images of one's own",
        at_least=1,
        at_most=1_000_000,
        by_size=True,
        default=None,
    )
    seed: int = option(
        "initial weights, data order and noise",
        at_least=0,
        at_most=MAX_SEED,
        default=0,
    )
    early_stopping: EarlyStoppingConfig = option(
        "when training stops early", default_factory=EarlyStoppingConfig
    )
    init_from: InitFromConfig = option(
        "weights of another run to start with", default_factory=InitFromConfig
    )
    freeze: str | None = option(
        "network that keeps the weights it has from init_from; none if null",
        choices=PARTS,
        default=None,
    )
    deterministic: bool = option(
        "bitwise repeatable on CPU: one thread, deterministic kernels; slower",
        default=False,
    )
    steps_per_execution: int = option(
        "training steps per compiled call; the progress bar moves once per call",
        at_least=1,
        at_most=1_000_000,
        default=16,
    )
    precision: str = option(
        "of the networks in training; the likelihood, the KL, the weights and every "
        "evaluation are float32",
        choices=PRECISIONS,
        default="float32",
    )
    jit: str = option(
        "compile loss and gradients with XLA; auto: only in long runs of models "
        "without convolutions, if batches are not split across CPU cores",
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
        "allow TF32 matrix products on GPUs in training: faster, 10-bit mantissa",
        default=True,
    )
    figure: GridFigureConfig = option("figures", default_factory=GridFigureConfig)
    name: str | None = option("suffix of the run folder's name", default=None)
    run_dir: str | None = option(
        "run folder; output_root/<date>/<time>-<name> if null", default=None
    )
    output_root: str = option("folder of all runs", default="outputs")
    resume: str | None = option(
        "run folder to continue, or latest (the last unfinished run); may only be "
        "combined with a larger epochs= and dataset.path=",
        default=None,
    )
    sweep: SweepConfig = option("sweeps, vae-train -m", default_factory=SweepConfig)

    @property
    def takes_free_bits(self) -> bool:
        """Whether the loss has a KL per dimension, or per level, for free bits."""
        per_dim = self.prior.has_kl_per_dim and self.posterior.has_kl_per_dim
        parts = per_dim or self.free_bits_per == "level"
        return parts and self.objective.takes_free_bits

    def problems(self) -> list[str]:
        """Return inconsistencies, one sentence each."""
        return [
            *self.dataset.problems_with(self.likelihood, self.corruption),
            *self._schedule_problems(),
            *self._latent_problems(),
            *posterior_problems(self.posterior, self.prior, self.objective),
            *discrete_problems(
                self.latent,
                self.prior,
                self.posterior,
                self.hierarchy,
                self.conditioning,
                self.objective,
                self.distribution,
                self.free_bits,
            ),
            *inpainting_problems(self.corruption, self.conditioning, self.hierarchy),
            *standardized_problems(
                self.dataset, self.likelihood, self.corruption, self.prior
            ),
            *self._device_problems(),
            *objective_problems(self),
            *self.init_from.problems_with(self.freeze),
            *self._name_problems(),
        ]

    def _schedule_problems(self) -> list[str]:
        problems = []
        patience = self.early_stopping.patience
        if patience is not None and self.dataset.validation_size == 0:
            problems.append(
                f"early_stopping.patience={patience} needs validation images, but "
                "dataset.validation_size is 0"
            )
        warmup = self.learning_rate_schedule.warmup_epochs
        if warmup >= self.epochs:
            problems.append(
                f"learning_rate_schedule.warmup_epochs={warmup:g} must be below "
                f"epochs={self.epochs}"
            )
        return problems

    def _latent_problems(self) -> list[str]:
        problems = []
        if self.free_bits and not self.takes_free_bits:
            objective = self.objective.density_key or f"objective={self.objective.name}"
            problems.append(
                f"free_bits={self.free_bits:g} needs posterior=gaussian prior=standard "
                f"objective=elbo: posterior={self.posterior.name} and prior="
                f"{self.prior.name} with {objective} have no KL "
                "per dimension; use those, or free_bits_per=level with "
                "objective=elbo"
            )
        own_prior = self.prior.has_kl_per_dim or self.prior.takes_condition
        if self.conditioning.has_own_prior and not own_prior:
            problems.append(
                f"conditioning={self.conditioning.name} learns its own prior, got "
                f"prior={self.prior.name}; use prior=standard, realnvp or iaf"
            )
        if (
            self.prior.uses_training_images
            and self.corruption.likelihood_pixels == "observed"
        ):
            problems.append(
                "prior.initialization=data with corruption.loss_on=observed would use "
                "pixels that are missing; use prior.initialization=noise"
            )
        # where latent_dim is to be chosen, it is checked then
        problems += self.hierarchy.problems_with(self.architecture, self.latent_dim)
        return problems

    def _device_problems(self) -> list[str]:
        problems = []
        if (
            self.distribution.pads_batches
            and self.architecture.normalization == "batch"
        ):
            problems.append(
                "architecture.normalization=batch doesn't go with "
                f"distribution={self.distribution.name}, which pads the last batch "
                "with images that would enter the statistics; use "
                "architecture.normalization=layer"
            )
        if self.jit == "true" and not self.distribution.takes_xla:
            problems.append(
                f"jit=true needs distribution=single, not {self.distribution.name}: "
                "XLA doesn't compile a step that replicas share"
            )
        return problems

    def _name_problems(self) -> list[str]:
        problems = []
        if self.name is not None and "/" in self.name:
            problems.append(f"name={self.name} is a path; use run_dir=<folder> for one")
        if self.name is not None and not self.name.isprintable():
            problems.append(f"name={self.name} has characters that can't be printed")
        return problems
