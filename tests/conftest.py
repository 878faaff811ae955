"""Helpers that run the real commands: in a process of their own, or in this one."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from vae_cli import plugins, registry

# as `vae train` sets them: in a process that tests share, none can change them later
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(os.cpu_count() or 1)

SMALL = (
    "dataset=synthetic",
    "dataset.image_size=12",
    "dataset.num_images=300",
    "dataset.validation_size=60",
    "architecture=dense",
    "architecture.hidden_units=[16]",
    "batch_size=32",
    "steps_per_execution=2",
    "optimizer.learning_rate=0.01",
)
"""A run of a second: 240 training images, 8 steps an epoch."""
TINY = (
    "dataset=synthetic",
    "dataset.image_size=12",
    "dataset.num_images=80",
    "dataset.validation_size=30",
    "batch_size=50",
    "epochs=1",
)
"""A run of one step: 50 training, 30 validation and 16 test images."""


@dataclass
class Finished:
    """How a command ended."""

    status: int
    stdout: str
    stderr: str


def vae(*arguments: str, cwd: Path, timeout: float = 240) -> Finished:
    """Run `vae ...` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "vae_cli", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "COLUMNS": "200"},
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def refused(done: Finished, *parts: str, status: int = 1) -> None:
    """Check that a command ended with one message that has these parts."""
    assert done.status == status, done.stderr
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in done.stderr


def train_here(run: Path, *overrides: str) -> Path:
    """Train in this process, where TensorFlow has started already."""
    from vae_cli.config.compose import composed
    from vae_cli.training.session import train

    train(composed("train", [*overrides, f"run_dir='{run}'"]))
    return run


def evaluate_here(run: Path, *overrides: str) -> dict[str, Any]:
    """Evaluate a run in this process; returns the report read back from its file."""
    from vae_cli.commands.evaluate import evaluate
    from vae_cli.config.compose import composed

    config = composed("evaluate", [f"run='{run}'", *overrides])
    evaluate(config, [])
    return json.loads(
        (run / "evaluation" / f"{config.split or 'test'}.json").read_text()
    )


@pytest.fixture(scope="session", autouse=True)
def cache_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the decoded pictures of tests out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def unloaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Forgets the plugins that a test loads in this process, now and at its end."""
    before = {group: dict(options) for group, options in registry.OPTIONS.items()}
    monkeypatch.setattr(plugins, "_loaded", {})

    def forget() -> None:
        monkeypatch.setenv(plugins.VARIABLE, "")
        plugins._loaded.clear()
        for group, options in registry.OPTIONS.items():
            for name in set(options) - set(before.get(group, {})):
                if registry.origin_of(options[name]):
                    del options[name]

    forget()
    yield forget
    forget()


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    unloaded: Callable[[], None],
) -> Callable[..., Finished]:
    """Run `vae ...` in this process, where TensorFlow has started already."""
    from vae_cli.cli import main

    log = logging.getLogger("vae_cli")

    def run(*arguments: str) -> Finished:
        monkeypatch.setattr(sys, "argv", ["vae", *arguments])
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:  # a process of its own would have ended
            log.handlers.clear()
            log.propagate = True
        output = capsys.readouterr()
        code = ended.value.code
        return Finished(int(code or 0), output.out, output.err)

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of six epochs on shapes, z = 3; look, don't change."""
    root = tmp_path_factory.mktemp("trained")
    size = ("architecture=conv", "architecture.filters=[4,8]")
    rest = [o for o in SMALL if not o.startswith("architecture")]
    done = vae(
        "train", *rest, *size, "latent_dim=3", "epochs=6", "run_dir=run", cwd=root
    )
    assert done.status == 0, done.stderr
    assert done.stdout == "run\n"
    return root / "run"
