"""Signals: the first stops in order, the second at once, the rest are ignored."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import SMALL
from vae_cli.errors import Interrupted
from vae_cli.training.stop import listening

TWO = """
import os, signal
from vae_cli.commands._main import run_guarded
from vae_cli.training.stop import listening

def main():
    with listening() as stop:
        stop.deferred = True
        stop.last_words = lambda: print("last words", flush=True)
        for name in {names}:
            os.kill(os.getpid(), getattr(signal, name))
    return 0

run_guarded(main)
"""
LOST = """
import os, signal
from vae_cli.commands._main import run_guarded

def main():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except BaseException as error:
        raise SystemError("returned a result with an exception set") from error

run_guarded(main)
"""


def test_first_signal_raises_and_is_remembered() -> None:
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    try:
        with pytest.raises(Interrupted, match="SIGTERM"), listening() as stop:
            os.kill(os.getpid(), signal.SIGTERM)
        assert stop.received
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])


def test_deferred_signal_waits_until_it_is_looked_for() -> None:
    with listening() as stop:
        stop.deferred = True
        stop.received = True
        assert stop.requested()
        with pytest.raises(Interrupted):
            stop.look()
        stop.received = False


def test_handlers_return_after_a_block_without_a_signal() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with listening() as outer:
        with listening() as inner:
            assert inner is outer
        assert signal.getsignal(signal.SIGTERM) == outer.handle
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(
    "names",
    [
        ["SIGTERM", "SIGTERM"],
        ["SIGTERM", "SIGINT"],
        ["SIGINT", "SIGTERM", "SIGINT", "SIGINT", "SIGTERM", "SIGTERM"],
    ],
    ids=["same", "mixed", "six"],
)
def test_second_signal_of_any_kind_speaks_last_words_and_ends(names: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TWO.format(names=names)], capture_output=True, text=True
    )
    assert done.returncode == 130, done.stderr
    assert done.stdout == "last words\n"
    assert done.stderr == "stopped at once by a second signal\n"


def test_error_that_a_signal_surfaces_as_is_an_interruption() -> None:
    done = subprocess.run([sys.executable, "-c", LOST], capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stderr == "interrupted\n"


def catches(pid: int, number: int) -> bool:
    """Return whether a process has a handler for a signal, by Linux's own account."""
    (mask,) = re.findall(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
    return bool(int(mask, 16) >> (number - 1) & 1)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
@pytest.mark.parametrize("after", [0.0, 1.5])
def test_two_signals_in_start_up_end_with_130(tmp_path: Path, after: float) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "vae_cli", "train", *SMALL, "run_dir=run"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not catches(child.pid, signal.SIGTERM):
        assert child.poll() is None
        time.sleep(0.005)
    time.sleep(after)
    child.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    child.send_signal(signal.SIGTERM)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 130, errors
    assert "Traceback" not in errors


@pytest.mark.slow
def test_six_signals_in_training_leave_an_interrupted_run(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "vae_cli", "train", *SMALL, "epochs=100000",
         "run_dir=run"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    deadline = time.perf_counter() + 120
    while not (tmp_path / "run" / "checkpoints" / "last.weights.h5").exists():
        assert time.perf_counter() < deadline and child.poll() is None
        time.sleep(0.05)
    for number in [signal.SIGTERM, signal.SIGINT] * 3:
        child.send_signal(number)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 130, errors
    assert "Traceback" not in errors
    status = json.loads((tmp_path / "run" / "status.json").read_text())
    assert status["state"] == "interrupted"


LATE = """
import atexit, os, signal, sys, time
from vae_cli.commands._main import run_guarded

def main():
    os.kill(os.getpid(), signal.SIGTERM)
    return 0

class Slow:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)

sys.modules["slow"] = Slow()  # gone when Python has given back its own handlers
run_guarded(main)
"""


def test_signal_while_the_process_winds_up_changes_no_status() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LATE], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
