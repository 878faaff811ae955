import os
import signal
import subprocess
import sys

import pytest

from vae_cli.workers import LAUNCHER

WORKER = "import time; from vae_cli.workers import *; follow_launcher(); time.sleep(3)"


@pytest.mark.parametrize(
    "launcher, status", [("its parent", 0), ("gone", -signal.SIGTERM)]
)
def test_worker_stops_when_its_launcher_is_gone(launcher, status):
    parent = str(os.getpid()) if launcher == "its parent" else "1"
    env = {**os.environ, LAUNCHER: parent}
    done = subprocess.run([sys.executable, "-c", WORKER], env=env, timeout=30)
    assert done.returncode == status


def test_process_that_follows_two_others_asks_itself_to_stop_once() -> None:
    code = (
        "import signal, time; from vae_cli.workers import follow; came = []\n"
        "signal.signal(signal.SIGTERM, lambda *about: came.append(1))\n"
        "follow(lambda: False); follow(lambda: False); time.sleep(0.5)\n"
        "follow(lambda: False, stopping=lambda: True); time.sleep(0.5)\n"
        "print(len(came))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "1\n"
