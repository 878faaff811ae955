"""`dataset=folder`: pictures decoded once into the cache, and read from there."""

import hashlib
import logging
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ImageColor

from vae_cli.config.dataset import FolderConfig
from vae_cli.data import cache
from vae_cli.data.cache_writer import writing
from vae_cli.data.checks import batches
from vae_cli.data.decode import KEEP, Look, Preparation
from vae_cli.data.decoding import decode_to, look_at
from vae_cli.data.listing import SHOWN, SPLIT_FOLDERS, Listed, listed
from vae_cli.data.splits import Arrays, Sources
from vae_cli.errors import ConfigError, DataError
from vae_cli.progress import fraction_bar
from vae_cli.randomness import Stream, generator
from vae_cli.registry import builds
from vae_cli.text import printable

VERSION = 1
"""Of how pictures are decoded; another finds none of the entries of this one."""
MOST_BAD = 50
"""Files that can't be read that a message names."""
SUGGESTED = 64
"""Side that is suggested for pictures that have no size in common."""

log = logging.getLogger(__name__)


@builds(FolderConfig)
def folder(config: FolderConfig) -> Sources:
    """Pictures of a folder, from the cache.

    Raises:
        ConfigError: a colour that there isn't.
        DataError: no pictures, some that can't be read, or of several sizes.
    """
    if config.background != KEEP:
        try:
            ImageColor.getrgb(config.background)
        except ValueError:
            raise ConfigError(
                f"dataset.background={config.background} is no colour.",
                "choose keep, or a colour such as white, black or #204060",
            ) from None
    files = _limited(listed(config), config)
    entry = _entry(files, config)
    bad = dict(entry.about["bad"])
    if bad and config.on_bad_file == "error":
        raise DataError(
            f"dataset.path={config.path}: {len(bad)} of {len(files)} pictures can't be "
            "read.",
            *(
                f"{printable(name)}: {why}"
                for name, why in list(bad.items())[:MOST_BAD]
            ),
            *([f"and {len(bad) - MOST_BAD} more"] if len(bad) > MOST_BAD else []),
            "mend them or take them away, or leave them out: dataset.on_bad_file=skip",
        )
    if bad:
        log.warning("left out %d pictures: %s", len(bad), _reasons(bad))
    kept = [file for file in files if file.name not in bad]
    pixels, begin = entry.pixels(), 0
    splits: dict[str, Arrays] = {}
    for split in SPLIT_FOLDERS:  # in the order of the rows
        own = [file for file in kept if file.split == split]
        end = begin + len(own)
        if own:
            labels = [file.label for file in own]
            splits[split] = Arrays(
                pixels[begin:end],
                None if labels[0] is None else np.array(labels),
                names=np.array([file.name for file in own]),
                sha256=entry.about["sha256"][split],
            )
        begin = end
    if "train" not in splits:
        raise DataError(f"dataset.path={config.path}: no training picture is left.")
    classes = sorted({file.label for file in files if file.label is not None})
    return Sources(
        splits["train"],
        splits.get("test"),
        splits.get("validation"),
        tuple(classes) or None,
    )


def _limited(files: list[Listed], config: FolderConfig) -> list[Listed]:
    """Return at most so many files of each split as the config says."""
    if config.limit is None:
        return files
    kept: list[Listed] = []
    for split in SPLIT_FOLDERS:
        own = [file for file in files if file.split == split]
        rng = generator(config.seed, Stream.CHOICE)
        chosen = np.sort(rng.permutation(len(own))[: config.limit])
        kept += [own[i] for i in chosen]
    return kept


def _entry(files: list[Listed], config: FolderConfig) -> cache.Entry:
    """Return the cache's entry of pictures, which are decoded if need be."""
    settings = [
        VERSION, config.image_size, config.resize, config.channels, config.background,
    ]  # fmt: skip
    listing = cache.key_of(
        settings, [[f.name, f.size, f.modified_ns, f.split] for f in files]
    )
    entry = cache.found_by(listing)
    if entry is not None:
        return entry
    root = Path(config.path)
    paths = [root / file.name for file in files]
    with fraction_bar(f"reading {len(files):,} pictures") as progress:
        looks = look_at(paths, progress)
    content = cache.key_of(
        settings,
        [
            [f.name, f.split, look.sha256 if isinstance(look, Look) else look]
            for f, look in zip(files, looks, strict=True)
        ],
    )
    if cache.find(content) is None:
        _decode(content, files, paths, looks, config)
    cache.name(listing, content)
    entry = cache.find(content)
    if entry is None:
        raise DataError(f"{cache.cache_folder() / content} is gone, or was changed.")
    return entry


def _decode(
    key: str,
    files: list[Listed],
    paths: list[Path],
    looks: list[Look | str],
    config: FolderConfig,
) -> None:
    """Write the cache's entry of pictures.

    Raises:
        DataError: some can't be read, or they have several sizes or types.
    """
    bad = {
        file.name: look
        for file, look in zip(files, looks, strict=True)
        if isinstance(look, str)
    }
    _check_some(bad, files, config)
    preparation = _preparation(
        [
            (file.name, look)
            for file, look in zip(files, looks, strict=True)
            if isinstance(look, Look)
        ],
        config,
    )
    cut = sum(isinstance(look, Look) and look.cut for look in looks)
    if cut:
        log.warning(
            "%d PNG files of 16 bits a colour are read with 8, all that Pillow gives; "
            "TIFF files keep 16",
            cut,
        )
    good = [row for row, file in enumerate(files) if file.name not in bad]
    shape = (len(good), *preparation.size, preparation.channels)
    about: dict[str, Any] = {
        "source": str(Path(config.path).absolute()),
        "preparation": asdict(preparation),
    }
    with writing(key, shape, preparation.dtype, about) as writer:
        with fraction_bar(f"decoding {len(good):,} pictures") as progress:
            errors = decode_to(
                writer.file, shape, [paths[row] for row in good], preparation, progress
            )
        bad |= {
            files[row].name: error
            for row, error in zip(good, errors, strict=True)
            if error is not None
        }
        _check_some(bad, files, config)
        pixels = writer.pixels()
        kept = [row for row, error in enumerate(errors) if error is None]
        for to, row in enumerate(kept):  # close the gaps
            if to < row:
                pixels[to] = pixels[row]
        writer.about["bad"] = sorted(bad.items())
        own = Counter(files[good[row]].split for row in kept)
        begin, digests = 0, {}
        for split in SPLIT_FOLDERS:
            digests[split] = _digest(pixels[begin : begin + own[split]])
            begin += own[split]
        writer.about["sha256"] = digests


def _digest(pixels: np.ndarray) -> str:
    digest = hashlib.sha256()
    for batch in batches(pixels):
        digest.update(np.ascontiguousarray(batch).data)
    return digest.hexdigest()


def _check_some(bad: dict[str, str], files: list[Listed], config: FolderConfig) -> None:
    """Refuse pictures none of which can be read."""
    if len(bad) == len(files):
        raise DataError(
            f"dataset.path={config.path}: none of {len(files)} pictures can be read: "
            f"{_reasons(bad)}."
        )


def _reasons(bad: dict[str, str]) -> str:
    listed = [f"{printable(name)} ({why})" for name, why in sorted(bad.items())]
    more = f", and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + more


def _preparation(looks: list[tuple[str, Look]], config: FolderConfig) -> Preparation:
    """Return what the pictures are brought to.

    Raises:
        DataError: they have several sizes and no `image_size`, several types, or
            channels that have nothing in common.
    """
    sizes = Counter(look.size for _, look in looks)
    if config.size is None and len(sizes) > 1:
        shown = [f"{w} x {h} ({n})" for (h, w), n in sizes.most_common(SHOWN)]
        more = f" and {len(sizes) - SHOWN} more" if len(sizes) > SHOWN else ""
        least = min(min(size) for size in sizes)
        raise DataError(
            f"dataset.path={config.path}: the pictures have {len(sizes)} sizes, width "
            f"x height: {', '.join(shown)}{more}.",
            "say which size they are to have, such as dataset.image_size="
            f"{SUGGESTED if least >= SUGGESTED // 2 else least}",
            "dataset.resize=crop takes the middle, pad keeps all, stretch distorts",
        )
    types = Counter(look.dtype for _, look in looks)
    if len(types) > 1:
        shown = [
            f"{n} of {dtype}, such as "
            + printable(next(name for name, look in looks if look.dtype == dtype))
            for dtype, n in types.most_common()
        ]
        raise DataError(
            f"dataset.path={config.path}: the pixels are of several types: "
            f"{'; '.join(shown)}.",
            "convert them to one, or keep those of one in a folder of their own",
        )
    return Preparation(
        config.size or next(iter(sizes)),
        _channels([look for _, look in looks], config),
        next(iter(types)),
        config.resize,
        config.background,
    )


def _channels(looks: list[Look], config: FolderConfig) -> int:
    if config.channels != "auto":
        return int(config.channels)
    if config.background == KEEP and any(look.alpha for look in looks):
        return 4
    having = {look.channels for look in looks}
    if having <= {1, 3}:
        return max(having)
    if len(having) > 1:
        raise DataError(
            f"dataset.path={config.path}: pictures have "
            f"{' or '.join(map(str, sorted(having)))} channels.",
            "keep those with as many in a folder of their own",
        )
    return having.pop()
