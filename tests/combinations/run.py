"""Train some choices and use each run: python -m tests.combinations.run FIRST STEP

A process takes every STEP-th choice from FIRST on and
prints what went wrong with each as a line of JSON.
"""

import csv
import json
import math
import shutil
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from tests.combinations.covering import Choice, overrides
from vae_cli.config.compose import composed
from vae_cli.errors import VaeCliError
from vae_cli.runtime import start_tensorflow


def main() -> None:
    """Run choices.json of the current folder, which holds images.npz, too."""
    first, step = (int(word) for word in sys.argv[1:])
    choices = json.loads(Path("choices.json").read_text())
    start_tensorflow(composed("train", []))
    for number in range(first, len(choices), step):
        # every pair is trained and generated from; two in five go further
        further = number // step % 5 in (0, 2)
        problem = used(Path(f"run-{number}"), choices[number], further)
        line = {"number": number, "problem": problem, "choice": choices[number]}
        print(json.dumps(line), file=sys.__stdout__, flush=True)


def write_images(folder: Path) -> None:
    """Write 1.1 MiB of training images of three kinds: more than `memory_mb=1`."""
    rng = np.random.default_rng(0)
    labels = np.arange(2400) % 3
    images = rng.integers(0, 60, (2400, 24, 24, 1), dtype=np.uint8)
    for label in range(3):
        images[labels == label, 7 * label : 7 * label + 8, 3:20] += 180
    train, test = slice(0, 2340), slice(2340, None)
    np.savez(
        folder / "images.npz",
        x_train=images[train],
        y_train=labels[train],
        x_test=images[test],
        y_test=labels[test],
    )


def used(run: Path, choice: Choice, further: bool) -> str | None:
    """Train a choice, use the run, check the figures; returns a problem.

    Args:
        run: the folder.
        choice: what is trained.
        further: whether all commands use the run, not `vae-generate` alone.
    """
    try:
        _train(run, choice)
        _check_losses(run)
        if choice["conditioning"] == "observed":
            _refused("generate", run, "inpaints")
        else:
            _call("generate", run)
        if not further:
            return None
        own = json.loads((run / "metrics.json").read_text())["test"]["neg_elbo"]
        # a classifier is trained for samples: some of the choices will do
        drawn = ["generated_images=100"] if choice["pixel values"] == "static" else []
        _call("evaluate", run, "importance_samples=3", *drawn)
        found = json.loads((run / "evaluation" / "test.json").read_text())["neg_elbo"]
        if not math.isclose(own, found, rel_tol=1e-4):
            raise AssertionError(
                f"test -ELBO {own} at the end of training, now {found}"
            )
        if choice["validation"] != "none":
            _check_validation(run)
        small = ["num_images=20", "posterior_samples=3", "gibbs_steps=4"]
        if choice["corruption"] == "none" and choice["conditioning"] != "observed":
            small.append("corruption=half")
        _call("reconstruct", run, *small)
        if choice["conditioning"].startswith("label") and choice["classes"] != "all":
            _refused("anomaly", run, "label")
        else:
            _call("anomaly", run, "posterior_samples=2")
        _call("encode", run, "scores=true", "posterior_samples=2")
        _call("plot_latent", run)
    except Exception:
        return traceback.format_exc()
    finally:
        shutil.rmtree(run / "tensorboard", ignore_errors=True)
    return None


def _train(run: Path, choice: Choice) -> None:
    from vae_cli.training.session import train

    words = [*overrides(choice), f"run_dir={run}"]
    if choice["replicas"] == "one":
        train(composed("train", words))
        return
    # TensorFlow's collectives remember the shapes of a strategy before in the process
    command = [sys.executable, "-m", "vae_cli", "train", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise AssertionError(done.stderr[-3000:])


def _call(command: str, run: Path, *words: str) -> None:
    from importlib import import_module

    name = {"plot_latent": "plot"}.get(command, command)
    function = getattr(import_module(f"vae_cli.commands.{command}"), name)
    function(composed(command, [f"run={run}", *words]), [])


def _refused(command: str, run: Path, reason: str) -> None:
    try:
        _call(command, run)
    except VaeCliError as error:
        if reason not in str(error):
            raise
        return
    raise AssertionError(f"{command} was expected to be refused: {reason}")


def _check_losses(run: Path) -> None:
    with (run / "metrics.csv").open() as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    for row in rows:
        figures = {name: float(text) for name, text in row.items() if text}
        bad = [name for name, value in figures.items() if not math.isfinite(value)]
        for prefix in ("", "val_"):
            if f"{prefix}loss" in figures:
                parts = figures[f"{prefix}reconstruction_loss"]
                parts += figures["beta"] * figures[f"{prefix}kl_loss"]
                if not math.isclose(figures[f"{prefix}loss"], parts, rel_tol=1e-5):
                    bad.append(f"{prefix}loss is not the sum of its parts")
        if bad:
            raise AssertionError(f"{bad} in {row}")


def _check_validation(run: Path) -> None:
    """The bound that selected the checkpoint is the one that evaluation finds."""
    _call("evaluate", run, "split=validation", "importance_samples=null")
    found = json.loads((run / "evaluation" / "validation.json").read_text())
    with (run / "metrics.csv").open() as file:
        (row,) = csv.DictReader(file)
    own = float(row["val_neg_elbo"])
    # of several samples: other noise, and mixtures estimate the KL with all of them
    several = bool(row.get("val_neg_iwae"))
    relative, absolute = (0.05, 3 * found["neg_elbo_se"]) if several else (1e-4, 0)
    # a prior of codes is learned after the epochs
    again = found["neg_elbo_uniform"] or found["neg_elbo"]
    if not math.isclose(own, again, rel_tol=relative, abs_tol=absolute):
        raise AssertionError(
            f"validation -ELBO {own} in training, {again} by vae-evaluate"
        )


if __name__ == "__main__":
    main()
