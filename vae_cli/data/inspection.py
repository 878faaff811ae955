"""Facts about a data set as a model would get it; imports no TensorFlow."""

from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from vae_cli.config.dataset import DatasetConfig
from vae_cli.config.dataset_files import FileConfig
from vae_cli.config.likelihood import LikelihoodConfig
from vae_cli.data import concerns
from vae_cli.data.duplicates import Duplicates, find_duplicates
from vae_cli.data.file_facts import FileFacts
from vae_cli.data.pixel_counts import PixelFacts, count_pixels
from vae_cli.data.splits import ImageData, Split
from vae_cli.pixels import Pixels
from vae_cli.registry import OPTIONS


@dataclass(frozen=True)
class SplitFacts:
    """A split.

    Attributes:
        images: how many.
        classes: name -> images of it, in the order of the class numbers; None without
            labels.
        megabytes: of all its pixels, MiB.
    """

    images: int
    classes: dict[str, int] | None
    megabytes: float


@dataclass(frozen=True)
class LikelihoodFit:
    """Whether a likelihood fits the pixels of a data set.

    Attributes:
        name: the option's name.
        possible: whether it fits.
        why: what its values mean for them, or why it doesn't fit.
        chosen: whether the config has it.
    """

    name: str
    possible: bool
    why: str
    chosen: bool


@dataclass(frozen=True)
class DataReport:
    """What a data set is, as a model would get it.

    Attributes:
        dataset: the option's name.
        path: where it is; None for a set without a path.
        streamed_from: file that training images are read from; None in memory.
        splits: by name.
        image_shape: (H, W, C).
        pixels: type and range.
        binary: whether every pixel is 0 or 1 in the model.
        values: of the training images' pixels.
        files: what was found in picture files; None for arrays.
        preprocessing: what is done to the images, a sentence each.
        duplicates: images that occur more than once.
        likelihoods: which fit, and why.
        warnings: what to look at before training, a sentence each.
    """

    dataset: str
    path: str | None
    streamed_from: str | None
    splits: dict[str, SplitFacts]
    image_shape: tuple[int, int, int]
    pixels: Pixels
    binary: bool
    values: PixelFacts
    files: FileFacts | None
    preprocessing: list[str]
    duplicates: Duplicates
    likelihoods: list[LikelihoodFit]
    warnings: list[str]

    def to_json(self) -> dict[str, Any]:
        """Return them for a report."""
        return {
            "dataset": self.dataset,
            "path": self.path,
            "streamed_from": self.streamed_from,
            "splits": {name: asdict(split) for name, split in self.splits.items()},
            "image_shape": list(self.image_shape),
            "pixels": self.pixels.to_json(),
            "binary": self.binary,
            "values": self.values.to_json(),
            "files": None if self.files is None else self.files.to_json(),
            "preprocessing": self.preprocessing,
            "duplicates": self.duplicates.to_json(),
            "likelihoods": [asdict(fit) for fit in self.likelihoods],
            "warnings": self.warnings,
        }


def inspect_data(
    data: ImageData,
    config: DatasetConfig,
    likelihood: LikelihoodConfig,
    original: ImageData | None = None,
    progress: Callable[[float], None] = lambda fraction: None,
) -> DataReport:
    """Header at all images of a data set.

    Args:
        data: as training gets it.
        config: how it was loaded.
        likelihood: that the run would have.
        original: the same before it is binarized, where duplicates are looked for.
        progress: called with the fraction that is done.
    """
    splits = named_splits(data)
    pixels, binary = data.spec.pixels, data.spec.binary
    values = count_pixels(data.train.images, pixels)
    progress(0.1)
    duplicates = find_duplicates(
        named_splits(original or data),
        config.seed,
        lambda part: progress(0.1 + 0.9 * part),
    )
    facts = {name: _split_facts(split, data) for name, split in splits.items()}
    return DataReport(
        dataset=config.name,
        path=str(Path(config.path).absolute())
        if isinstance(config, FileConfig)
        else None,
        streamed_from=data.train.images.file if data.streamed else None,
        splits=facts,
        image_shape=data.spec.image_shape,
        pixels=pixels,
        binary=binary,
        values=values,
        files=data.files,
        preprocessing=_preprocessing(data, config),
        duplicates=duplicates,
        likelihoods=likelihood_fits(likelihood, pixels, binary),
        warnings=[
            *concerns.of_files(data.files),
            *concerns.of_duplicates(
                duplicates, {n: f.images for n, f in facts.items()}
            ),
            *concerns.of_classes({n: f.classes or {} for n, f in facts.items()}),
            *concerns.of_values(values, pixels, binary),
        ],
    )


def named_splits(data: ImageData) -> dict[str, Split]:
    """Return the splits that have images, by name."""
    splits = {"train": data.train, "validation": data.validation, "test": data.test}
    return {
        name: split for name, split in splits.items() if split is not None and split
    }


def likelihood_fits(
    chosen: LikelihoodConfig, pixels: Pixels, binary: bool
) -> list[LikelihoodFit]:
    """Return whether each registered likelihood fits such pixels, and why."""
    found = []
    for name, options in OPTIONS["likelihood"].items():
        own = chosen.name == name
        if not own and any(_is_required(spec) for spec in fields(options)):
            continue  # it depends on values that aren't there
        config = chosen if own else options()
        problem = config.problem_with(pixels)
        why = "; ".join(problem) if problem else config.fits(pixels, binary)
        found.append(LikelihoodFit(name, problem is None, why, own))
    return found


def _is_required(spec: Any) -> bool:
    return spec.default is MISSING and spec.default_factory is MISSING


def _split_facts(split: Split, data: ImageData) -> SplitFacts:
    classes = None
    if split.labels is not None:
        numbers, counts = np.unique(split.labels, return_counts=True)
        having = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
        every = sorted({*having, *(data.spec.labels or ())})
        classes = {data.spec.class_name(n): having.get(n, 0) for n in every}
    return SplitFacts(len(split), classes, split.images.megabytes)


def _preprocessing(data: ImageData, config: DatasetConfig) -> list[str]:
    pixels = data.spec.pixels
    steps = []
    if data.files is not None:
        steps.append(f"pictures become {data.files.preparation}")
    elif isinstance(config, FileConfig) and config.size is not None:
        height, width = config.size
        to = f"{width} x {height} by {config.resize}"
        steps.append(f"images of another size become {to}")
    if config.classes is not None:
        steps.append(f"only classes {', '.join(config.classes)}")
    if config.max_images_per_split is not None:
        steps.append(f"at most {config.max_images_per_split:,} images of each split")
    if pixels.bounded:
        steps.append(
            f"values {pixels.low:g} to {pixels.high:g} become 0 to 1 in the model"
        )
    else:
        steps.append(
            "values are standardized: mean 0, standard deviation 1 in the model"
        )
    if config.binarize != "none":
        steps.append(
            {
                "threshold": "pixels above 0.5 become 1, others 0",
                "static": "pixels become 0 or 1, drawn once",
                "dynamic": "pixels become 0 or 1, drawn anew every step",
            }[config.binarize]
        )
    if config.dequantize != "none":
        steps.append("noise as wide as a level is added, drawn anew every step")
    if config.augment:
        changes = ", ".join(config.augment)
        steps.append(f"training images are augmented every step: {changes}")
    return steps
