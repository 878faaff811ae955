"""What was found in the picture files that a data set was decoded from."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vae_cli.data.decode import Header

KINDS = {1: "grey", 3: "RGB", 4: "RGBA"}
"""Channels -> what pictures of so many are called."""


@dataclass(frozen=True)
class FileFacts:
    """What was found in the files, and what became of them.

    Attributes:
        sizes: (height, width) -> number of pictures, the most frequent first.
        modes: what Pillow calls their channels -> number of pictures.
        formats: such as PNG -> number of pictures.
        turned: pictures that their EXIF orientation turns.
        bad: name -> why it can't be read.
        preparation: what pictures were brought to, in words.
        cache: folder of the decoded pixels.
    """

    sizes: dict[tuple[int, int], int]
    modes: dict[str, int]
    formats: dict[str, int]
    turned: int
    bad: dict[str, str]
    preparation: str
    cache: str

    @staticmethod
    def of(about: dict[str, Any], path: Path) -> "FileFacts":
        """Return what an entry of the cache says.

        Args:
            about: what was written of it; `found` is of `counted`.
            path: its folder.
        """
        found, to = about["found"], about["preparation"]
        height, width = to["size"]
        channels = to["channels"]
        words = [f"{width} x {height}", KINDS.get(channels, f"{channels} channels")]
        if {tuple(size[:2]) for size in found["sizes"]} != {(height, width)}:
            words.insert(1, f"by {to['resize']}")
        if any("A" in mode or mode in ("P", "PA") for mode in found["modes"]):
            words.append(f"background {to['background']}")
        return FileFacts(
            sizes={(h, w): count for h, w, count in found["sizes"]},
            modes=found["modes"],
            formats=found["formats"],
            turned=found["turned"],
            bad=dict(about["bad"]),
            preparation=", ".join(words),
            cache=str(path),
        )

    def to_json(self) -> dict[str, Any]:
        """Return them for a report: sizes as [height, width, count]."""
        return {**asdict(self), "sizes": [[*s, n] for s, n in self.sizes.items()]}


def counted(headers: Iterable[Header]) -> dict[str, Any]:
    """Return counts of what files say of themselves, the most frequent first."""
    headers = list(headers)
    sizes = Counter(header.size for header in headers)
    return {
        "sizes": [[*size, count] for size, count in sizes.most_common()],
        "modes": dict(Counter(header.mode or "?" for header in headers).most_common()),
        "formats": dict(Counter(header.format for header in headers).most_common()),
        "turned": sum(header.turned for header in headers),
    }
