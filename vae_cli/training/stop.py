"""Ctrl-C and SIGTERM: stop at a moment when everything can be saved."""

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from vae_cli.errors import Interrupted


class StopSignal:
    """Turns the first signal into an orderly stop; a second one stops at once.

    Use as a context manager around training. While `deferred`, a signal only sets
    `received`, and whoever set `deferred` looks; otherwise it raises `Interrupted`.

    Attributes:
        deferred: whether a signal waits to be looked for.
        received: whether one has come.
        agree: given whether one has come here, says whether one has come anywhere.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.deferred = False
        self.received = False
        self.agree: Callable[[bool], bool] = bool
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopSignal":
        for number in self.SIGNALS:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def asked(self) -> bool:
        """Return whether to stop now; all workers get the same answer."""
        return self.agree(self.received)

    def look(self) -> None:
        """End the deferral; stop now if a signal has come in the meantime."""
        self.deferred = False
        if self.asked():
            raise Interrupted("stopped after the last save")

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received:
            raise KeyboardInterrupt
        self.received = True
        if not self.deferred:
            raise Interrupted(f"stopped by {signal.Signals(number).name}")
