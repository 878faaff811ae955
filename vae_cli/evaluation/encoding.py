"""Codes of a split or of own images, some at a time: images are never all held."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from vae_cli.config.encode import ALL, EncodeConfig
from vae_cli.config.run import SPLITS
from vae_cli.data.corruption import with_missing
from vae_cli.data.given_files import source_name
from vae_cli.data.pictures import image_batches
from vae_cli.data.prepare import chosen_index
from vae_cli.data.splits import Split
from vae_cli.errors import ConfigError
from vae_cli.evaluation.anomaly import IMAGE_SCORES, image_scores
from vae_cli.evaluation.batches import OneByOne, checked_condition
from vae_cli.evaluation.importance import images_at_a_time
from vae_cli.evaluation.latent import posterior_codes
from vae_cli.runs.class_labels import class_folder
from vae_cli.runs.codes import Codes
from vae_cli.runs.opened import ImagesLike, OpenRun
from vae_cli.text import printable


class _Part(NamedTuple):
    """Images to encode: those of a split, or some of one's own."""

    images: Split
    names: list[str]
    labels: list[str]
    begin: float  # fraction of all images that come before, and with these
    end: float
    first: int = 0  # which of its split, or of own images, is the first
    split: str | None = None
    factors: tuple[str, ...] = ()  # names of those to write


def codes(
    run: OpenRun, images: ImagesLike | Split | None, how: EncodeConfig
) -> Iterator[Codes]:
    """Return the codes of images, to be gone through once.

    Args:
        run: the run.
        images: own images, in place of a split; a `Split` of them has names.
        how: which images, with which scores.

    Raises:
        ConfigError: a label is unknown, missing or of no use, or pixels are missing.
        DataError: images can't be read, or don't fit; it may come from the iterator.
    """
    if images is None:
        parts = _of_splits(run, how)
    else:
        run.labels.check(how.label)
        if run.config.conditioning.on_observed:
            raise ConfigError(
                f"images={source_name(images)}: {run.folder} inpaints "
                f"(conditioning={run.config.conditioning.name}), and its codes need "
                "to know which pixels are observed.",
                "encode a split, whose images have a mask: split=test",
            )
        parts = _of_own(run, images, how)
    return _encoded(run, parts, how)


def _encoded(
    run: OpenRun, parts: Iterator[_Part], how: EncodeConfig
) -> Iterator[Codes]:
    vae, size = run.vae, how.batch_size
    encode = OneByOne(posterior_codes(vae))
    score = None
    if how.scores:
        size = images_at_a_time(vae, how.posterior_samples, size)
        score = OneByOne(image_scores(vae, how.posterior_samples, how.seed))
    for part in parts:
        total = len(part.images)
        for start in range(0, total, size):
            rows = slice(start, start + size)
            images = part.images.take(rows)
            arrays = (images.images[:], checked_condition(vae, images.condition))
            mean, log_var, codes = encode(*arrays)
            scores = {}
            if score is not None:
                index = part.first + start + np.arange(len(images))
                values = score(*arrays, index.astype(np.float32))
                scores = dict(zip(IMAGE_SCORES, values, strict=False))  # and the mean
            names, done = part.names[rows], min(1.0, (start + size) / total)
            yield Codes(
                names,
                part.labels[rows],
                mean,
                log_var,
                scores,
                None if part.split is None else [part.split] * len(names),
                part.begin + done * (part.end - part.begin),
                {name: (images.factors or {})[name] for name in part.factors},
                codes.reshape(-1, *vae.code_grid) if vae.num_codes else None,
            )


def _of_splits(run: OpenRun, how: EncodeConfig) -> Iterator[_Part]:
    """Return the images of a split, or those of all."""
    if how.split == ALL:
        data = run.data
        having = {"train": data.train, "validation": data.validation, "test": data.test}
        chosen = [name for name in SPLITS if having[name]]
    else:
        chosen = [run.split_name(how.split)]
    seed = run.config.dataset.seed
    index = {
        name: chosen_index(len(run.data.split(name)), how.num_images, seed)
        for name in chosen
    }
    total, done = sum(map(len, index.values())), 0
    for name, rows in index.items():
        split = run.split(name).take(rows)
        names = [f"{name}[{row}]" for row in rows]
        if split.names is not None:
            names = [printable(own) for own in split.names]
        labels = [""] * len(names)
        if split.label_names is not None:
            labels = [printable(label) for label in split.label_names]
        begin, done = done, done + len(names)
        yield _Part(
            split,
            names,
            labels,
            begin / total,
            done / total,
            split=name if how.split == ALL else None,
            factors=tuple(factor.name for factor in run.config.dataset.factors),
        )


def _of_own(
    run: OpenRun, images: ImagesLike | Split, how: EncodeConfig
) -> Iterator[_Part]:
    """Yield images of one's own, as the encoder gets them."""
    folders = run.labels.folders()
    first, begin, end = 0, 0.0, 0.0

    def note(fraction: float) -> None:
        nonlocal end
        end = fraction

    batches = (
        iter([(images, [str(name) for name in images.names])])
        if isinstance(images, Split) and images.names is not None
        else image_batches(images, run.fitting, note)
    )
    for split, names in batches:
        if how.num_images is not None:
            split, names = _first(split, names, how.num_images - first)
        if split.mask is not None:
            if not run.config.corruption.masks:
                raise ConfigError(
                    f"images={source_name(images)} has transparent pixels, and "
                    f"{run.folder} was not trained on images with missing ones.",
                    "put them on a background first",
                )
            split = with_missing(split)
        if how.label is not None:
            number = run.labels.number(how.label)
            labels = [printable(run.spec.class_name(number))] * len(names)
            split = replace(split, labels=np.full(len(names), number))
        else:
            own = run.labels.of_files(names, source_name(images))
            split = replace(split, labels=own)
            labels = [class_folder(name, folders) or "" for name in names]
        yield _Part(split, names, labels, begin, end, first)
        begin, first = end, first + len(names)
        if how.num_images is not None and first >= how.num_images:
            return


def _first(split: Split, names: list[str], most: int) -> tuple[Split, list[str]]:
    if len(names) <= most:
        return split, names
    return split.take(slice(most)), names[:most]
