"""Options of `vae-encode`."""

from dataclasses import dataclass
from pathlib import PurePath

from vae_cli.config.dataset import MAX_SEED
from vae_cli.config.option import option
from vae_cli.config.run import MAX_BATCH_SIZE, OWN_LABEL, SPLIT, SPLITS, ImagesConfig

ENCODE = (
    "split", "images", "num_images", "label", "scores", "posterior_samples", "seed",
    "batch_size",
)  # fmt: skip
"""Keys that `Run.codes` takes."""
ALL = "all"
"""In place of a split: every one that there is."""
FORMATS = (".csv", ".parquet", ".npz")


@dataclass
class EncodeConfig(ImagesConfig):
    """`vae-encode`: codes of images, in a file with their names."""

    split: str | None = option(
        f"{SPLIT}; all: every split, named in a column `split`",
        choices=(*SPLITS, ALL),
    )
    num_images: int | None = option(
        "at most this many images of a split, drawn by `dataset.seed`, or the first of "
        "own ones; all if null",
        at_least=1,
    )
    label: str | None = option(OWN_LABEL)
    scores: bool = option(
        "also neg_elbo, nll, reconstruction, kl and unexplained_variance of each "
        "image, as vae-anomaly computes them"
    )
    posterior_samples: int = option(
        "scores: posterior samples per image", at_least=1, at_most=100_000
    )
    seed: int = option("scores: posterior noise", at_least=0, at_most=MAX_SEED)
    batch_size: int = option(
        "images at a time; does not change results", at_least=1, at_most=MAX_BATCH_SIZE
    )
    output: str | None = option(
        "file of the codes: .csv, .parquet or .npz; a .csv in the run's codes/ if null"
    )

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        problems = []
        output = PurePath(self.output or "codes.csv")
        if output.suffix.lower() not in FORMATS:
            problems.append(
                f"output={output} must end in one of {', '.join(FORMATS)}, which "
                "is the format that is written"
            )
        given = [self.images] if isinstance(self.images, str) else self.images or []
        if self.output in given:
            problems.append(f"output={output} would overwrite images={output}")
        if self.split and self.images:
            problems.append(
                f"split={self.split} and images={self.images}: choose one of them"
            )
        if self.label is not None and not self.images:
            problems.append(
                f"label={self.label} needs images=; those of a split have labels"
            )
        return problems
