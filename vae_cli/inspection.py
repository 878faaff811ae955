"""`inspect`: what a training would do, before it does it."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from vae_cli.config.by_size import resolved
from vae_cli.config.compose import FROM_FILE, as_overrides, composed
from vae_cli.config.dataset import DatasetConfig
from vae_cli.config.dataset_files import FileConfig, PicturesConfig
from vae_cli.config.init_from import InitFromConfig
from vae_cli.config.inspect import InspectConfig
from vae_cli.config.train import TrainConfig
from vae_cli.data.inspection import DataReport, inspect_data
from vae_cli.data.prepare import load_data
from vae_cli.data.splits import ImageData
from vae_cli.errors import ConfigError, DataError, UsageError, VaeCliError
from vae_cli.plugins import load_plugins
from vae_cli.progress import fraction_bar
from vae_cli.runs.find import has_config, open_run
from vae_cli.runs.opened import OpenRun
from vae_cli.runs.source_of_weights import find_source_of_weights
from vae_cli.runtime import start_tensorflow
from vae_cli.training.checks import check_images

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vae_cli.training.inspection import ModelReport

BESIDE_RUN = ("run", "output_root", "dataset.path", "num_images", "measure", "output")
"""Keys that can be combined with `run=`; a run has its own config."""


@dataclass(frozen=True)
class Inspection:
    """What a training would do.

    Attributes:
        data: facts about the images.
        model: facts about the model; None where training would be refused.
        refused: the error that training would end with, then advice; else empty.
        run: folder of the run that was inspected, or None.
        images: the data set itself.
    """

    data: DataReport
    model: "ModelReport | None"
    refused: list[str]
    run: str | None
    images: ImageData = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return everything but the images."""
        return {
            "run": self.run,
            "refused": self.refused,
            "data": self.data.to_json(),
            "model": None if self.model is None else self.model.to_json(),
        }

    def contact_sheet(self, num_images: int = 64, seed: int = 0) -> "Figure":
        """Draw training images, class by class, with the histogram of their values.

        Args:
            num_images: at most this many, and at least one of each class shown.
            seed: which ones.
        """
        from vae_cli.visualize.contact_sheet import contact_sheet

        return contact_sheet(self.images.train, self.data, num_images, seed)

    def duplicate_sheet(self) -> "Figure | None":
        """Draw pairs that look alike, the most alike first; None without any."""
        from vae_cli.visualize.contact_sheet import duplicate_sheet

        return duplicate_sheet(self.images, self.data.duplicates)


def inspect(*overrides: str, **settings: Any) -> Inspection:
    """Find out what a training would do: images, model, memory, seconds an epoch.

        report = inspect("dataset=folder", "dataset.path=photos", measure=False)
        report.data.duplicates.leaked, report.model.total_parameters
        report = inspect(run="latest")

    No file is written, except that pictures of a folder are decoded into the cache.

    Args:
        *overrides: as on the command line of `vae-inspect` or `vae-train`.
        **settings: keys and their values, as `compose` takes them.

    Raises:
        ConfigError: listing every unknown key, wrong type and value out of range.
        DataError: the images can't be loaded.
        RunError: there is no such run, or its images have changed.
    """
    load_plugins()
    words = as_overrides(overrides, settings)
    return inspect_config(composed("inspect", words), words)


def inspect_config(
    config: InspectConfig,
    overrides: list[str],
    own_process: bool = False,
    progress: bool = False,
) -> Inspection:
    """Inspect what a config of `vae-inspect` names; see `inspect`.

    Args:
        config: as composed.
        overrides: as typed; with `run=` only those of `BESIDE_RUN`.
        own_process: whether this process does nothing else, as of `train`.
        progress: whether to show how much is done.

    Raises:
        UsageError: an override that can't be combined with `run=`.
    """
    if config.run is None:
        find_source_of_weights(config)
        data, problem = _loaded(config.dataset)
        return inspected(
            config, data, config.measure, None, problem, own_process, progress
        )
    typed = [word for word in overrides if word != FROM_FILE]
    refused = [word for word in typed if word.split("=")[0] not in BESIDE_RUN]
    if refused:
        raise UsageError(
            f"run= can't be combined with {' '.join(refused)}",
            "a run has its own config; only these go with it: "
            f"{', '.join(BESIDE_RUN[1:])}",
        )
    moved = any(word.startswith("dataset.path=") for word in typed)
    path = config.dataset.path if isinstance(config.dataset, FileConfig) else None
    folder = open_run(config.run, config.output_root, has_config)
    run = OpenRun(folder, data_path=path if moved else None)
    return inspected(
        run.config, run.data, config.measure, str(folder), None, own_process, progress
    )


def inspected(
    config: TrainConfig,
    data: ImageData,
    measure: bool = True,
    run: str | None = None,
    problem: VaeCliError | None = None,
    own_process: bool = False,
    progress: bool = False,
) -> Inspection:
    """Return what training on images would do.

    Args:
        config: of the training.
        data: the images.
        measure: whether to take a few training steps and time them.
        run: folder of the run that is inspected.
        problem: why training would be refused already.
        own_process: whether this process does nothing else, as of `train`.
        progress: whether to show how much is done.
    """
    if run is not None:  # the source run of init_from may be deleted by now
        config = replace(config, init_from=InitFromConfig())
    original, drawn = data, (config.dataset.binarize, config.dataset.dequantize)
    if drawn != ("none", "none"):  # which would make copies differ
        stored = replace(config.dataset, binarize="none", dequantize="none")
        original = load_data(stored)
    with fraction_bar("inspecting the images") if progress else _hidden() as done:
        report = inspect_data(data, config.dataset, config.likelihood, original, done)
    model = None
    try:
        config, chosen = resolved(config, data.spec.image_shape, len(data.train))
        check_images(config, data)
        start_tensorflow(config, own_process)
        from vae_cli.training.inspection import inspect_model

        model = inspect_model(config, data, measure, chosen)
    except (ConfigError, DataError) as error:
        problem = problem or error
    refused = [] if problem is None else [str(part) for part in problem.args]
    return Inspection(report, model, refused, run, data)


@contextlib.contextmanager
def _hidden() -> Iterator[Callable[[float], None]]:
    yield lambda fraction: None


def _loaded(config: DatasetConfig) -> tuple[ImageData, VaeCliError | None]:
    """Load a data set as training would; where bad files stop it, without them.

    Returns:
        the images, and the error that training would end with.
    """
    try:
        return load_data(config), None
    except DataError as error:
        if not isinstance(config, PicturesConfig) or config.on_bad_file == "skip":
            raise
        try:
            data = load_data(replace(config, on_bad_file="skip"))
        except DataError:
            raise error from None
        return data, error
