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
