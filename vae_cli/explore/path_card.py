"""The path from one image to another: drawn as a strip, saved as a GIF."""

import asyncio
from typing import Protocol

import numpy as np
from nicegui import ui

from vae_cli.errors import DataError
from vae_cli.explore import pictures
from vae_cli.explore.components import Scatter
from vae_cli.explore.explorer import Condition, Explorer
from vae_cli.explore.latest import BACKGROUND, Latest
from vae_cli.explore.parts import button, card, heading, quiet, show, strip

STEPS, COLUMNS, GIF_STEPS = 12, 7, 24


class Owner(Protocol):
    """The controls of the run that a path belongs to."""

    explorer: Explorer
    condition: Condition

    def failed(self, error: Exception) -> None:
        """Tell the user what went wrong."""


class PathCard:
    """Two images, and what the decoder makes of the line between their codes.

    Args:
        owner: what is decoded with the codes, and where errors are shown.
        scatter: where the path is drawn, too.
    """

    def __init__(self, owner: Owner, scatter: Scatter) -> None:
        self._owner = owner
        self._scatter = scatter
        self._ends: tuple[int, int] | None = None
        self._latest = Latest(owner.failed)
        last = len(owner.explorer.mean) - 1
        with card():
            heading("From one image to another")
            with ui.element("div").classes("ve-row"):
                self._from, self._to = (
                    ui.number(name, value=value, min=0, max=last, precision=0)
                    .props("dense outlined")
                    .style("width: 92px")
                    for name, value in (("From image", 0), ("To image", min(1, last)))
                )
                button("Interpolate", self._draw_numbers)
                self._save = button("Save as GIF", self._save_gif)
                self._save.disable()
            quiet(
                "Or drag in the latent space. The first and last pictures are the "
                "images; the others are decoded from the line between their codes."
            )
            self._strip = strip("Path between two images, decoded")

    def draw(self, start: int, end: int) -> None:
        """Draw the path between two images of the split, by number."""
        own = self._owner.explorer
        try:
            codes = own.path(start, end, STEPS)
        except DataError as error:
            self._owner.failed(error)
            return
        self._ends = start, end
        self._from.set_value(start)
        self._to.set_value(end)
        self._scatter.set_path(start, end)
        self._save.enable()
        condition = own.path_condition(start, end, self._owner.condition)

        def drawn() -> str:
            first, last = own.picture(start)[None], own.picture(end)[None]
            images = np.concatenate([first, own.decode(codes, condition), last])
            return pictures.url(pictures.rows(images, COLUMNS))

        self._latest.submit(drawn, lambda url: show(self._strip, url))

    def draw_again(self) -> None:
        """Draw the same path, when what the codes are decoded with has changed."""
        if self._ends is not None:
            self.draw(*self._ends)

    def _draw_numbers(self) -> None:
        self.draw(int(self._from.value or 0), int(self._to.value or 0))

    async def _save_gif(self) -> None:
        if self._ends is None:
            return
        own = self._owner.explorer
        start, end = self._ends
        codes = own.path(start, end, GIF_STEPS)
        condition = own.path_condition(start, end, self._owner.condition)
        loop = asyncio.get_running_loop()
        images = await loop.run_in_executor(BACKGROUND, own.decode, codes, condition)
        name = f"{own.run.name}-{start}-to-{end}.gif"
        ui.download.content(pictures.gif(images), name, "image/gif")
