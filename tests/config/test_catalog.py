import re
from pathlib import Path

import pytest

from vae_cli.config.catalog import (
    chosen_options,
    config_dirs,
    option_values,
    options,
    summary,
    variants,
)
from vae_cli.config.commands import PRESETS
from vae_cli.config.compose import composed
from vae_cli.paths import configs_dir
from vae_cli.registry import OPTIONS as GROUPS


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder of configs with a variant of the conv architecture."""
    (tmp_path / "architecture").mkdir()
    text = (configs_dir() / "architecture" / "conv.yaml").read_text()
    (tmp_path / "architecture" / "wide.yaml").write_text(f"# Wider.\n{text}")
    return tmp_path


def test_options_are_the_files_of_a_group() -> None:
    assert options("architecture") == ["conv", "dense", "gated_dense", "residual_conv"]


def test_options_include_own_ones(own: Path) -> None:
    assert options("architecture", [own]) == [
        *("conv", "dense", "gated_dense", "residual_conv", "wide")
    ]
    assert summary("architecture", "wide", [own]).startswith("Wider.")
    assert option_values("architecture", "wide", [own])["name"] == "conv"


def test_options_include_registered_classes_without_a_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(
        GROUPS["likelihood"], "laplace", GROUPS["likelihood"]["gaussian"]
    )
    assert "laplace" in options("likelihood")
    first = GROUPS["likelihood"]["gaussian"].__doc__
    assert summary("likelihood", "laplace") == str(first).splitlines()[0]
    assert option_values("likelihood", "laplace")["name"] == "laplace"


def test_chosen_options_are_those_that_hydra_composes() -> None:
    for words in (
        [],
        ["likelihood=gaussian"],
        ["experiment=gated_vae"],
        ["experiment=gated_vae", "architecture=conv"],
    ):
        config = composed("train", words)
        for group, option in chosen_options("train", words).items():
            assert option_values(group, option)["name"] == getattr(config, group).name


def test_variants_are_options_that_are_no_class(own: Path) -> None:
    assert variants("train", ["likelihood=gaussian"]) == {}
    assert variants("train", ["experiment=gated_vae"]) == {
        "architecture": "gated_dense"
    }
    typed = ["--config-dir", str(own), "architecture=wide"]
    assert variants("train", typed) == {"architecture": "wide"}
    assert variants("train", ["-f", "kernel.json", "architecture=../../x"]) == {}


def test_config_dirs_are_read_from_a_command_line() -> None:
    words = ["a=1", "--config-dir", "x", "-cd=y", "--config-dir"]
    assert config_dirs(words) == [Path("x"), Path("y")]


def test_summary_is_the_first_sentence_of_the_opening_comment() -> None:
    assert summary("likelihood", "bernoulli") == "Independent Bernoulli pixels."
    quadrants = summary("corruption", "quadrants")
    assert quadrants.endswith("(Sohn et al. 2015).")


@pytest.mark.parametrize("preset", PRESETS)
def test_summary_of_a_preset_leaves_its_command_out(preset: str) -> None:
    for name in options(preset):
        assert not re.search("@package|vae-train", summary(preset, name))
        assert len(summary(preset, name).split()) > 2
