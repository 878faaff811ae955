"""A served page, and a headless Chromium that looks at it."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium"
)


def free_port() -> int:
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return own.getsockname()[1]


@contextlib.contextmanager
def served(run: str | Path, *options: str) -> Iterator[str]:
    """Run `vae explore` in a process of its own; yield its address."""
    words = [f"run={run}", f"port={free_port()}", "open_browser=false", *options]
    process = subprocess.Popen(
        [sys.executable, "-m", "vae_cli", "explore", *words],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address), address
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        status = process.wait(timeout=30)
    assert status == 130


class Watched:
    """A page, with all that its browser complains of.

    Attributes:
        page: Playwright's.
        complaints: console errors, exceptions, and requests that fail or leave the
            machine.
    """

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._request)
        page.on("response", self._response)
        page.goto(address)
        self.until("!!document.querySelector('.ve-picture img').src.match('image/png')")
        self.settle()

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _request(self, request: Any) -> None:
        if not re.match(r"(http|ws)://127\.0\.0\.1:|data:|blob:", request.url):
            self.complaints.append(f"leaves the machine: {request.url}")

    def _response(self, response: Any) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status} {response.url}")

    def until(self, condition: str, argument: Any = None) -> None:
        """Wait until a JavaScript expression holds."""
        self.page.wait_for_function(condition, arg=argument, timeout=20_000)

    def settle(self) -> None:
        """Wait until no picture changes any more."""
        before = None
        for _ in range(40):
            self.page.wait_for_timeout(400)
            now = self.page.evaluate("[...document.images].map(i => i.src).join()")
            if now == before:
                return
            before = now
        raise AssertionError("the pictures never come to rest")

    def source(self, selector: str = ".ve-picture img") -> str:
        """Return the address, or content, of a picture."""
        return self.page.locator(selector).first.get_attribute("src")

    def changed(self, before: str, selector: str = ".ve-picture img") -> None:
        """Wait until a picture is another one."""
        self.until(
            "([s, before]) => document.querySelector(s).src !== before",
            [selector, before],
        )

    def moves(self) -> list[float]:
        """Return and forget the milliseconds from each move to its picture."""
        return self.page.evaluate("vaeLatency.times.splice(0)")


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """Start the browser; yield Playwright's handle of it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


def drag_slider(watched: Watched, seconds: float = 2.0, rate: float = 40) -> None:
    """Drag the first dimension's slider to and fro, so many moves a second."""
    page = watched.page
    box = page.locator(".ve-slider input").first.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    count = int(seconds * rate)
    for step in range(count):
        started = time.perf_counter()
        across = 0.5 + 0.4 * ((step % 40) / 20 - 1) * (1 if step // 40 % 2 else -1)
        page.mouse.move(box["x"] + across * box["width"], middle)
        rest = 1 / rate - (time.perf_counter() - started)
        page.wait_for_timeout(max(0.0, 1000 * rest))
    page.mouse.up()
    page.wait_for_timeout(600)


def click_points(watched: Watched, count: int = 30) -> None:
    """Click here and there in the latent space."""
    page = watched.page
    box = page.locator(".ve-plot canvas").last.bounding_box()
    for step in range(count):
        left = box["x"] + box["width"] * (0.2 + 0.6 * (step * 7 % count) / count)
        top = box["y"] + box["height"] * (0.2 + 0.6 * (step * 11 % count) / count)
        page.mouse.click(left, top)
        page.wait_for_timeout(250)
    page.wait_for_timeout(600)
