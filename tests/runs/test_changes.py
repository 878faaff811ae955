"""The command line that trains a run again."""

import shlex
from dataclasses import replace

import pytest

from vae_cli.config.compose import composed
from vae_cli.runs.changes import changes, command_line


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["experiment=hvae"],
        ["experiment=cvae", "beta=0.3", "seed=7"],
        ["architecture=dense", "architecture.hidden_units=[16,8]", "name='a b $x'"],
        ["dataset=folder", r"dataset.path='it\'s, a=b'", "dataset.image_size=32"],
        ["init_from.run=outputs/a", "freeze=encoder", "early_stopping.patience=3"],
        ["dataset.classes=[0,1]", "dataset.augment=[flip,shift]", "precision=float32"],
        ["likelihood=gaussian", "likelihood.learn_std=false", "likelihood.std=0.1"],
    ],
)
def test_command_line_gives_the_same_config(words: list[str]) -> None:
    config = replace(composed("train", words), name=None)
    first, *typed = shlex.split(command_line(config))
    assert first == "vae-train"
    assert composed("train", typed) == config


def test_defaults_need_no_word() -> None:
    assert command_line(composed("train", [])) == "vae-train"


def test_change_has_default_and_meaning() -> None:
    found = {c.key: c for c in changes(composed("train", ["beta=4", "prior=vamp"]))}
    assert found.keys() == {"beta", "prior"}
    assert (found["beta"].value, found["beta"].default) == (4.0, 1.0)
    assert found["beta"].about == "weight of the KL term"
    assert (found["prior"].value, found["prior"].default) == ("vamp", "standard")
