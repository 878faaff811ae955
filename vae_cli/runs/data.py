"""The images that a run was trained on, loaded again."""

import logging
from pathlib import Path
from typing import Any

from vae_cli.config.dataset_files import FileConfig
from vae_cli.config.run import SPLITS
from vae_cli.config.train import TrainConfig
from vae_cli.data.prepare import split_source
from vae_cli.data.source import Source, load_source
from vae_cli.data.splits import ImageData
from vae_cli.errors import ConfigError, DataError, RunError
from vae_cli.paths import is_there
from vae_cli.runs.folder import RunFolder

OWN = (
    "config.yaml", "environment.json", "data.json", "status.json", "metrics.csv",
    "metrics.json", "train.log", ".lock", "checkpoints", "model", "tensorboard",
    "tracker.json",
)  # fmt: skip
"""Files and folders of a run that training alone writes."""
MAX_PATH = 4096
"""Characters of a path that can exist."""

log = logging.getLogger(__name__)


def load_run_data(
    folder: RunFolder, config: TrainConfig, path: str | None = None
) -> ImageData:
    """Load a run's data set and make sure that it is still the same.

    Arguments and errors are those of `load_run_source` and `run_data`.
    """
    return run_data(folder, config, load_run_source(folder, config, path))


def load_run_source(
    folder: RunFolder, config: TrainConfig, path: str | None = None
) -> Source:
    """Load what a run's data set is taken from.

    Args:
        folder: the run.
        config: its config; its `dataset.path` becomes the file that was found.
        path: where the data file is now; None looks for it.

    Raises:
        ConfigError: `path` is given for a set that isn't a file.
        RunError: the data can't be loaded.
    """
    if isinstance(config.dataset, FileConfig):
        own = Path(config.dataset.path)
        is_name = config.dataset.may_be_name and not own.is_absolute()
        if path is not None:
            config.dataset.path = path
        elif not is_name:
            config.dataset.path = _found_again(own, folder)
    elif path is not None:
        raise ConfigError(
            f"dataset.path={path}: {folder} was trained on dataset="
            f"{config.dataset.name}, which is no file of one's own.",
            "leave dataset.path out",
        )
    try:
        return load_source(config.dataset)
    except DataError as error:
        raise _unloadable(folder, config, error) from error


def run_data(folder: RunFolder, config: TrainConfig, source: Source) -> ImageData:
    """Split a run's data set, and make sure that it is the one it began with.

    Args:
        folder: the run; without a `data.json` yet there is nothing to compare.
        config: its config.
        source: of its images.

    Raises:
        RunError: they can't be split, or sizes or digests have changed.
    """
    try:
        data = split_source(source, config.dataset)
    except DataError as error:
        raise _unloadable(folder, config, error) from error
    if folder.data_file.exists():
        check_same_data(folder, data.fingerprint)
        spec = folder.load_spec()
        for name in ("image_shape", "num_classes", "binary"):
            own, now = getattr(spec, name), getattr(data.spec, name)
            if own != now:
                raise RunError(
                    f"{folder.data_file} doesn't fit the run's images: {name} is "
                    f"{own}, theirs is {now}.",
                    "was the file edited? put it back as it was",
                )
    return data


def _unloadable(folder: RunFolder, config: TrainConfig, error: DataError) -> RunError:
    advice = "put them back where the run's config.yaml says they are"
    if isinstance(config.dataset, FileConfig):
        advice = "say where they are now: dataset.path=<file>"
        if config.dataset.may_be_name and not Path(config.dataset.path).is_absolute():
            advice = "make them available under this name again"
    return RunError(
        f"{folder}: the images it was trained on can't be loaded.",
        *error.args[:1],
        advice,
    )


def _found_again(path: Path, folder: RunFolder) -> str:
    """Return a run's data file: at its place, or below a folder that moved with it.

    A path that was typed relative to a project's folder, or the file's name alone, is
    looked for from the current folder and from those above the run.
    """
    if is_there(path) or len(str(path)) > MAX_PATH:
        return str(path)
    parts = path.parts[1:] if path.is_absolute() else path.parts
    for start in range(len(parts)):
        for base in (Path.cwd(), *folder.path.absolute().parents):
            moved = base.joinpath(*parts[start:])
            if is_there(moved):
                log.warning("%s is gone; the images are read from %s", path, moved)
                return str(moved)
    return str(path)


def split_name(data: ImageData, name: str | None) -> str:
    """Return the split that a command means: `name`, or what there is to score.

    Args:
        data: the run's images.
        name: of a split; None is test, or validation in a set without test images.

    Raises:
        DataError: this set has no such split.
    """
    if name is not None and name not in SPLITS:
        raise DataError(f"split={name} is not available; choose {', '.join(SPLITS)}")
    chosen = name or ("test" if data.test or not data.validation else "validation")
    data.split(chosen)
    if name is None and chosen != "test":
        log.warning("this data set has no test images: its %s images are used", chosen)
    return chosen


def check_outputs(
    folder: RunFolder, config: TrainConfig, **files: str | Path | None
) -> None:
    """Refuse to write over a run's images or its own files; name what is replaced.

    Args:
        folder: the run.
        config: its config.
        files: key -> the file that it names.

    Raises:
        ConfigError: one of them is such a file.
    """
    for key, file in files.items():
        if file is None:
            continue
        path = Path(file).resolve()
        own = folder.path.resolve()
        dataset = config.dataset
        if isinstance(dataset, FileConfig) and path == Path(dataset.path).resolve():
            raise ConfigError(
                f"{key}={file} is the file of the run's images, and would replace it.",
                f"choose another, such as {key}=found.npz",
            )
        if any(own / name in (path, *path.parents) for name in OWN):
            raise ConfigError(
                f"{key}={file} lies among the run's own files.",
                f"choose another place, such as {key}={folder.samples / path.name}",
            )
        if is_there(path):
            log.warning("%s exists and is replaced", file)


def has_test(folder: RunFolder) -> bool:
    """Return whether a run's data set has test images, without loading it."""
    saved = folder.read_json(folder.data_file).get("fingerprint")
    sizes = saved.get("sizes") if isinstance(saved, dict) else None
    return isinstance(sizes, dict) and "test" in sizes


def check_same_data(folder: RunFolder, fingerprint: dict[str, Any]) -> None:
    """Refuse other images than the run began with.

    Raises:
        RunError: sizes or digests differ.
    """
    saved = folder.read_json(folder.data_file).get("fingerprint")
    saved = saved if isinstance(saved, dict) else {}
    # a later version may record more: compare what this run has recorded
    changed = {k: v for k, v in saved.items() if fingerprint.get(k) != v}
    if changed:
        raise RunError(
            f"{folder} doesn't fit its data, which have changed since it started.",
            f"then: {changed}",
            f"now:  { {k: fingerprint.get(k) for k in changed} }",
            "put the first ones back, say where they are (dataset.path=<file>), or "
            "train a new run on these",
        )
