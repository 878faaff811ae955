"""The web server of the page."""

import gc
import logging
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path

import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse, Response
from nicegui import Client, ui

from vae_cli.explore import page
from vae_cli.explore.explorer import Explorer
from vae_cli.explore.guard import Guard, is_loopback
from vae_cli.explore.latest import BACKGROUND, PICTURE
from vae_cli.explore.pictures import png
from vae_cli.explore.ports import address_of
from vae_cli.explore.results import figures
from vae_cli.runtime import evaluating

STATIC = Path(__file__).parent / "static"
NO_SCRIPTS = {
    "content-security-policy": (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"
    ),
    "x-content-type-options": "nosniff",
}
"""Headers of figures: an SVG file that is opened by itself could have scripts."""

log = logging.getLogger(__name__)


def serve(
    explorers: list[Explorer],
    notices: list[str],
    own: socket.socket,
    host: str,
    open_browser: bool,
) -> None:
    """Serve the page until the process is interrupted.

    Args:
        explorers: one or two runs.
        notices: sentences to show above the runs.
        own: from `listening_socket`.
        host: address that the server listens on.
        open_browser: whether to open the page in a browser.
    """
    address = address_of(host, own.getsockname()[1])
    if not is_loopback(host):
        log.warning(
            "host=%s: everyone who can reach this machine can use the page and see the "
            "run's images",
            host,
        )
    application = _application(explorers, notices)
    config = uvicorn.Config(
        Guard(application, host),
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
        lifespan="on",
        ws_max_size=2**20,
    )

    def ready() -> None:
        print(address, flush=True)
        log.info("Ctrl-C stops the server")
        if open_browser:
            threading.Thread(target=_open, args=(address,), daemon=True).start()

    try:
        with evaluating():  # set once for all threads of the server
            _Server(config, ready).run(sockets=[own])
    finally:
        for thread in (PICTURE, BACKGROUND):
            thread.shutdown(wait=False, cancel_futures=True)
        # the interpreter would look through TensorFlow's objects for seconds at its end
        gc.freeze()


class _Server(uvicorn.Server):
    """A server that says when it answers.

    Args:
        config: of uvicorn.
        ready: called once the server answers.
    """

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and call `ready`."""
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()


def _open(address: str) -> None:
    """Open a graphical browser; a text browser would take over the terminal."""
    windows = sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    if not windows or not webbrowser.open(address):
        log.warning("could not open a browser; type the address into one")


def _application(explorers: list[Explorer], notices: list[str]) -> FastAPI:
    application = FastAPI(openapi_url=None)
    shown = [list(figures(explorer.run).values()) for explorer in explorers]

    def explorer(run: int) -> Explorer:
        if not 0 <= run < len(explorers):
            raise HTTPException(404)
        return explorers[run]

    @application.get("/runs/{run}/images/{index}.png")
    def image(run: int, index: int) -> Response:
        own = explorer(run)
        if not 0 <= index < len(own.split):
            raise HTTPException(404)
        return _picture(png(own.picture(index)))

    @application.get("/runs/{run}/observed/{index}.png")
    def observed(run: int, index: int) -> Response:
        own = explorer(run)
        if not 0 <= index < len(own.split) or own.split.corrupted is None:
            raise HTTPException(404)
        rows = slice(index, index + 1)
        return _picture(png(own.split.pictures(rows, "corrupted")[0]))

    @application.get("/runs/{run}/figures/{index}")
    def figure(run: int, index: int) -> Response:
        explorer(run)
        if not 0 <= index < len(shown[run]) or not shown[run][index].is_file():
            raise HTTPException(404)
        return FileResponse(shown[run][index], headers=NO_SCRIPTS)

    @ui.page("/", title="vae explore")
    async def root(client: Client) -> None:
        ui.add_head_html(f"<script>{(STATIC / 'latency.js').read_text()}</script>")
        ui.add_css(STATIC / "style.css")
        panels = page.build(explorers, notices)
        await client.connected(timeout=60)
        for panel in panels:
            panel.start()

    ui.run_with(
        application,
        title="vae explore",
        dark=None,
        language="en-US",
        tailwind=False,
        message_history_length=100,
        show_welcome_message=False,
    )
    return application


def _picture(content: bytes) -> Response:
    # the next run may be served at the same address
    return Response(
        content, media_type="image/png", headers={"cache-control": "no-cache"}
    )
