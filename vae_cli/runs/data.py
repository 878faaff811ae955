"""The images that a run was trained on, loaded again."""

from dataclasses import replace
from typing import Any

from vae_cli.config.schema import TrainConfig
from vae_cli.data.prepare import fixed_split, load_data
from vae_cli.data.splits import ImageData, Split
from vae_cli.errors import DataError, RunError
from vae_cli.runs.folder import RunFolder


def load_run_data(folder: RunFolder, config: TrainConfig) -> ImageData:
    """Load a run's data set and make sure that it is still the same.

    Args:
        folder: the run; without a `data.json` yet there is nothing to compare.
        config: its config.

    Raises:
        DataError: the data can't be loaded.
        RunError: sizes or digests differ from those the run began with.
    """
    try:
        data = load_data(config.dataset)
    except DataError as error:
        raise RunError(
            f"{folder}: the images it was trained on can't be loaded.",
            *error.args[:1],
            "put them back where the run's config.yaml says they are",
        ) from error
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


def unfiltered(data: ImageData, config: TrainConfig) -> ImageData:
    """Return a run's data set with the classes that it wasn't trained on."""
    if config.dataset.classes is None:
        return data
    return load_data(replace(config.dataset, classes=None))


def scored_split(data: ImageData, config: TrainConfig, name: str) -> Split:
    """Return a split as it is scored: what training draws anew is drawn once.

    Starts TensorFlow where images are corrupted.

    Raises:
        DataError: this set has no such split.
    """
    split = fixed_split(data, config.dataset, name)
    if config.corruption.name == "none":
        return split
    from vae_cli.data.corruption import corrupted

    return corrupted(split, config.corruption, config.dataset.seed)


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
            "put the first ones back, or train a new run on these",
        )
