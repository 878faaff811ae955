"""The worker processes of one training, and which of them this is; no TensorFlow.

They find each other by TF_CONFIG (`vae launch` sets it), or by Slurm.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import FrameType

from vae_cli.config.distribution import DistributionConfig
from vae_cli.errors import ConfigError, Interrupted

GRACE = 15
"""Seconds that workers have to end by themselves once one of them is gone."""

_signalled = threading.Lock()
"""Held once this process has asked itself to stop."""

LAUNCHER = "VAE_CLI_LAUNCHER"
"""Environment variable: id of the process that started this one."""


def worker_index(config: DistributionConfig) -> int:
    """Return this process's number; 0 is the chief, who writes the run folder.

    Raises:
        ConfigError: there should be several workers, but nothing says which.
    """
    if not config.has_workers:
        return 0
    settings = os.environ.get("TF_CONFIG")
    if settings is None:
        if "SLURM_PROCID" in os.environ:
            return int(os.environ["SLURM_PROCID"])
        raise ConfigError(
            "distribution=multi_worker needs the workers' addresses in TF_CONFIG.",
            "on one machine: vae launch --workers 2 train ...",
            'on several: start the command on each, with TF_CONFIG=\'{"cluster": '
            '{"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", '
            '"index": 0}}\'',
        )
    try:
        values = json.loads(settings)
        task = values["task"]
        index, known = int(task["index"]), values["cluster"]["worker"]
        if task["type"] != "worker" or not 0 <= index < len(known):
            raise ValueError(f"there is no {task['type']} {index}")
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"TF_CONFIG={settings} is not what TensorFlow takes: {error}",
            'needed: {"cluster": {"worker": [addresses]}, "task": {"type": "worker", '
            '"index": number}}',
        ) from error
    return index


@contextlib.contextmanager
def handing_on_signals(send: Callable[[int], None]) -> Iterator[None]:
    """Hand the signals that ask this process to stop on to its children.

    Args:
        send: sends a signal to them.
    """

    def hand_on(number: int, frame: FrameType | None) -> None:
        # a terminal that closes stops them as a Ctrl-C does: saved
        send(signal.SIGTERM if number == signal.SIGHUP else number)

    with handling((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), hand_on):
        yield


@contextlib.contextmanager
def handling(
    numbers: Iterable[int], handler: Callable[[int, FrameType | None], None]
) -> Iterator[None]:
    """Handle signals within the block; the handlers before it return after it.

    Args:
        numbers: of the signals.
        handler: takes a signal's number and the frame that it interrupts.
    """
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def follow_launcher(stopping: Callable[[], bool] = bool) -> None:
    """Save and stop this process once the process that started it has ended.

    `vae launch` starts workers, a sweep starts jobs; none may continue unnoticed.

    Args:
        stopping: whether a signal has come already; a second one would save nothing.
    """
    launcher = os.environ.get(LAUNCHER)
    if launcher is not None:
        follow(lambda: os.getppid() == int(launcher), stopping)


def follow(alive: Callable[[], bool], stopping: Callable[[], bool] = bool) -> None:
    """Save and stop this process once another process has ended.

    Args:
        alive: whether the other process still runs; called every second, in a thread.
        stopping: whether a signal has come already; a second one would save nothing.
    """

    def watch() -> None:
        while alive():
            time.sleep(1)
        # what is gone may be followed in two ways
        if not stopping() and _signalled.acquire(blocking=False):
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def wait_until(done: Callable[[], bool], seconds: float = GRACE) -> bool:
    """Wait until `done()` is true, at most `seconds`; returns whether it is."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def cores() -> int:
    """Return how many CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Workers:
    """Processes of one training on this machine."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, command: list[str], count: int) -> None:
        """Start them.

        Args:
            command: arguments of `vae`, the same for all.
            count: how many.
        """
        addresses = _free_addresses(count)
        for index in range(count):
            self._processes.append(
                subprocess.Popen(
                    [sys.executable, "-P", "-m", "vae_cli", *command],
                    # a terminal's Ctrl-C comes through us, once
                    start_new_session=True,
                    env=os.environ
                    | {
                        "TF_CONFIG": _cluster(addresses, index),
                        LAUNCHER: str(os.getpid()),
                    },
                )
            )

    def send_signal(self, number: int) -> None:
        """Hand a signal on to those that still run."""
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(number)

    def wait(self) -> int | None:
        """Wait for all to end; where one fails, end the others and return its number.

        The others first have time to say what they saw.
        """
        while None in (states := [process.poll() for process in self._processes]):
            if any(states):
                break
            time.sleep(0.1)
        failed = [index for index, status in enumerate(states) if status]
        deadline = time.monotonic() + GRACE
        while failed and None in (p.poll() for p in self._processes):
            # workers that are stopping need time to save
            stopped = {states[index] for index in failed} == {Interrupted.exit_status}
            if time.monotonic() > deadline and not stopped:
                break
            time.sleep(0.1)
        self.kill()
        return failed[0] if failed else None

    def kill(self) -> None:
        """Leave none behind."""
        for process in self._processes:
            process.kill()
            process.wait()

    def status(self, index: int) -> int:
        """Return one's exit status, once it has ended."""
        return self._processes[index].returncode


def _cluster(addresses: list[str], index: int) -> str:
    """Return what TF_CONFIG holds for one worker."""
    task = {"type": "worker", "index": index}
    return json.dumps({"cluster": {"worker": addresses}, "task": task})


def _free_addresses(count: int) -> list[str]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("localhost", 0))
    addresses = [f"localhost:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return addresses
