"""What to look at in a data set before a model is trained on it, in sentences."""

from vae_cli.data.duplicates import Duplicates
from vae_cli.data.file_facts import FileFacts
from vae_cli.data.pixel_counts import PixelFacts
from vae_cli.pixels import Pixels
from vae_cli.text import printable, shortened

UNEQUAL = 10
"""Largest ratio of the largest class to the smallest without a warning."""
LEAK = 0.01
"""Fraction of a split that may look like training images."""
NARROW = 0.25
"""Fraction of their range that pixels should use at least."""
NAMED = 8
"""Classes or files that a sentence names."""

Classes = dict[str, dict[str, int]]
"""Split -> class -> images."""


def of_files(files: FileFacts | None) -> list[str]:
    """Return what is wrong with files."""
    if files is None or not files.bad:
        return []
    return [
        f"{counted(len(files.bad), 'file')} can't be read: "
        + _some([f"{name} ({why})" for name, why in sorted(files.bad.items())])
    ]


def of_duplicates(duplicates: Duplicates, sizes: dict[str, int]) -> list[str]:
    """Return what repeated images mean.

    Args:
        duplicates: what was found.
        sizes: split -> images.
    """
    found = []
    if duplicates.copies:
        found.append(
            f"{_verb(duplicates.copies, 'repeats', 'repeat')} the pixels of another "
            f"({counted(duplicates.num_groups, 'group')})"
        )
    if duplicates.relabelled:
        found.append(
            f"the labels differ within {counted(duplicates.relabelled, 'group')} of "
            "images of the same pixels"
        )
    found += [
        f"{count:,} of {counted(sizes[name], f'{name} image')} "
        f"{'is a training image' if count == 1 else 'are training images'}, too: the "
        f"{name} bound is too optimistic"
        for name, count in duplicates.leaked.items()
    ]
    found += [
        f"{count:,} of {counted(sizes[name], f'{name} image')} "
        f"{'looks' if count == 1 else 'look'} like a training image"
        for name, count in duplicates.nearly_leaked.items()
        if count > LEAK * sizes[name]
    ]
    if duplicates.num_near:
        more = "" if duplicates.complete else "more than "
        pairs = counted(duplicates.num_near, "pair")
        verb = "looks" if duplicates.num_near == 1 else "look"
        found.append(f"{more}{pairs} of images {verb} alike")
    return found


def of_classes(classes: Classes) -> list[str]:
    """Return what few or no images of a class mean."""
    totals: dict[str, int] = {}
    for split in classes.values():
        for name, count in split.items():
            totals[name] = totals.get(name, 0) + count
    if not totals:
        return []
    found = []
    once = [name for name, count in totals.items() if count == 1]
    if once:
        which = f"each of {len(once)} classes" if len(once) > 1 else "a class"
        found.append(f"{which} has a single image: {_some(once)}")
    trained = classes.get("train", {})
    untrained = [name for name in totals if not trained.get(name)]
    if untrained:
        found.append(f"no training image is of class {_some(untrained)}")
    few = min(totals, key=lambda name: totals[name])
    most = max(totals, key=lambda name: totals[name])
    if totals[most] > UNEQUAL * totals[few]:
        found.append(
            f"classes are unequal: {printable(most)} has "
            f"{counted(totals[most], 'image')}, {printable(few)} {totals[few]:,}"
        )
    return found


def of_values(values: PixelFacts, pixels: Pixels, binary: bool) -> list[str]:
    """Return what is wrong with the values of pixels."""
    found = []
    constant = [str(i) for i, c in enumerate(values.channels) if c.low == c.high]
    if constant:
        found.append(f"every pixel has the same value in channel {', '.join(constant)}")
    low = min(channel.low for channel in values.channels)
    high = max(channel.high for channel in values.channels)
    used = (high - low) / (pixels.high - pixels.low)
    if pixels.bounded and not binary and 0 < used < NARROW:
        found.append(
            f"pixels are from {low:g} to {high:g} of {pixels.low:g} to "
            f"{pixels.high:g}: 'dataset.value_range=[{low:g},{high:g}]' uses the whole "
            "range"
        )
    return found


def counted(number: int, what: str) -> str:
    """Return a number of things in words, such as `2 images`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _verb(number: int, one: str, several: str) -> str:
    return f"{counted(number, 'image')} {one if number == 1 else several}"


def _some(names: list[str]) -> str:
    return ", ".join(shortened(list(map(printable, names)), NAMED))
