"""Options of `vae-evaluate`, with its sections."""

from dataclasses import dataclass

from vae_cli.config.dataset import MAX_SEED
from vae_cli.config.figure import FigureConfig
from vae_cli.config.generate import CodesConfig
from vae_cli.config.option import option
from vae_cli.config.run import MAX_BATCH_SIZE, SPLIT, SPLITS, RunConfig, npz_problems

RUN_EVALUATE_KEYS = (
    "split", "importance_samples", "num_images", "generated_images", "disentanglement",
    "prior",
    "feature_network", "feature_range", "ais", "gap", "seed",
    "batch_size", "chunk_size", "memory_mb",
)  # fmt: skip
"""Keys of `vae-evaluate` that `Run.evaluate` takes."""


@dataclass
class AnnealingConfig:
    """Annealed importance sampling: log p(x) of some images."""

    images: int | None = option(
        "images of the split to estimate log p(x) of, and as many simulated ones "
        "for a bound from either side; null: none",
        at_least=1,
        default=None,
    )
    temperatures: int = option(
        "intermediate distributions between start and posterior",
        at_least=2,
        at_most=100_000,
        default=500,
    )
    chains: int = option("chains per image", at_least=1, at_most=1000, default=16)
    leapfrog_steps: int = option(
        "of the Hamiltonian transition at each temperature",
        at_least=1,
        at_most=1000,
        default=10,
    )
    start: str = option(
        "where chains start: the prior p(z), or the Gaussian with the encoder's mean "
        "and variance",
        choices=("prior", "posterior"),
        default="prior",
    )


@dataclass
class GapConfig:
    """The gap between log p(x) and the ELBO, split in two by refining q per image."""

    images: int | None = option(
        "images of the split to refine q(z|x) of; null: none", at_least=1, default=None
    )
    steps: int = option(
        "steps of Adam on each image's own mean and log-variance",
        at_least=1,
        at_most=1_000_000,
        default=500,
    )
    samples: int = option(
        "posterior samples per image and step", at_least=1, at_most=10_000, default=16
    )


@dataclass
class EvaluateConfig(RunConfig):
    """`vae-evaluate`: bounds, reconstruction and codes of a split, in numbers."""

    run: str = option(
        "run folder, a sweep's folder, several separated by commas, or latest"
    )
    split: str | None = option(SPLIT, choices=SPLITS)
    num_images: int | None = option(
        "at most this many images, drawn by `dataset.seed`; all if null",
        at_least=1,
    )
    importance_samples: int | None = option(
        "posterior samples per image for log p(x); the literature takes 5000; null "
        "leaves it out",
        at_least=1,
        at_most=1_000_000,
    )
    seed: int | None = option(
        "posterior noise; the run's own seed if null", at_least=0, at_most=MAX_SEED
    )
    batch_size: int | None = option(
        "images at a time; by memory_mb if null; does not change results",
        at_least=1,
        at_most=MAX_BATCH_SIZE,
    )
    chunk_size: int | None = option(
        "samples at a time; by memory_mb if null; does not change results",
        at_least=1,
        at_most=MAX_BATCH_SIZE,
    )
    memory_mb: int = option("memory for codes at a time, MiB", at_least=1)
    generated_images: int | None = option(
        "samples to generate and measure: sharpness, and distances in the features of "
        "a small classifier that is trained for it; null: none",
        at_least=100,
        at_most=1_000_000,
    )
    disentanglement: bool = option(
        "dataset=factors or xy_squares: compare posterior means with the factors: MIG, "
        "SAP, DCI, FactorVAE and beta-VAE scores, modularity"
    )
    prior: CodesConfig = option(
        "where the codes of generated images are drawn from",
        default_factory=CodesConfig,
    )
    feature_network: str | None = option(
        "generated_images: a Keras model, .keras or .h5, in place of the small "
        "classifier; with InceptionV3's pooled features the Frechet distance is an FID"
    )
    feature_range: list[float] = option(
        "feature_network: pixel values that it takes for black and white"
    )
    ais: AnnealingConfig = option(
        "annealed importance sampling", default_factory=AnnealingConfig
    )
    gap: GapConfig = option("inference gap", default_factory=GapConfig)
    save_npz: str | None = option(
        "one run: also write images, `neg_elbo` and `log_prob` of each to this .npz"
    )
    output: str | None = option(
        "several runs: folder of the table; evaluation/ beside the runs if null"
    )
    figure: FigureConfig = option("the figures", default_factory=FigureConfig)

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        problems = npz_problems(self.save_npz)
        if self.generated_images is None:
            for key, given in (
                ("prior=fitted", self.prior.is_fitted),
                (f"feature_network={self.feature_network}", self.feature_network),
            ):
                if given:
                    problems.append(f"{key} needs generated_images=<number>")
        ends = self.feature_range
        if len(ends) != 2 or not ends[0] < ends[1]:
            problems.append(
                f"feature_range={self.feature_range} must be two numbers, the smaller "
                "first, such as 'feature_range=[-1,1]'"
            )
        if self.gap.images and not (self.importance_samples or self.ais.images):
            problems.append(
                "gap.images= needs an estimate of log p(x): importance_samples=500 or "
                f"ais.images={self.gap.images}"
            )
        return problems
