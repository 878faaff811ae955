"""Options of the commands that use a run folder, and the table of all commands."""

from dataclasses import dataclass

from vae_cli.config.corruption import CorruptionConfig
from vae_cli.config.dataset import MAX_SEED
from vae_cli.config.encode import EncodeConfig
from vae_cli.config.evaluate import EvaluateConfig
from vae_cli.config.explore import ExploreConfig
from vae_cli.config.export import ExportConfig
from vae_cli.config.figure import FigureConfig, GridFigureConfig, output_problems
from vae_cli.config.generate import GenerateConfig
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
