"""Images to restore: of a split or of the user, corrupted as configured."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from vae_cli.config.corruption import CorruptionConfig, MaskConfig, NoCorruptionConfig
from vae_cli.data.corruption import corrupt_split, with_missing
from vae_cli.data.given_files import source_name
from vae_cli.data.splits import Split
from vae_cli.errors import ConfigError
from vae_cli.runs.opened import ImagesLike, OpenRun

TRANSPARENT = {"name": "transparent"}
"""How own images are corrupted that come with transparent pixels."""


@dataclass(frozen=True)
class CorruptedImages:
    """Images to restore.

    Attributes:
        split: the images, clean and corrupted.
        source: the split's name, or the path of own images.
        how: options of the corruption, its name among them.
        own: whether they are the user's own.
    """

    split: Split
    source: str
    how: dict[str, Any]
    own: bool


def corrupt_images(
    run: OpenRun,
    images: ImagesLike | None = None,
    split: str | None = None,
    corruption: CorruptionConfig | None = None,
    num_images: int | None = None,
    label: int | str | None = None,
) -> CorruptedImages:
    """Return images as the encoder gets them, and the clean ones.

    Args:
        run: the run.
        images: own images, in place of a split.
        split: None: test, or else validation.
        corruption: None: what the run was trained with; for own images none.
        num_images: at most this many.
        label: class to decode as.

    Raises:
        ConfigError: an unknown label, or one is needed.
        DataError: images that can't be read, or don't fit.
    """
    run.labels.check(label)  # a wrong one is reported before images are read
    chosen_by_user = corruption is not None
    if corruption is None:
        corruption = (
            NoCorruptionConfig() if images is not None else run.config.corruption
        )
    if isinstance(corruption, MaskConfig):
        # the mask then says which pixels are missing
        corruption = replace(corruption, loss_on="observed")
    if images is None:
        _check_masked(run, corruption)
        name = run.split_name(split)
        images_of_split = run.split(name, corruption=corruption, num_images=num_images)
        return CorruptedImages(images_of_split, name, asdict(corruption), own=False)
    own, _ = run.images(images, label)
    own = own.take(slice(num_images))
    if own.mask is not None:
        if chosen_by_user:
            raise ConfigError(
                f"corruption={corruption.name} with "
                f"images={source_name(images)}: these have transparent (missing) "
                "pixels already.",
                "leave corruption= out",
            )
        return CorruptedImages(
            with_missing(own), source_name(images), TRANSPARENT, own=True
        )
    _check_masked(run, corruption)
    own = corrupt_split(own, corruption, run.config.dataset.seed)
    return CorruptedImages(own, source_name(images), asdict(corruption), own=True)


def _check_masked(run: OpenRun, corruption: CorruptionConfig) -> None:
    """Refuse a corruption without a mask, which an inpainting model needs."""
    if run.config.conditioning.on_observed and not corruption.masks:
        raise ConfigError(
            f"{run.folder} inpaints: it needs a mask of missing pixels, which "
            f"corruption={corruption.name} doesn't give.",
            "use one that does, such as corruption=half",
        )
