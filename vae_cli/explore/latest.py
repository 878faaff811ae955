"""Runs the newest request of the browser; older waiting ones are dropped."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

PICTURE = ThreadPoolExecutor(1, thread_name_prefix="picture")
"""Thread for the decoded picture, which must not wait for anything else."""
BACKGROUND = ThreadPoolExecutor(1, thread_name_prefix="background")
"""Thread for everything else, one request at a time."""


class Latest:
    """Computes one request at a time; while it does, only the newest is kept.

    Args:
        failed: called with the error of a request that failed.
        thread: computes the requests.
    """

    def __init__(
        self,
        failed: Callable[[Exception], None],
        thread: ThreadPoolExecutor = BACKGROUND,
    ) -> None:
        self._failed = failed
        self._thread = thread
        self._waiting: tuple[Callable[[], Any], Callable[[Any], None]] | None = None
        self._task: asyncio.Task[None] | None = None

    def submit(self, compute: Callable[[], Any], show: Callable[[Any], None]) -> None:
        """Compute in the thread, then show the result in the event loop.

        A request that is still waiting is dropped.
        """
        self._waiting = (compute, show)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting is not None:
            compute, show = self._waiting
            self._waiting = None
            try:
                show(await loop.run_in_executor(self._thread, compute))
            except Exception as error:
                self._failed(error)
