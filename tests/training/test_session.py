"""Training called as a function, in a process that has other things to do."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.conftest import SMALL
from tests.e2e.runs import rows, state

QUIET = """
import logging, random, signal, sys

import numpy as np

def settings():
    root, ours = logging.getLogger(), logging.getLogger("vae_cli")
    return {
        "signals": [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)],
        "handlers": [(list(x.handlers), x.level, x.propagate) for x in (root, ours)],
        "filters": [h.filters[:] for h in root.handlers],
        "argv": sys.argv[:],
        "random": hash((random.getstate(), str(np.random.get_state()))),
    }

logging.basicConfig(stream=sys.stdout, format="caller: %(message)s")
before = settings()

from vae_cli.config.compose import compose
from vae_cli.training.session import train

run = train(compose(*sys.argv[1:], epochs=2, run_dir="run"))
assert str(run) == "run", run
assert settings() == before, (settings(), before)

import tensorflow as tf

assert tf.config.threading.get_intra_op_parallelism_threads() == 0
assert tf.config.experimental.tensor_float_32_execution_enabled()
"""
INTERRUPTED = """
import _thread, signal, sys, threading, time
from pathlib import Path

# a shell starts what runs in the background with SIGINT ignored
signal.signal(signal.SIGINT, signal.default_int_handler)

from vae_cli.config.compose import compose
from vae_cli.training.session import train

def press_ctrl_c():
    while not Path("run/checkpoints/last.weights.h5").exists():
        time.sleep(0.01)
    _thread.interrupt_main()

threading.Thread(target=press_ctrl_c, daemon=True).start()
try:
    train(compose(*sys.argv[1:], epochs=1000, run_dir="run"))
except KeyboardInterrupt as error:
    print(error)
"""
RESUMED = """
from vae_cli.config.compose import compose
from vae_cli.training.session import train

train(compose(resume="run"))
"""


def python(code: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=240,
    )


def test_training_changes_and_prints_nothing_of_the_callers(tmp_path: Path) -> None:
    done = python(QUIET, *SMALL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr == ""
    assert "epoch 2/2" in (tmp_path / "run" / "train.log").read_text()


def test_run_interrupted_from_the_keyboard_can_be_resumed(tmp_path: Path) -> None:
    done = python(INTERRUPTED, *SMALL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "resume with: vae-train resume=run" in done.stdout
    status = json.loads((tmp_path / "run" / "status.json").read_text())
    assert status["state"] == "interrupted"
    end = status["epoch"] + 2
    file = tmp_path / "run" / "config.yaml"  # a run of 1000 epochs takes a while
    file.write_text(file.read_text().replace("epochs: 1000", f"epochs: {end}"))
    done = python(RESUMED, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [int(row["epoch"]) for row in rows(tmp_path / "run")] == [*range(1, end + 1)]
    assert all(np.isfinite(x).all() for x in state(tmp_path / "run").values())
