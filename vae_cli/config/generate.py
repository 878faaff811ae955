"""Options of `vae-generate`."""

from dataclasses import dataclass

from vae_cli.config.dataset import MAX_SEED
from vae_cli.config.figure import GridFigureConfig, output_problems
from vae_cli.config.option import option
from vae_cli.config.run import FIGURE, MAX_BATCH_SIZE, RunConfig, npz_problems

MAX_SCALE = 1e6
"""Of codes: further out, networks give nothing finite."""
IMAGES_FORMATS = ("png", "tiff")


@dataclass
class CodesConfig:
    """Where the codes of samples are drawn from."""

    name: str = option(
        "prior=model: the model's own prior; prior=fitted: a mixture of Gaussians "
        "fitted to the codes of training images",
        choices=("model", "fitted"),
        default="model",
    )
    components: int = option(
        "prior=fitted: Gaussians of the mixture; with labels, of each class's",
        at_least=1,
        at_most=1000,
        default=10,
    )

    @property
    def is_fitted(self) -> bool:
        """Whether codes come from a density that is fitted to them."""
        return self.name == "fitted"


@dataclass
class GenerateConfig(RunConfig):
    """`vae-generate`: images from a trained run."""

    mode: str = option(
        "what to draw; levels: a row shares its top levels, those below are drawn anew",
        choices=("prior", "manifold", "traversal", "levels", "interpolation"),
    )
    num_images: int | None = option(
        "images in prior mode; rows x columns if null", at_least=1
    )
    rows: int | None = option(
        "rows of the grid; chosen by mode if null (traversal: latent dimensions, "
        "interpolation: image pairs)",
        at_least=1,
    )
    columns: int | None = option("columns of the grid; by mode if null", at_least=1)
    prior: CodesConfig = option(
        "where codes are drawn from", default_factory=CodesConfig
    )
    temperature: float | list[float] = option(
        "prior, levels: scales the noise; one, or one for each level, top first",
        at_least=0,
        at_most=MAX_SCALE,
    )
    seed: int = option(
        "prior mode: noise; interpolation: which images",
        at_least=0,
        at_most=MAX_SEED,
    )
    batch_size: int = option(
        "images decoded at a time; does not change images",
        at_least=1,
        at_most=MAX_BATCH_SIZE,
    )
    output: str | None = option(
        f"file of the grid, in the run's samples/ if null; {FIGURE}"
    )
    save_npz: str | None = option("also write `images` and codes `z` to this .npz")
    images_dir: str | None = option("also write every image to this folder")
    images_format: str = option(
        "images_dir: png (8 bits, for viewing; 16-bit grey data keep their values) or "
        "tiff (the data's own type and values)",
        choices=IMAGES_FORMATS,
    )
    gif: str | None = option("interpolation: also write an animated GIF")
    spacing: str = option(
        "manifold: grid at quantiles of N(0, 1), or evenly spaced over [-span, span]",
        choices=("quantiles", "linspace"),
    )
    span: float = option(
        "manifold with linspace, traversal: how far from 0",
        above=0,
        at_most=MAX_SCALE,
    )
    dims: list[int] | None = option(
        "manifold: the two latent dimensions; those of largest KL if null", at_least=0
    )
    level: int | None = option(
        "traversal: whose dimensions, all if null; levels: the lowest that a row "
        "shares, 0 if null; 0 is the top",
        at_least=0,
    )
    label: str | None = option(
        "run with conditioning=label: which class, by name or number; prior mode: one "
        "per row if null"
    )
    interpolation: str = option("path between codes", choices=("linear", "spherical"))
    figure: GridFigureConfig = option("the grid", default_factory=GridFigureConfig)

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        problems = npz_problems(self.save_npz)
        problems += output_problems(self.output, self.figure)
        if self.dims is not None and (
            len(self.dims) != 2 or self.dims[0] == self.dims[-1]
        ):
            problems.append(f"dims={self.dims} must name two different dimensions")
        if self.images_format != IMAGES_FORMATS[0] and not self.images_dir:
            problems.append(
                f"images_format={self.images_format} needs images_dir=<folder>"
            )
        if self.prior.is_fitted and self.mode != "prior":
            problems.append(f"prior=fitted needs mode=prior, got mode={self.mode}")
        if self.level is not None and self.mode not in ("traversal", "levels"):
            problems.append(
                f"level= needs mode=traversal or mode=levels, got mode={self.mode}"
            )
        if self.temperature == []:
            problems.append("temperature=[] needs a value, or one for each level")
        if self.gif and self.mode != "interpolation":
            problems.append(f"gif= needs mode=interpolation, got mode={self.mode}")
        if self.num_images and self.mode != "prior":
            problems.append(
                f"num_images= needs mode=prior, got mode={self.mode}; use rows= and "
                "columns="
            )
        return problems
