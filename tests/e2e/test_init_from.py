"""`init_from=` and `freeze=`: weights of another run, as far as they fit."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import SMALL, Finished, refused
from tests.e2e.runs import rows
from vae_cli import load

Command = Callable[..., Finished]
ALIKE = (
    *(word for word in SMALL if not word.startswith("architecture")),
    "architecture=conv", "architecture.filters=[4,8]",
)  # fmt: skip
"""The words of `trained`, but for latent_dim and epochs."""
STILL = "optimizer.learning_rate=1e-12"


def weights(run: Path, part: str, checkpoint: str = "last") -> list[np.ndarray]:
    return getattr(load(run, checkpoint=checkpoint).vae, part).get_weights()


def same(run: Path, other: Path, part: str) -> bool:
    """Whether a run ended with the weights that another one had at its best."""
    pairs = zip(weights(run, part), weights(other, part, "best"), strict=True)
    return all(np.allclose(one, two, atol=1e-9) for one, two in pairs)


def test_run_begins_with_all_weights_of_another(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = (*ALIKE, "latent_dim=3", "epochs=1", STILL, f"run_dir={run}")
    done = command("train", *words, f"init_from={trained}")
    assert done.status == 0, done.stderr
    assert "weights taken" in done.stderr
    assert "at random" not in done.stderr
    assert same(run, trained, "encoder")
    assert same(run, trained, "decoder")
    assert f"  run: {trained}\n" in (run / "config.yaml").read_text()


def test_one_network_is_taken_alone(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    done = command(
        "train", *ALIKE, "latent_dim=3", "epochs=1", STILL, f"run_dir={run}",
        f"init_from={trained}", "init_from.parts=encoder",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    assert same(run, trained, "encoder")
    assert not same(run, trained, "decoder")


def test_frozen_network_keeps_its_weights_also_when_resumed(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    source, run = tmp_path / "source", tmp_path / "run"
    shutil.copytree(trained, source)
    done = command(
        "train", *ALIKE, "latent_dim=3", "epochs=1", f"run_dir={run}",
        f"init_from={source}", "freeze=encoder",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    assert "freeze=encoder" in done.stderr
    assert same(run, trained, "encoder")
    assert not same(run, trained, "decoder")
    shutil.rmtree(source)  # its weights are the run's own by now
    before = weights(run, "decoder")
    done = command("train", f"resume={run}", "epochs=2")
    assert done.status == 0, done.stderr
    assert same(run, trained, "encoder")
    assert not np.allclose(before[0], weights(run, "decoder")[0])


def test_what_has_another_shape_is_told_and_stays_random(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    done = command(
        "train", *ALIKE, "latent_dim=2", "epochs=1", f"run_dir={tmp_path / 'run'}",
        f"init_from={trained}",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    assert "at random: " in done.stderr
    assert "(there [" in done.stderr


def test_weights_at_random_are_never_frozen(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    done = command(
        "train", *ALIKE, "latent_dim=2", "epochs=1", f"run_dir={run}",
        f"init_from={trained}", "freeze=encoder",
    )  # fmt: skip
    refused(done, "freeze=encoder would keep", "encoder/", "leave out freeze=encoder")


def test_weights_of_another_architecture_are_refused(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    words = (*SMALL, "latent_dim=3", "epochs=1")
    run = tmp_path / "run"
    done = command("train", *words, f"init_from={trained}", f"run_dir={run}")
    refused(done, "none of its weights fits", "architecture=conv")
    assert not run.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["init_from=nowhere"], "init_from=nowhere does not exist"),
        (["init_from.parts=decoder"], "needs a run to take it from"),
        (["freeze=encoder"], "init_from=<run folder>"),
        (["init_from.parts=half"], "all, encoder, decoder"),
    ],
)
def test_what_makes_no_sense_is_refused(
    command: Command, tmp_path: Path, words: list[str], message: str
) -> None:
    run = tmp_path / "run"
    done = command("train", *ALIKE, "latent_dim=3", *words, f"run_dir={run}")
    refused(done, message)
    assert not run.exists()


def test_fine_tuned_run_begins_where_the_other_ended(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    bounds = []
    for name, words in (("cold", ()), ("warm", (f"init_from={trained}",))):
        run = tmp_path / name
        done = command(
            "train", *ALIKE, "latent_dim=3", "epochs=1", "seed=5", f"run_dir={run}",
            *words,
        )  # fmt: skip
        assert done.status == 0, done.stderr
        bounds.append(float(rows(run)[0]["val_neg_elbo"]))
    assert bounds[1] < bounds[0] - 1


def test_run_is_inspected_before_it_starts_from_another_and_when_that_is_gone(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    outputs, run = tmp_path / "outputs", tmp_path / "run"
    shutil.copytree(trained, outputs / "source")
    words = (*ALIKE, "latent_dim=3", "epochs=1", f"output_root={outputs}")
    started = (*words, "init_from=latest")
    done = command("inspect", *started, "measure=false", f"output={tmp_path / 'i'}")
    assert done.status == 0, done.stderr
    assert "weights taken" in done.stderr
    assert command("train", *started, f"run_dir={run}").status == 0
    shutil.rmtree(outputs)
    done = command("inspect", f"run={run}", "measure=false")
    assert done.status == 0, done.stderr
