"""Pictures that the user drops on the page: encoded, reconstructed and scored."""

import asyncio
import tempfile
from pathlib import Path, PurePath

from nicegui import events, ui

from vae_cli.data.decode import SUFFIXES
from vae_cli.errors import DataError, VaeCliError
from vae_cli.explore import pictures
from vae_cli.explore.components import Drop
from vae_cli.explore.latest import BACKGROUND
from vae_cli.explore.panel import Panel
from vae_cli.explore.parts import button, heading, quiet, thumbnail
from vae_cli.explore.scored import Scored
from vae_cli.text import printable

MAX_FILES = 20
"""Pictures per upload."""
MAX_MEGABYTES = 20
"""Size limit of a picture."""
SHOWN = (
    ("neg_elbo", "neg. ELBO"),
    ("reconstruction", "reconstruction"),
    ("kl", "KL"),
    ("nll", "NLL"),
)
"""Scores of a picture, in nats."""


class OwnPictures:
    """A place to drop pictures on, and the results of each run.

    Args:
        panels: the runs that accept pictures.
    """

    def __init__(self, panels: list[Panel]) -> None:
        self._panels = panels
        with ui.element("div").classes("ve-card ve-wide"):
            heading("Your own pictures")
            quiet(
                "They are prepared like the run's data, encoded, reconstructed and "
                "scored. They stay on the machine that runs vae-explore."
            )
            self._drop = Drop(
                "own-pictures",
                ",".join(SUFFIXES),
                max_files=MAX_FILES,
                max_file_size=MAX_MEGABYTES * 2**20,
                on_multi_upload=self._received,
            )
            self._results = ui.element("div").classes("ve-own")
            self._results.props["aria-live"] = "polite"

    async def _received(self, event: events.MultiUploadEventArguments) -> None:
        """Score the uploaded files with each run."""
        self._results.clear()
        with tempfile.TemporaryDirectory(prefix="vae-explore-") as folder:
            paths = await self._saved(event.files, Path(folder))
            for panel in self._panels:
                await self._score(panel, paths)
        self._drop.say("")

    async def _saved(
        self, files: list[ui.upload.FileUpload], folder: Path
    ) -> list[Path]:
        """Write the files into a folder, under safe names; refuse other files."""
        paths = []
        for number, file in enumerate(files[:MAX_FILES]):
            name = PurePath(printable(file.name)).name[-80:] or "picture"
            try:
                check_upload(name, file.size())
            except DataError as error:
                self._refuse(str(error))
                continue
            own = folder / str(number)
            own.mkdir()
            await file.save(own / name)
            paths.append(own / name)
        return paths

    async def _score(self, panel: Panel, paths: list[Path]) -> None:
        loop = asyncio.get_running_loop()
        score = panel.explorer.score
        for path in paths:  # one by one: a damaged file must not affect the others
            try:
                found = await loop.run_in_executor(
                    BACKGROUND, score, [path], panel.condition.label
                )
            except VaeCliError as error:
                self._refuse(str(error))
                continue
            except Exception as error:
                panel.failed(error)
                continue
            with self._results:
                self._show(panel, found[0])

    def _refuse(self, message: str) -> None:
        """Show an error in place of a picture's scores."""
        with self._results, ui.element("article").classes("ve-scored ve-refused"):
            ui.label(message)

    def _show(self, panel: Panel, scored: Scored) -> None:
        run = f" ({panel.explorer.run.name})" if len(self._panels) > 1 else ""
        with ui.element("article").classes("ve-scored"):
            heading(scored.name + run)
            with ui.element("div").classes("ve-near"):
                for image, what in (
                    (scored.picture, "as encoded"),
                    (scored.reconstruction, "reconstructed"),
                ):
                    thumbnail(what).props["src"] = pictures.url(image)
                with ui.element("div"):
                    parts = [
                        f"{name} {scored.scores[key]:,.1f}"
                        for key, name in SHOWN
                        if key in scored.scores
                    ]
                    quiet(", ".join(parts) + " nats")
                    split = panel.explorer.split_name
                    quiet(
                        f"Its neg. ELBO is higher than that of {scored.rank:.0%} of "
                        f"{split} images."
                    )
                    if scored.label is not None:
                        name = panel.explorer.classes[scored.label]
                        quiet(f"Encoded as class {name}, which was chosen above.")
                    button("Use its code", lambda: panel.show_code(scored.mean))


def check_upload(name: str, size: int) -> None:
    """Check the suffix and the size of an upload, bytes.

    Raises:
        DataError: the suffix isn't that of a picture, or the file is too large.
    """
    if PurePath(name).suffix.lower() not in SUFFIXES:
        raise DataError(f"{name} is not a picture: use {', '.join(SUFFIXES)}.")
    if size > MAX_MEGABYTES * 2**20:
        raise DataError(f"{name} is larger than {MAX_MEGABYTES} MB.")
