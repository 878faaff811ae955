"""One run on the page: its latent space, a decoded picture, sliders, paths, samples."""

import asyncio
import logging

import numpy as np
from nicegui import ui

from vae_cli.errors import VaeCliError
from vae_cli.explore import pictures
from vae_cli.explore.components import Picture, Range, Scatter, Sliders
from vae_cli.explore.explorer import Condition, Explorer
from vae_cli.explore.latest import PICTURE, Latest
from vae_cli.explore.parts import (
    button,
    card,
    class_choice,
    heading,
    quiet,
    show,
    strip,
    thumbnail,
)
from vae_cli.explore.path_card import PathCard

FIRST_SLIDERS = 8
"""Sliders to show at first."""
SAMPLES, SAMPLE_COLUMNS = 16, 8
IDLE_SECONDS = 0.15
"""Seconds without a move before strips and the nearest image are updated."""

log = logging.getLogger(__name__)


class Panel:
    """The controls of one run; all of them show the same code.

    Args:
        explorer: the run.
        number: its index among the runs of the page.
        title: whether to show its name.
    """

    def __init__(self, explorer: Explorer, number: int, title: bool) -> None:
        self.explorer = explorer
        self.number = number
        self.z = np.zeros(explorer.vae.latent_dim, np.float32)
        self.condition = Condition(image=0)
        if explorer.classes:
            self.condition = Condition(label=next(iter(explorer.classes)))
        self.near = 0
        self._seed, self._temperature = 0, 1.0
        self._idle_timer: asyncio.TimerHandle | None = None
        self._picture = Latest(self.failed, PICTURE)
        self._sampling, self._strips, self._restoring = (
            Latest(self.failed) for _ in range(3)
        )
        with ui.element("section").classes("ve-run") as self.element:
            self.element.props["aria-label"] = explorer.run.name
            heading(explorer.run.name, 2, hidden=not title)
            self._build_latent()
            self._build_picture()
            self._build_sliders()
            self.bottom = ui.element("div").classes("ve-bottom ve-wide")
            with self.bottom:
                self._path = PathCard(self, self.scatter)
                self._build_samples()

    # --- layout

    def _build_latent(self) -> None:
        own = self.explorer
        with card("ve-latent"):
            heading(f"Latent space: {len(own.split):,} {own.split_name} images")
            quiet(
                "Hover: the image. Click: decode that point. Drag from one image to "
                "another: the path between them. Wheel: zoom; Shift and drag: move."
            )
            self.scatter = Scatter(own, f"runs/{self.number}/images")
            self.scatter.on("decode", lambda e: self._point(**e.args))
            self.scatter.on(
                "path", lambda e: self._path.draw(e.args["from"], e.args["to"])
            )

    def _build_picture(self) -> None:
        own = self.explorer
        with card():
            heading("Decoded picture")
            if own.classes:
                self._class = class_choice(own.classes, self.condition.label)
                self._class.on_value_change(lambda e: self._choose_class(e.value))
            self.picture = Picture("Picture that the decoder makes of the code")
            self._near_name = ui.label().classes("ve-near-name")
            with ui.element("div").classes("ve-near"):
                self._near_image = thumbnail("the image")
                self._near_restored = thumbnail("its reconstruction")
                if own.inpaints:
                    self._observed = thumbnail("observed")
            with ui.element("div").classes("ve-row"):
                button("Use its code", self._use_near)
                button("Back to zero", lambda: self.show_code(np.zeros_like(self.z)))

    def _build_sliders(self) -> None:
        own = self.explorer
        count = own.vae.latent_dim
        with card("ve-dims"):
            heading("Dimensions, by KL")
            quiet(
                "KL: how many nats of information about an image a dimension carries; "
                "near 0, it is unused. The strip shows the effect of this dimension."
            )
            with ui.element("div").classes("ve-scroll").props('tabindex="-1"'):
                first = min(FIRST_SLIDERS, count)
                self.sliders = Sliders(own, first, f"run{self.number}-z")
                self.sliders.on("move", lambda e: self._move(**e.args))
                if count > first:
                    more = button(f"Show all {count}", lambda: self._show_all(more))

    def _build_samples(self) -> None:
        with card():
            heading("Samples of the prior")
            with ui.element("div").classes("ve-row"):
                name = f"run{self.number}-temperature"
                temperature = Range(name, "Temperature", 0, 2, 0.05, self._temperature)
                temperature.on("move", lambda e: self._heat(e.args))
                button("Draw new samples", self._draw_others)
            quiet("Temperature scales the noise: 1 is the model, lower more typical.")
            self._samples = strip(f"{SAMPLES} samples of the prior")

    # --- what the user does

    def start(self) -> None:
        """Show a first picture, its strips and samples."""
        if self.explorer.inpaints:
            self._show_observed()
        self.show_code(np.zeros_like(self.z))
        self.draw_samples()
        self._path.draw(*self.explorer.example_pair())

    def show_code(
        self,
        z: np.ndarray,
        move: int = 0,
        point: tuple[float, float] | None = None,
        dim: int | None = None,
    ) -> None:
        """Decode a code, and update every control but the one that chose it.

        Args:
            z: the code, float [latent_dim].
            move: number of the user's move that chose it.
            point: where it was chosen in the scatter plot, if it was there.
            dim: the dimension whose slider chose it, if one did.
        """
        self.z = z.astype(np.float32)
        self._decode(move)
        if dim is None:
            self.sliders.set_code(self.z)
        if point is None:
            point = self._place()
            self.scatter.set_marker(*point)
        self.near = self.explorer.nearest(*point)
        self._update_when_idle(moving=dim)

    def _point(self, x: float, y: float, move: int) -> None:
        self.show_code(self.explorer.plane.code(x, y), move, point=(x, y))

    def _move(self, dim: int, value: float, move: int) -> None:
        z = self.z.copy()
        z[dim] = value
        self.show_code(z, move, dim=dim)

    def _choose_class(self, label: int) -> None:
        self.condition = Condition(label, self.condition.image)
        self._decode()
        self._update_when_idle()
        self.draw_samples()
        self._path.draw_again()

    def _use_near(self) -> None:
        condition = self.explorer.condition_of(self.near)
        changed, self.condition = condition != self.condition, condition
        if self.explorer.classes:
            self._class.set_value(condition.label)
        self.show_code(self.explorer.mean[self.near])
        if changed and self.explorer.inpaints:
            self._show_observed()
            self.draw_samples()

    def _heat(self, temperature: float) -> None:
        self._temperature = float(temperature)
        self.draw_samples()

    def _draw_others(self) -> None:
        self._seed += 1
        self.draw_samples()

    def draw_samples(self) -> None:
        """Draw samples of the prior, at the temperature of the slider."""
        temperature, seed, condition = self._temperature, self._seed, self.condition

        def draw() -> str:
            images = self.explorer.samples(SAMPLES, temperature, seed, condition)
            return pictures.url(pictures.rows(images, SAMPLE_COLUMNS))

        self._sampling.submit(draw, lambda url: show(self._samples, url))

    def _show_all(self, more: ui.button) -> None:
        more.set_visibility(False)
        self.sliders.show_first(self.explorer.vae.latent_dim)
        self.sliders.set_code(self.z)
        self._update_when_idle()

    # --- pictures

    def _decode(self, move: int = 0) -> None:
        z, condition = self.z[None], self.condition
        self._picture.submit(
            lambda: pictures.url(self.explorer.decode(z, condition)[0]),
            lambda url: self.picture.show(url, move),
        )

    def _update_when_idle(self, moving: int | None = None) -> None:
        """Update the slower parts once the user stops moving.

        The strip of the dimension `moving` doesn't change.
        """
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        dims = [dim for dim in self.sliders.shown if dim != moving]
        loop = asyncio.get_running_loop()
        self._idle_timer = loop.call_later(IDLE_SECONDS, self._update_slow_parts, dims)

    def _update_slow_parts(self, dims: list[int]) -> None:
        own, near = self.explorer, self.near
        self._mark(near)
        self._restoring.submit(
            lambda: pictures.url(own.reconstruction(near)),
            lambda url: show(self._near_restored, url),
        )
        self._draw_strips(dims)

    def _draw_strips(self, dims: list[int]) -> None:
        """Draw strips one by one, so that other requests wait for one at most."""
        if not dims:
            return
        dim, z, condition = dims[0], self.z, self.condition

        def drawn(url: str) -> None:
            self.sliders.set_strip(dim, url)
            if z is self.z and condition is self.condition:
                self._draw_strips(dims[1:])

        def draw() -> str:
            return pictures.url(pictures.row(self.explorer.strip(z, dim, condition)))

        self._strips.submit(draw, drawn)

    def _place(self) -> tuple[float, float]:
        """Return the coordinates of the code in the scatter plot."""
        own = self.explorer
        x, y = own.plane.points(self.z[None], own.log_var.mean(axis=0)[None])[0]
        return float(x), float(y)

    def _mark(self, index: int) -> None:
        """Show the image nearest to the decoded point."""
        names = self.explorer.split.label_names
        own = "" if names is None else f", class {names[index]}"
        self._near_name.set_text(f"Nearest: image {index}{own}")
        show(self._near_image, f"runs/{self.number}/images/{index}.png")

    def _show_observed(self) -> None:
        """Show the observed pixels that decoding depends on."""
        index = self.condition.image
        show(self._observed, f"runs/{self.number}/observed/{index}.png")

    def failed(self, error: Exception) -> None:
        """Show an error to the user; unexpected errors are logged as well."""
        if not isinstance(error, VaeCliError):
            log.error("vae-explore: %s", error, exc_info=error)
        with self.element:
            ui.notify(str(error), type="negative", multi_line=True, close_button="OK")
