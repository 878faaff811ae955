"""`vae launch`: the workers of one training on this machine, started and watched."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from types import FrameType

from vae_cli.errors import Interrupted, TrainingError, UsageError
from vae_cli.runs.resume import resumable

USAGE = "vae launch --workers 2 train experiment=dense"
GRACE = 15
"""Seconds that the others have to end by themselves once one is gone."""


def launch_command(arguments: list[str]) -> int:
    """Start `vae train` several times, as workers of one training.

    Raises:
        UsageError: anything but `--workers N train ...`.
        TrainingError: a worker failed; the others have been ended.
        Interrupted: stopped by Ctrl-C or SIGTERM, after the workers have saved.
    """
    count, command = _parsed(arguments)
    if "resume=latest" in command:
        # a worker that came later would find the chief's run in use
        folder = resumable("latest", "outputs", longer=False)
        command[command.index("resume=latest")] = f"resume={folder}"
    if not any(a.startswith(("distribution=", "resume=")) for a in command):
        command.append("distribution=multi_worker")
    workers = _start(count, command)

    def hand_on(number: int, frame: FrameType | None) -> None:
        for worker in workers:
            if worker.poll() is None:
                worker.send_signal(number)

    before = {n: signal.signal(n, hand_on) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        first = _first_failure(workers)
        if first is not None:
            _end(workers)
    finally:
        for worker in workers:
            worker.kill()  # nothing of ours is left behind
        for number, handler in before.items():
            signal.signal(number, handler)
    if first is None:
        return 0
    status = workers[first].returncode
    if status == Interrupted.exit_status:
        raise Interrupted("")
    how = f"killed by {signal.Signals(-status).name}" if status < 0 else "failed"
    raise TrainingError(
        f"worker {first} of {count} was {how}; the others have been ended."
        if status < 0
        else f"worker {first} of {count} {how}; the others have been ended.",
        "what was trained is kept up to the last epoch; go on with: "
        f"vae launch --workers {count} train resume=<run folder>",
    )


def _parsed(arguments: list[str]) -> tuple[int, list[str]]:
    if len(arguments) < 3 or arguments[0] != "--workers" or arguments[2] != "train":
        raise UsageError(
            f"vae launch {' '.join(arguments)} doesn't say how many train.",
            f"such as: {USAGE}",
        )
    if not arguments[1].isdigit() or int(arguments[1]) < 1:
        raise UsageError(f"--workers {arguments[1]} must be a number, at least 1.")
    return int(arguments[1]), arguments[2:]


def _start(count: int, command: list[str]) -> list[subprocess.Popen[bytes]]:
    addresses = _free_addresses(count)
    # the machine's cores are shared out, or each worker would take them all
    threads = max(1, (os.cpu_count() or 1) // count)
    if not any(a.startswith(("threads=", "resume=")) for a in command):
        command = [*command, f"threads={threads}"]
    return [
        subprocess.Popen(
            [sys.executable, "-P", "-m", "vae_cli", *command],
            # a terminal's Ctrl-C comes through us, once
            start_new_session=True,
            env={
                **os.environ,
                "TF_CONFIG": json.dumps(
                    {
                        "cluster": {"worker": addresses},
                        "task": {"type": "worker", "index": index},
                    }
                ),
            },
        )
        for index in range(count)
    ]


def _free_addresses(count: int) -> list[str]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("localhost", 0))
    found = [f"localhost:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return found


def _first_failure(workers: list[subprocess.Popen[bytes]]) -> int | None:
    """Wait until all have ended well, or one hasn't; return its number."""
    while True:
        states = [worker.poll() for worker in workers]
        for index, status in enumerate(states):
            if status:
                return index
        if all(status == 0 for status in states):
            return None
        time.sleep(0.1)


def _end(workers: list[subprocess.Popen[bytes]]) -> None:
    """Give the others time to say what they saw, then end them."""
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline and any(w.poll() is None for w in workers):
        time.sleep(0.1)
    for worker in workers:
        if worker.poll() is None:
            worker.kill()
            worker.wait()
