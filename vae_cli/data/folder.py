"""`dataset=folder`: pictures decoded once into the cache, and read from there."""

import logging
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from vae_cli.config.dataset_formats import FolderConfig
from vae_cli.data import cache
from vae_cli.data.cache_writer import writing
from vae_cli.data.checks import digest_of
from vae_cli.data.decode import Header
from vae_cli.data.decode_all import decode_to, read_headers
from vae_cli.data.file_facts import FileFacts, counted
from vae_cli.data.listing import SPLIT_FOLDERS, Listed, listed
from vae_cli.data.preparation import (
    check_background,
    check_bad,
    check_some,
    preparation_of,
    reasons,
)
from vae_cli.data.splits import Arrays, Sources
from vae_cli.errors import DataError
from vae_cli.progress import fraction_bar
from vae_cli.randomness import Stream, generator
from vae_cli.registry import builds

VERSION = 2
"""Version of the decoding; entries of other versions are not found."""

log = logging.getLogger(__name__)


@builds(FolderConfig)
def folder(config: FolderConfig) -> Sources:
    """Pictures of a folder, from the cache.

    Raises:
        ConfigError: `dataset.background` is no colour.
        DataError: no pictures, some that can't be read, or of several sizes.
    """
    check_background(config)
    files = _limited(listed(config), config)
    entry = _entry(files, config)
    bad = dict(entry.about["bad"])
    check_bad(bad, len(files), config)
    if bad:
        log.warning("left out %d pictures: %s", len(bad), reasons(bad))
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
                names=np.array([file.name for file in own], object),
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
        FileFacts.of(entry.about, entry.path),
    )


def _limited(files: list[Listed], config: FolderConfig) -> list[Listed]:
    """Return at most `dataset.limit` files of each split, drawn by the seed."""
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
    root = str(Path(config.path).resolve())
    listing = cache.key_of(settings, root, [[f.name, f.status, f.split] for f in files])
    entry = cache.found_by(listing)
    if entry is not None:
        return entry
    paths = [f"{root}/{file.name}" for file in files]
    with fraction_bar(f"reading {len(files):,} pictures") as progress:
        headers = read_headers(paths, progress)
    content = cache.key_of(
        settings,
        [
            [f.name, f.split, header.sha256 if isinstance(header, Header) else header]
            for f, header in zip(files, headers, strict=True)
        ],
    )
    if cache.find(content) is None:
        _decode(content, files, paths, headers, config)
    cache.name(listing, content)
    entry = cache.required(content)
    return entry


def _decode(
    key: str,
    files: list[Listed],
    paths: list[str],
    headers: list[Header | str],
    config: FolderConfig,
) -> None:
    """Write the cache's entry of pictures.

    Raises:
        DataError: some can't be read, or they have several sizes or types.
    """
    bad = {
        file.name: header
        for file, header in zip(files, headers, strict=True)
        if isinstance(header, str)
    }
    check_some(bad, len(files), config)
    preparation = preparation_of(
        [
            (file.name, header)
            for file, header in zip(files, headers, strict=True)
            if isinstance(header, Header)
        ],
        config,
    )
    cut = sum(isinstance(header, Header) and header.cut for header in headers)
    if cut:
        log.warning(
            "%d PNG files have 16 bits per colour channel and are read with 8, all "
            "that Pillow supports; TIFF files keep 16",
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
        check_some(bad, len(files), config)
        writer.about["found"] = counted(
            header
            for file, header in zip(files, headers, strict=True)
            if isinstance(header, Header) and file.name not in bad
        )
        pixels = writer.pixels()
        kept = [row for row, error in enumerate(errors) if error is None]
        for to, row in enumerate(kept):  # close the gaps
            if to < row:
                pixels[to] = pixels[row]
        writer.about["bad"] = sorted(bad.items())
        own = Counter(files[good[row]].split for row in kept)
        begin, digests = 0, {}
        for split in SPLIT_FOLDERS:
            digests[split] = digest_of(pixels[begin : begin + own[split]])
            begin += own[split]
        writer.about["sha256"] = digests
