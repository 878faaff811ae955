from pathlib import Path

import pytest

from vae_cli.cli import COMMANDS, TOOLS
from vae_cli.config.commands import PRESETS
from vae_cli.config.complete import candidates
from vae_cli.paths import configs_dir
from vae_cli.registry import OPTIONS as GROUPS


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_vae_completes_commands_and_tools() -> None:
    names = [*COMMANDS, *TOOLS]
    assert {*names} <= {*candidates("vae ", names)}
    assert candidates("vae val", names) == ["validate"]


@pytest.mark.parametrize("name", ["vae-train", "vae train", "/usr/bin/vae-train"])
@pytest.mark.parametrize(
    ("rest", "found"),
    [
        ("lat", ["latent=", "latent_dim="]),
        ("likelihood=g", ["likelihood=gaussian"]),
        ("experiment=quick", ["experiment=quickstart"]),
        ("jit=", ["jit=auto", "jit=false", "jit=true"]),
        ("tf32=", ["tf32=false", "tf32=true"]),
        ("likelihood=gaussian likelihood.l", ["likelihood.learn_std="]),
        ("likelihood.", []),
        ("beta=", []),
        ("-m kl_annealing=none,lin", ["kl_annealing=none,linear"]),
        ("--cfg ", ["all", "hydra", "job"]),
        ("--help opti", ["optimizer", "optimizer.beta_1", "optimizer.beta_2"]),
    ],
)
def test_train_completes_keys_options_and_choices(
    name: str, rest: str, found: list[str]
) -> None:
    assert candidates(f"{name} {rest}")[: len(found) or 1] == found


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "train"])
def test_every_command_completes_its_keys_and_choices(command: str) -> None:
    assert "run=" in candidates(f"vae-{command} ru")
    assert "run=latest" in candidates(f"vae-{command} run=")
    if command not in ("inspect", "report", "track"):  # which read no weights
        assert candidates(f"vae {command} checkpoint=b") == ["checkpoint=best"]


def test_inspect_completes_what_train_does() -> None:
    words = ("lat", "likelihood=g", "experiment=quick", "likelihood=gaussian std")
    for word in words:
        assert candidates(f"vae inspect {word}") == candidates(f"vae-train {word}")
    assert candidates("vae-inspect measure=") == ["measure=false", "measure=true"]


def test_key_alone_offers_groups_before_their_keys() -> None:
    found = candidates("vae-train ")
    assert {f"{group}=" for group in GROUPS} <= {*found}
    assert not any("." in word for word in found)


@pytest.mark.parametrize("key", ["vae-evaluate run", "vae-train resume"])
def test_runs_are_completed(key: str, tmp_path: Path) -> None:
    for name in ("outputs/2026-01-31/10-vae", "outputs/2026-01-31/11-sweep/0"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.yaml").write_text("")
    last = key.split()[-1]
    assert candidates(f"{key}=outputs/2026-01-31/1") == [
        f"{last}=outputs/2026-01-31/10-vae",
        f"{last}=outputs/2026-01-31/10-vae/",
        f"{last}=outputs/2026-01-31/11-sweep/",
        f"{last}=outputs/2026-01-31/11-sweep/0",
    ]


def test_files_are_completed_by_kind(tmp_path: Path) -> None:
    for name in ("mine.npz", "mine.py", "mine.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "my_configs").mkdir()
    assert candidates("vae-train dataset=npz dataset.path=mi") == [
        "dataset.path=mine.npz"
    ]
    assert candidates("vae-train --plugin m") == ["mine.py", "my_configs/"]
    assert candidates("vae-train --config-dir m") == ["my_configs/"]


def test_own_options_are_completed(tmp_path: Path) -> None:
    (tmp_path / "mine" / "architecture").mkdir(parents=True)
    text = (configs_dir() / "architecture" / "dense.yaml").read_text()
    (tmp_path / "mine" / "architecture" / "wide.yaml").write_text(text)
    line = "vae-train --config-dir mine architecture"
    assert candidates(f"{line}=w") == ["architecture=wide"]
    assert candidates(f"{line}=wide {'architecture.hid'}") == [
        "architecture.hidden_units="
    ]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("vae list opt", ["optimizer"]),
        ("vae show tra", ["track", "train"]),
        ("vae validate train likelihood=g", ["likelihood=gaussian"]),
        ("vae copy likelihood/g", ["likelihood/gaussian"]),
        ("vae completion z", ["zsh"]),
        ("vae launch ", ["--workers", "train"]),
        ("vae launch --workers 2 train likelihood=g", ["likelihood=gaussian"]),
        ("vae nothing ", []),
        ("", []),
    ],
)
def test_tools_complete_what_they_take(line: str, found: list[str]) -> None:
    assert candidates(line) == found


def test_every_group_completes_its_options() -> None:
    for group in (*GROUPS, *PRESETS):
        assert len(candidates(f"vae-train {group}=")) >= 2
