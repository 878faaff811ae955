"""Pictures of a run folder inside the page: data URIs, with captions."""

import base64
import io
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from vae_cli.report.html import Html, element, joined
from vae_cli.runs.folder import RunFolder
from vae_cli.text import printable

KINDS = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".svg": "image/svg+xml",
}
"""Suffix -> media type of the pictures that the page shows."""
CAPTIONS = {
    "figures/curves": "Terms of the loss in each epoch.",
    "figures/samples": "Images decoded from samples of the prior.",
    "figures/samples_uniform": "Images decoded from codes of the uniform prior, to be "
    "compared with those of the learned one.",
    "figures/codebook": "Use of the codebook in each epoch: the fraction of the codes "
    "that occur, and the perplexity.",
    "figures/reconstructions": "Images and their reconstructions.",
    "figures/latent": "Posterior means of held-out images, coloured by label, and the "
    "KL divergence of each latent dimension.",
    "evaluation/test-disentanglement": "Latent dimensions moved one at a time, the "
    "factors moved one at a time, and the information that each dimension has of each "
    "factor.",
    "inspection/contact-sheet": "Training images and their values.",
    "inspection/duplicates": "Pairs of images that look alike.",
}
"""Folder and stem of a file -> caption."""
ABOUT = {
    "evaluation": "Scores of images, KL divergence of each latent dimension, and the "
    "images of smallest and largest neg. ELBO",
    "samples": "Decoded codes",
    "reconstructions": "Images before and after",
    "anomaly": "Scores, or the most and least anomalous images",
    "figures": "A figure",
    "inspection": "A figure",
}
"""Folder -> caption of its other pictures, followed by the file's name."""
LARGE = 10 * 2**20
"""Total bytes of pictures above which large ones are downscaled."""
MAX_FILE = 64 * 2**20
"""Largest picture to read, bytes."""
MAX_SIDE = 1600
"""Longer side of a downscaled picture, pixels."""
MAX_PICTURES = 24
"""Most pictures of one folder."""


class Picture(NamedTuple):
    """A picture of the run folder.

    Attributes:
        name: path in the folder.
        caption: what it shows.
        kind: media type.
        content: of the file.
        size: width and height in pixels; None for SVG.
    """

    name: str
    caption: str
    kind: str
    content: bytes
    size: tuple[int, int] | None


class Pictures:
    """The pictures of a run folder, grouped by subfolder.

    Attributes:
        found: subfolder -> its pictures.
        left_out: (path, reason) of each file that the page doesn't show.
    """

    def __init__(self, run: RunFolder, folders: Sequence[str]) -> None:
        self.found: dict[str, list[Picture]] = {}
        self.left_out: list[tuple[str, str]] = []
        for name in folders:
            self.found[name] = [*self._in(run.path / name, name)]
        every = [p for pictures in self.found.values() for p in pictures]
        if sum(len(picture.content) for picture in every) > LARGE:
            for pictures in self.found.values():
                pictures[:] = map(_smaller, pictures)

    def html(self, folder: str) -> Html:
        """Return the pictures of a subfolder."""
        return joined(*map(figure, self.found.get(folder, ())))

    def _in(self, folder: Path, name: str) -> Iterator[Picture]:
        if not folder.is_dir():
            return
        files = sorted(file for file in folder.iterdir() if file.name[0] != ".")
        shown = [file for file in files if file.suffix.lower() in KINDS]
        for file in files:
            if file.suffix.lower() == ".pdf":
                self.left_out.append(
                    (f"{name}/{file.name}", "PDF; draw it as PNG or SVG to show it")
                )
        for file in shown[MAX_PICTURES:]:
            why = f"more than {MAX_PICTURES} pictures"
            self.left_out.append((f"{name}/{file.name}", why))
        for file in shown[:MAX_PICTURES]:
            try:
                yield _read(file, name)
            except (OSError, ValueError, Image.DecompressionBombError) as error:
                why = f"can't be read: {str(error) or type(error).__name__}"
                self.left_out.append((f"{name}/{file.name}", why))


def figure(picture: Picture) -> Html:
    """Return a picture with its caption."""
    data = base64.b64encode(picture.content).decode("ascii")
    size = {}
    if picture.size:
        size = dict(zip(("width", "height"), map(str, picture.size), strict=True))
    return element(
        "figure",
        element(
            "img", src=f"data:{picture.kind};base64,{data}", alt=picture.caption, **size
        ),
        element("figcaption", picture.caption, " ", element("code", picture.name)),
    )


def _read(file: Path, folder: str) -> Picture:
    status = file.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE:
        raise ValueError("not a regular file, or larger than 64 MiB")
    content, kind = file.read_bytes(), KINDS[file.suffix.lower()]
    size = None
    if kind == "image/svg+xml":
        if b"<svg" not in content[:4096]:
            raise ValueError("not an SVG")
    else:
        with Image.open(io.BytesIO(content)) as image:
            image.verify()  # a browser would show nothing for a damaged file
            size = image.size
    words = printable(file.stem).replace("-", ", ")
    caption = CAPTIONS.get(f"{folder}/{file.stem}", f"{ABOUT[folder]}: {words}.")
    return Picture(f"{folder}/{file.name}", caption, kind, content, size)


def _smaller(picture: Picture) -> Picture:
    """Return a downscaled picture, or the same one if that saves no bytes."""
    if picture.size is None or picture.kind == "image/gif":
        return picture
    with Image.open(io.BytesIO(picture.content)) as image:
        image.thumbnail((MAX_SIDE, MAX_SIDE))
        colour = image.convert("RGB")
    written = io.BytesIO()
    colour.save(written, "JPEG", quality=88)
    content = written.getvalue()
    if len(content) >= len(picture.content):
        return picture
    return picture._replace(content=content, kind="image/jpeg", size=colour.size)
