"""Options of the commands that use a run folder, and the table of all commands."""

from dataclasses import dataclass

from vae_cli.config.corruption import CorruptionConfig
from vae_cli.config.dataset import MAX_SEED
from vae_cli.config.encode import EncodeConfig
from vae_cli.config.evaluate import AnnealingConfig, GapConfig
from vae_cli.config.explore import ExploreConfig
from vae_cli.config.export import ExportConfig
from vae_cli.config.figure import FigureConfig, GridFigureConfig, output_problems
from vae_cli.config.generate import CodesConfig, GenerateConfig
from vae_cli.config.inspect import InspectConfig
from vae_cli.config.option import option
from vae_cli.config.report import ReportConfig
from vae_cli.config.run import (
    FIGURE,
    MAX_BATCH_SIZE,
    OWN_LABEL,
    SPLIT,
    SPLITS,
    ImagesConfig,
    RunConfig,
    npz_problems,
)
from vae_cli.config.track import TrackConfig
from vae_cli.config.train import TrainConfig

SCORES = (
    "neg_elbo", "nll", "reconstruction", "kl", "mahalanobis", "unexplained_variance",
)  # fmt: skip
BY_VALIDATION_AUROC = "by_validation_auroc"
"""In place of a score: the one that does best on labelled validation anomalies."""


@dataclass
class PlotLatentConfig(RunConfig):
    """`vae-plot-latent`: where a split's images lie in latent space."""

    split: str | None = option(SPLIT, choices=SPLITS)
    num_points: int | None = option("at most this many points; all if null", at_least=1)
    method: str = option(
        "dims: two dimensions as they are; auto: dims for 2, else pca",
        choices=("auto", "dims", "pca", "tsne"),
    )
    dims: list[int] | None = option(
        "method=dims: which two; the two of largest KL if null", at_least=0
    )
    seed: int = option(
        "t-SNE, and which points if num_points is fewer",
        at_least=0,
        at_most=MAX_SEED,
    )
    output: str | None = option(
        f"file of the figure, in the run's figures/ if null; {FIGURE}"
    )
    save_npz: str | None = option("also write `mean`, `log_var`, labels to this .npz")
    figure: FigureConfig = option("the figure", default_factory=FigureConfig)

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        problems = npz_problems(self.save_npz)
        problems += output_problems(self.output, self.figure)
        if self.dims is None:
            return problems
        if len(self.dims) != 2 or self.dims[0] == self.dims[-1]:
            problems.append(f"dims={self.dims} must name two different dimensions")
        if self.method not in ("auto", "dims"):
            problems.append(f"dims= needs method=dims, got method={self.method}")
        return problems


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


@dataclass
class ReconstructConfig(ImagesConfig):
    """`vae-reconstruct`: corrupt and restore images, and compare with clean ones."""

    task: str = option(
        "restore: corrupt and restore; interpolate: a path between two images",
        choices=("restore", "interpolate"),
    )
    corruption: CorruptionConfig | None = option(
        "what is done to the images; if null what the run was trained with, and to own "
        "images nothing"
    )
    label: str | None = option(
        "run with conditioning=label: decode as this class, whatever the image is"
    )
    posterior_samples: int = option(
        "missing pixels: posterior samples per image, averaged by importance",
        at_least=1,
        at_most=100_000,
    )
    gibbs_steps: int = option(
        "missing pixels: steps of pseudo-Gibbs sampling; the later half is averaged",
        at_least=2,
        at_most=100_000,
    )
    classifier: bool = option(
        "labelled data: train a small classifier and report its accuracy on restored "
        "images"
    )
    pair: list[int] = option(
        "task=interpolate: which two images, by number", at_least=0
    )
    columns: int = option("images in the figure, or steps of the path", at_least=2)
    seed: int = option("posterior noise", at_least=0, at_most=MAX_SEED)
    batch_size: int = option(
        "images at a time; does not change results", at_least=1, at_most=MAX_BATCH_SIZE
    )
    output: str | None = option(
        "file of the figure, for task=restore with a .json of the errors beside it; "
        f"in the run's reconstructions/ if null; {FIGURE}"
    )
    save_npz: str | None = option(
        "also write the images, clean to restored, to this .npz"
    )
    figure: GridFigureConfig = option("the figure", default_factory=GridFigureConfig)

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        problems = npz_problems(self.save_npz)
        problems += output_problems(self.output, self.figure)
        if len(self.pair) != 2:
            problems.append(
                f"pair={self.pair} must name two images, such as 'pair=[0,1]'"
            )
        if self.save_npz is not None and self.save_npz == self.images:
            problems.append(
                f"save_npz={self.save_npz} would overwrite images={self.images}"
            )
        if self.classifier and self.task == "interpolate":
            problems.append(
                "classifier=true looks at restored images; use task=restore"
            )
        return problems


@dataclass
class AnomalyConfig(ImagesConfig):
    """`vae-anomaly`: anomaly scores of images."""

    run: str = option(
        "run folder, a sweep's folder, several separated by commas, or latest"
    )
    normal: list[str] | None = option(
        "classes that are normal, by name or number; those that the run was trained on "
        "if null"
    )
    label: str | None = option(OWN_LABEL)
    score: str = option(
        "score used for the threshold and for sorting; all six are always computed. "
        "by_validation_auroc: the score with the highest AUROC on validation images, "
        "which needs labelled anomalies",
        choices=(*SCORES, BY_VALIDATION_AUROC),
    )
    posterior_samples: int = option(
        "posterior samples per image", at_least=1, at_most=100_000
    )
    quantile: float = option(
        "fraction of normal validation images below the threshold", above=0, below=1
    )
    columns: int = option("images in the figure", at_least=1)
    seed: int = option("posterior noise", at_least=0, at_most=MAX_SEED)
    batch_size: int = option(
        "images at a time; does not change results", at_least=1, at_most=MAX_BATCH_SIZE
    )
    output: str | None = option(
        "one run: folder of the files; the run's anomaly/ if null"
    )
    figure: FigureConfig = option("the figures", default_factory=FigureConfig)


COMMANDS: dict[str, type] = {
    "train": TrainConfig,
    "inspect": InspectConfig,
    "generate": GenerateConfig,
    "plot_latent": PlotLatentConfig,
    "evaluate": EvaluateConfig,
    "reconstruct": ReconstructConfig,
    "anomaly": AnomalyConfig,
    "encode": EncodeConfig,
    "explore": ExploreConfig,
    "export": ExportConfig,
    "report": ReportConfig,
    "track": TrackConfig,
}
"""Primary config file -> dataclass."""

TRAINING = ("train", "inspect")
"""Commands that take all of a training's config, presets included."""

PRESETS = ("experiment", "debug")
"""Groups whose files override others and have no dataclass of their own."""
