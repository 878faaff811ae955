"""Options that all commands share which use a run folder."""

from dataclasses import dataclass

from vae_cli.config.option import option

CORRUPT = ("split", "corruption", "num_images", "label")
RESTORE = (
    "label", "posterior_samples", "gibbs_steps", "classifier", "seed", "batch_size",
    "corruption",
)  # fmt: skip
SCORE = (
    "split", "num_images", "normal", "label", "score", "posterior_samples", "quantile",
    "seed", "batch_size",
)  # fmt: skip
"""Keys of the commands that `corrupt`, `restore` and `anomaly_scores` take."""
MAX_BATCH_SIZE = 2**31 - 1
SPLITS = ("train", "validation", "test")
SPLIT = "which images; null: test, or validation where a data set has no test images"
OWN_LABEL = (
    "own images, run with conditioning=label: their class, by name or number; if null, "
    "the class whose folder each lies in"
)
FIGURE = "its suffix says what is written: .png, .jpg, .webp, .pdf, .svg"


def npz_problems(npz: str | None) -> list[str]:
    """Return what is wrong with the name of an array file to write."""
    if npz is None or npz.endswith(".npz"):
        return []
    return [f"save_npz={npz} must end in .npz"]


@dataclass
class RunDataConfig:
    """Where the images of a run are now."""

    path: str | None = option(
        "file or folder of the run's images, if they are no longer where they were"
    )


def _run_data() -> RunDataConfig:
    return RunDataConfig(path=None)


@dataclass
class RunConfig:
    """What every command takes that uses a run folder."""

    run: str = option("run folder, or latest")
    output_root: str = option("where `latest` looks")
    checkpoint: str = option("which weights", choices=("best", "last"))
    dataset: RunDataConfig = option("the run's images", default_factory=_run_data)


@dataclass
class ImagesConfig(RunConfig):
    """What commands take that use images of a split, or the user's own."""

    split: str | None = option(SPLIT, choices=SPLITS)
    images: str | list[str] | None = option(
        "own images in place of a split: pictures, folders, patterns such as "
        "'scans/*.png', an .npy or .npz array, or a list of such; brought to the "
        "model's size as its data were"
    )
    num_images: int | None = option(
        "at most this many images, drawn by `dataset.seed`, or the first of own ones; "
        "all if null",
        at_least=1,
    )
