"""Ctrl-C and SIGTERM: stop at a moment when everything can be saved."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from vae_cli.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """Turns the first signal into an orderly stop; the second ends the process.

    Any two signals count, of one kind or of two. While `deferred`, the first one only
    sets `received`, and the code that set `deferred` checks it; otherwise it raises
    `Interrupted`. The second one calls `last_words` and exits with status 130, from
    within the handler: an exception could get lost in TensorFlow's own code. Further
    ones change nothing.

    Attributes:
        deferred: whether a signal waits to be looked for.
        received: whether one has come.
        agree: given whether one has come here, says whether one has come anywhere.
        last_words: called when a second one has come; writes the run's status.
    """

    def __init__(self) -> None:
        self.received = False
        self._ended = False
        self.reset()

    def reset(self) -> None:
        """Forget the training that has ended, but not a signal that has come."""
        self.deferred = False
        self.agree: Callable[[bool], bool] = bool
        self.last_words: Callable[[], None] = lambda: None

    def requested(self) -> bool:
        """Return whether to stop now; all workers get the same answer."""
        return self.agree(self.received)

    def look(self) -> None:
        """End the deferral; stop now if a signal has come in the meantime."""
        self.deferred = False
        if self.requested():
            raise Interrupted("stopped after the last save")

    def end(self) -> None:
        """Ignore signals from now on: the process is about to exit."""
        self._ended = True
        # Python puts back what ends the process when it finalises, but for this
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Take a signal; installed by `listening`."""
        if self._ended:
            return
        if not self.received:
            self.received = True
            if not self.deferred:
                raise Interrupted(f"stopped by {signal.Signals(number).name}")
            return
        self._ended = True
        try:
            self.last_words()
            os.write(2, b"stopped at once by a second signal\n")
        finally:
            os._exit(Interrupted.exit_status)


_current: list[StopSignal] = []


@contextlib.contextmanager
def listening() -> Iterator[StopSignal]:
    """Listen to signals within the block; yield what says whether one has come.

    A process has one `StopSignal`, from the outermost block on. When that block ends
    without a signal, the handlers before it return; after a signal they don't, since
    the process is about to exit, and further signals must not change its status.
    """
    if _current:
        try:
            yield _current[0]
        finally:
            _current[0].reset()
        return
    stop = StopSignal()
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, stop.handle) for number in SIGNALS}
    _current.append(stop)
    try:
        yield stop
    finally:
        _current.clear()
        if stop.received:
            stop.end()
        else:
            for number, handler in before.items():
                signal.signal(number, handler)
