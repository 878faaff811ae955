"""Several replicas take the steps of one; real processes, since devices are settled
once a process."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import train_here, vae
from tests.helpers import grey_images
from vae_cli.runs.folder import RunFolder

OPTIONS = (
    "dataset=synthetic", "dataset.num_images=200", "dataset.image_size=12",
    "dataset.validation_size=41", "dataset.binarize=dynamic", "architecture=dense",
    "architecture.hidden_units=[30]", "architecture.normalization=batch",
    "latent_dim=5", "batch_size=32", "seed=3", "optimizer.clip_norm=5",
    "optimizer.ema_decay=0.9", "free_bits=0.05", "steps_per_execution=3",
)  # fmt: skip
"""5 steps an epoch, the last of 31 images: an odd number, for replicas to share."""
TWO = ("distribution=mirrored", "distribution.devices=[CPU:0,CPU:1]")
LAUNCH = ("launch", "--workers", "2", "train")


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_here(tmp_path_factory.mktemp("single") / "run", *OPTIONS, "epochs=2")


def trajectory(run: Path) -> np.ndarray:
    """Every figure of every epoch but the clock's."""
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    clock = ("seconds", "images_per_second")
    return np.array([[float(v) for k, v in r.items() if k not in clock] for r in rows])


def reconstructions(run: Path) -> np.ndarray:
    """What the last weights make of some images.

    Not the weights: a bias before a normalization has no gradient but rounding errors,
    which Adam makes as large as any other.
    """
    from vae_cli.run import Run

    return np.asarray(Run(RunFolder(run), "last").vae(grey_images(9, 12, 12)))


def assert_same(run: Path, single: Path) -> None:
    np.testing.assert_allclose(trajectory(run), trajectory(single), rtol=3e-4)
    np.testing.assert_allclose(reconstructions(run), reconstructions(single), atol=1e-4)


def files(run: Path) -> set[str]:
    found = {str(file.relative_to(run)) for file in run.rglob("*") if file.is_file()}
    return {name for name in found if "tfevents" not in name}


def test_devices_of_one_process_train_as_one_does(single: Path, tmp_path: Path) -> None:
    done = vae("train", *OPTIONS, *TWO, "epochs=2", "run_dir=run", cwd=tmp_path)
    assert done.status == 0, done.stderr
    assert_same(tmp_path / "run", single)


@pytest.mark.slow
def test_workers_train_as_one_does(single: Path, tmp_path: Path) -> None:
    done = vae(*LAUNCH, *OPTIONS, "epochs=2", "run_dir=run", cwd=tmp_path)
    assert done.status == 0, done.stderr
    assert done.stdout.splitlines() == ["run"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["run"]
    assert_same(tmp_path / "run", single)


@pytest.mark.slow
def test_workers_go_on_as_one_would(single: Path, tmp_path: Path) -> None:
    done = vae(*LAUNCH, *OPTIONS, "epochs=1", "run_dir=run", cwd=tmp_path)
    assert done.status == 0, done.stderr
    done = vae(*LAUNCH, "resume=run", "epochs=2", cwd=tmp_path)
    assert done.status == 0, done.stderr
    assert files(tmp_path / "run") == files(single)
    assert_same(tmp_path / "run", single)


@pytest.mark.slow
def test_slurm_says_who_the_workers_are(single: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "vae_cli", "train", *OPTIONS, "epochs=2",
               "distribution=multi_worker", "threads=1", "run_dir=run"]  # fmt: skip
    job = {
        "SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NODELIST": "localhost",
        "SLURM_STEP_TASKS_PER_NODE": "2",
    }  # fmt: skip
    workers = [
        subprocess.Popen(
            command, cwd=tmp_path, env=os.environ | job | {"SLURM_PROCID": str(index)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for index in range(2)
    ]  # fmt: skip
    said = [worker.communicate(timeout=120) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    assert [stdout for stdout, _ in said] == ["run\n", ""]
    assert_same(tmp_path / "run", single)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX signals")
def test_killed_worker_ends_the_others_and_leaves_a_run_to_go_on_with(
    tmp_path: Path,
) -> None:
    launched = subprocess.Popen(
        [sys.executable, "-m", "vae_cli", *LAUNCH, *OPTIONS, "epochs=9999",
         "run_dir=run"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    metrics = tmp_path / "run" / "metrics.csv"
    deadline = time.monotonic() + 120
    while not metrics.exists() or len(metrics.read_text().splitlines()) < 3:
        assert time.monotonic() < deadline and launched.poll() is None
        time.sleep(0.1)
    children = Path(f"/proc/{launched.pid}/task/{launched.pid}/children")
    os.kill(int(children.read_text().split()[1]), signal.SIGKILL)
    _, stderr = launched.communicate(timeout=60)
    assert launched.returncode == 1
    assert "worker 1 of 2 was killed by SIGKILL" in stderr
    assert "vae launch --workers 2 train resume=" in stderr
    assert "Traceback" not in stderr
    status = RunFolder(tmp_path / "run").status()
    assert status["state"] in ("failed", "interrupted")
    assert len(trajectory(tmp_path / "run")) == status["epoch"] >= 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments, message",
    [
        (("train", *OPTIONS, *TWO, "batch_size=33"), "batch_size=32, batch_size=34"),
        (
            ("train", *OPTIONS, TWO[0], "distribution.devices=[GPU:7]"),
            "distribution.devices=[CPU:0,CPU:1]",
        ),
        (("train", *OPTIONS, "distribution=multi_worker"), "vae launch --workers 2"),
        (("train", "distribution=tpu"), "without one: distribution=single"),
        (("launch", "--workers", "two", "train"), "must be a number"),
        (("launch", "train"), "vae launch --workers 2 train"),
        ((*LAUNCH, "distribution=single"), "distribution=multi_worker, not single"),
        ((*LAUNCH, "-m", "seed=1,2"), "sweeps are vae-train -m"),
        (
            ("train", TWO[0], "distribution.devices=[CPU:0,CPU:0]"),
            "[GPU:0,GPU:1] or [CPU:0,CPU:1]",
        ),
        (
            ("train", "distribution=tpu", "architecture.normalization=batch"),
            "architecture.normalization=layer",
        ),
    ],
    ids=[
        "batch", "device", "no cluster", "no tpu", "number", "usage", "one", "sweep",
        "twice", "filled up",
    ],
)  # fmt: skip
def test_what_can_not_be_shared_is_refused_before_a_folder_is_made(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    done = vae(*arguments, cwd=tmp_path)
    assert done.status in (1, 2), done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
