"""Objectives beside the ELBO, through their commands."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import SMALL, TINY, Finished, refused, train_here, vae
from tests.e2e.runs import assert_equal_runs, rows

Command = Callable[..., Finished]
NAMES = {
    "beta_tc": (
        ("objective=beta_tc",),
        {
            "penalty",
            "mutual_information",
            "total_correlation",
            "dimension_wise_kl",
        },
    ),
    "factor": (
        ("objective=factor", "objective.hidden_units=[16,16]"),
        {"penalty", "discriminator_loss", "total_correlation"},
    ),
    "dip": (("objective=dip",), {"penalty"}),
    "wae": (
        ("objective=mmd", "beta=0", "likelihood=gaussian"),
        {"penalty", "neg_infovae", "val_neg_infovae"},
    ),
    "capacity": (
        ("objective=capacity", "objective.duration=3"),
        {"penalty", "capacity"},
    ),
    "geco": (
        ("objective=geco", "objective.tolerance=18"),
        {"constraint", "lagrange_multiplier"},
    ),
    "sticking the landing": (("objective.sticking_the_landing=true",), set()),
    "two levels, doubly": (
        (
            "objective=iwae",
            "objective.doubly_reparameterized=true",
            "hierarchy=two_level",
            "hierarchy.hidden_units=[8]",
        ),
        {
            *("neg_iwae", "val_neg_iwae", "kl_level_0", "kl_level_1"),
            *("val_kl_level_0", "val_kl_level_1"),
        },
    ),
}
"""What is trained, and the columns that it has in addition to those of the ELBO."""
USUAL = {
    *("epoch", "seconds", "images_per_second", "learning_rate", "beta", "loss"),
    *("reconstruction_loss", "kl_loss", "neg_elbo", "active_units", "val_loss"),
    *("val_reconstruction_loss", "val_kl_loss", "val_neg_elbo", "val_active_units"),
}
FAST = ("factor", "geco")
"""Those with weights and with a state of their own."""
SLOW = [pytest.param(n, marks=pytest.mark.slow) for n in NAMES if n not in FAST]


@pytest.mark.parametrize("name", [*FAST, *SLOW])
def test_resumed_run_equals_uninterrupted_run_and_logs_what_it_adds(
    name: str, tmp_path: Path, command: Command
) -> None:
    options, columns = NAMES[name]
    small = (*SMALL, *options, "latent_dim=3", "optimizer.ema_decay=0.9")
    whole = train_here(tmp_path / "whole", *small, "epochs=3")
    parts = train_here(tmp_path / "parts", *small, "epochs=1")
    resumed = command("train", f"resume={parts}", "epochs=3")
    assert resumed.status == 0, resumed.stderr
    assert_equal_runs(whole, parts)
    assert set(rows(whole)[0]) == USUAL | columns
    for row in rows(whole):
        numbers = {key: float(value) for key, value in row.items()}
        total = numbers["reconstruction_loss"] + numbers["beta"] * numbers["kl_loss"]
        assert numbers["loss"] == pytest.approx(total, rel=1e-5)
    metrics = json.loads((whole / "metrics.json").read_text())
    bound = next((c for c in columns if c.startswith("val_neg_")), "val_neg_elbo")
    smallest = min(float(row[bound]) for row in rows(whole))
    assert metrics["best_" + bound.removeprefix("val_")] == pytest.approx(smallest)


@pytest.mark.slow  # its runs have processes of their own
def test_multiplier_is_the_same_on_replicas(tmp_path: Path) -> None:
    small = (*SMALL, *NAMES["geco"][0], "latent_dim=3", "epochs=1")
    two = ("distribution=mirrored", "distribution.devices=[CPU:0,CPU:1]")
    found = []
    for words in ((), two):
        run = tmp_path / f"run{len(found)}"
        done = vae("train", *small, *words, f"run_dir={run}", cwd=tmp_path)
        assert done.status == 0, done.stderr
        with (run / "metrics.csv").open() as file:
            found.append(list(csv.DictReader(file))[-1])
    for key in set(found[0]) - {"seconds", "images_per_second"}:
        assert float(found[1][key]) == pytest.approx(float(found[0][key]), rel=1e-3)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (
            ("objective=beta_tc", "distribution=mirrored"),
            ("objective=beta_tc has statistics over a batch", "distribution=single"),
        ),
        (
            ("objective=dip", "hierarchy=two_level"),
            ("objective=dip needs the density", "hierarchy=none"),
        ),
        (("objective=capacity", "beta=4"), ("beta=4 has no effect", "leave beta=1")),
        (
            ("objective=capacity", "kl_annealing=linear"),
            ("kl_annealing=linear has no effect", "kl_annealing=none"),
        ),
        (
            ("objective=capacity", "free_bits=0.1"),
            ("free_bits=0.1", "objective=elbo"),
        ),
        (
            (
                "objective=geco",
                "objective.error=mse",
                "corruption=random_mask",
                "corruption.loss_on=observed",
            ),
            ("objective=geco compares whole images", "corruption.loss_on=all"),
        ),
        (
            ("objective=factor", "objective.hidden_units=[]"),
            ("objective.hidden_units=[]", "[256,256]"),
        ),
        (("objective=mmd", "objective.kernel=linear"), ("objective.kernel", "imq")),
        (
            ("objective.sticking_the_landing=true", "free_bits=0.1"),
            ("free_bits=0.1", "sticking_the_landing"),
        ),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_sentence(
    words: tuple[str, ...], parts: tuple[str, ...], command: Command, tmp_path: Path
) -> None:
    done = command("train", *TINY, *words, f"run_dir={tmp_path / 'run'}")
    refused(done, *parts)
    assert not (tmp_path / "run").exists()
