"""The process that sends a run: `python -m vae_cli.training.trackers.process FOLDER`.

Each line on its standard input signals a new epoch; the end of the input means that
training has ended, for whatever reason. Each line on its standard output is a JSON
object for `tracking.py`, with one of the keys

- `place`: where to view the record;
- `warning`: a message for the user;
- `failed`: why nothing can be sent; only the first of several failures is reported;
- `recovered`: everything that was missing has been sent;
- `alive`: something has been sent.
"""

import contextlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from vae_cli.plugins import load_plugins
from vae_cli.runs.folder import RunFolder
from vae_cli.training.trackers.base import reason
from vae_cli.training.trackers.sending import Sending, ended

RETRY_SECONDS = 60.0
"""Seconds between attempts after a failure; there is a last one when training ends."""

Reply = Callable[[str, Any], None]


def serve(folder: RunFolder, lines: TextIO, reply: Reply) -> None:
    """Send a run until the lines end, then close its record.

    Args:
        folder: the run.
        lines: one for each epoch.
        reply: takes a key and its value.
    """
    sending = Sending(
        folder,
        folder.load_config(),
        alive=lambda: reply("alive", True),
        warn=lambda text: reply("warning", text),
    )
    failed = False
    place = ""
    next_try = 0.0

    def attempt(send: Callable[[], None]) -> None:
        nonlocal failed, place, next_try
        try:
            send()
        except Exception as error:
            traceback.print_exc()  # into tracker.log
            next_try = time.monotonic() + RETRY_SECONDS
            if not failed:
                reply("failed", reason(error))
            failed = True
            return
        if failed:
            failed = False
            reply("recovered", True)
        if sending.place != place:
            place = sending.place
            reply("place", place)
        reply("alive", True)

    attempt(sending.update)
    for _ in lines:
        if not failed or time.monotonic() >= next_try:
            attempt(sending.update)
    attempt(lambda: sending.finish(ended(folder)))


def main() -> None:
    """Run `serve`; what packages print goes to standard error."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as replies:
        os.dup2(2, 1)

        def reply(key: str, value: Any) -> None:
            # if training was killed, the record is still closed
            with contextlib.suppress(BrokenPipeError):
                print(json.dumps({key: value}), file=replies, flush=True)

        try:
            load_plugins()
            serve(RunFolder(Path(sys.argv[1])), sys.stdin, reply)
        except Exception as error:
            traceback.print_exc()
            reply("failed", reason(error))


if __name__ == "__main__":
    main()
