"""Size, channels and type that pictures are converted to; unreadable pictures."""

from collections import Counter

from PIL import ImageColor

from vae_cli.config.dataset_files import PicturesConfig
from vae_cli.data.decode import KEEP, Header, Preparation, formats
from vae_cli.data.listing import SHOWN
from vae_cli.errors import ConfigError, DataError
from vae_cli.text import printable, shortened

MOST_BAD = 50
"""Unreadable files that a message names."""
SUGGESTED = 64
"""Side that is suggested for pictures of several sizes."""


def check_background(config: PicturesConfig) -> None:
    """Refuse a background that is no colour.

    Raises:
        ConfigError: it is none.
    """
    if config.background == KEEP:
        return
    try:
        ImageColor.getrgb(config.background)
    except ValueError:
        raise ConfigError(
            f"dataset.background={config.background} is no colour.",
            "choose keep, or a colour such as white, black or #204060",
        ) from None


def check_some(bad: dict[str, str], count: int, config: PicturesConfig) -> None:
    """Refuse a data set of which no picture can be read.

    Raises:
        DataError: naming the first, with the reasons.
    """
    if len(bad) == count:
        raise DataError(
            f"dataset.path={config.path}: none of {count} pictures can be read: "
            f"{reasons(bad)}.",
            f"what is read: {formats()}",
        )


def check_bad(bad: dict[str, str], count: int, config: PicturesConfig) -> None:
    """Refuse pictures that can't be read, unless they are to be left out.

    Raises:
        DataError: naming them, with the reasons.
    """
    check_some(bad, count, config)
    if bad and config.on_bad_file == "error":
        named = [f"{printable(name)}: {why}" for name, why in sorted(bad.items())]
        raise DataError(
            f"dataset.path={config.path}: {len(bad)} of {count} pictures can't be "
            "read.",
            *shortened(named, MOST_BAD),
            "repair or remove them, or leave them out: dataset.on_bad_file=skip",
        )


def reasons(bad: dict[str, str]) -> str:
    """Return the first of several names, each with its reason."""
    named = [f"{printable(name)} ({why})" for name, why in sorted(bad.items())]
    return ", ".join(shortened(named, SHOWN))


def preparation_of(
    headers: list[tuple[str, Header]], config: PicturesConfig
) -> Preparation:
    """Return what the pictures are brought to.

    Raises:
        DataError: they have several sizes and no `image_size`, several types, or
            channels that have nothing in common.
    """
    sizes = Counter(header.size for _, header in headers)
    if config.size is None and len(sizes) > 1:
        shown = [f"{w} x {h} ({n})" for (h, w), n in sizes.most_common()]
        least = min(min(size) for size in sizes)
        raise DataError(
            f"dataset.path={config.path}: the pictures have {len(sizes)} sizes, width "
            f"x height: {', '.join(shortened(shown, SHOWN))}.",
            "choose a size that they are resized to, such as dataset.image_size="
            f"{SUGGESTED if least >= SUGGESTED // 2 else least}",
            "dataset.resize=crop takes the middle, pad keeps all, stretch distorts",
        )
    types = Counter(header.dtype for _, header in headers)
    if len(types) > 1:
        shown = [
            f"{n} of {dtype}, such as "
            + printable(next(name for name, header in headers if header.dtype == dtype))
            for dtype, n in types.most_common()
        ]
        raise DataError(
            f"dataset.path={config.path}: the pixels are of several types: "
            f"{'; '.join(shown)}.",
            "convert them to one type, or put those of one type into their own folder",
        )
    return Preparation(
        config.size or next(iter(sizes)),
        _channels([header for _, header in headers], config),
        next(iter(types)),
        config.resize,
        config.background,
    )


def _channels(headers: list[Header], config: PicturesConfig) -> int:
    if config.channels != "auto":
        return int(config.channels)
    if config.background == KEEP and any(header.alpha for header in headers):
        return 4
    having = {header.channels for header in headers}
    if having <= {1, 3}:
        return max(having)
    if len(having) > 1:
        raise DataError(
            f"dataset.path={config.path}: pictures have "
            f"{' or '.join(map(str, sorted(having)))} channels.",
            "put pictures with as many channels into a folder of their own",
        )
    return having.pop()
