"""Options from files outside the package: trained, resumed, used, listed, missing."""

import csv
import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import TINY, Finished, refused, vae
from vae_cli.config.complete import candidates

HERE = Path(__file__).parent
DENSE = ("architecture=dense", "architecture.hidden_units=[8]")
PLUGINS = {
    "laplace": ("likelihood=laplace", "likelihood.least_scale=0.1", *TINY, *DENSE),
    "tiny": ("architecture=tiny", "architecture.units=6", *TINY),
    "wide": ("prior=wide", "prior.variance=1.5", *TINY, *DENSE),
    "smooth": ("objective=smooth", "objective.smoothness=0.2", *TINY, *DENSE),
    "journal": ("tracker=journal", "tracker.path=journal.txt", *TINY, *DENSE),
    "stripes": ("dataset=stripes", "dataset.num_images=150", "batch_size=50", *DENSE),
}
"""File -> overrides that use its option; the first names it."""


Command = Callable[..., Finished]


def ok(done: Finished) -> Finished:
    assert done.status == 0, done.stderr
    return done


@pytest.mark.slow
@pytest.mark.parametrize("name", ["laplace"])
def test_option_of_a_file_is_used_in_processes_of_their_own(
    name: str, tmp_path: Path
) -> None:
    check_option(name, tmp_path, partial(vae, cwd=tmp_path))
    # without the file, nothing that the folder names is imported
    missing = vae("generate", "run=run", cwd=tmp_path)
    refused(missing, f"needs {PLUGINS[name][0]}", f"--plugin {HERE / f'{name}.py'}")


@pytest.mark.parametrize("name", PLUGINS)
def test_option_of_a_file_is_trained_resumed_evaluated_and_drawn(
    name: str,
    command: Command,
    unloaded: Callable[[], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    check_option(name, tmp_path, command)
    unloaded()
    missing = command("generate", "run=run")
    refused(missing, f"needs {PLUGINS[name][0]}", f"--plugin {HERE / f'{name}.py'}")


def check_option(name: str, folder: Path, command: Command) -> None:
    plugin = ("--plugin", str(HERE / f"{name}.py"))
    words = [*PLUGINS[name], "latent_dim=2", "epochs=1", "run_dir=run"]
    ok(command("train", *plugin, *words))
    run = folder / "run"
    recorded = json.loads((run / "environment.json").read_text())["plugins"]
    assert [(x["option"], x["plugin"]) for x in recorded] == [
        (words[0], str(HERE / f"{name}.py"))
    ]
    ok(command("train", *plugin, "resume=run", "epochs=2"))
    rows = list(csv.DictReader((run / "metrics.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    if name == "smooth":
        assert all(float(row["roughness"]) > 0 for row in rows)
    found = ok(command("evaluate", *plugin, "importance_samples=5", "run=run"))
    assert "neg_elbo" in (run / "evaluation" / "test.json").read_text(), found.stdout
    ok(command("generate", *plugin, "num_images=4", "run=run"))


def test_latest_never_passes_over_a_run_that_needs_a_plugin(
    command: Command,
    unloaded: Callable[[], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    words = (*TINY, *DENSE, "epochs=1")
    ok(command("train", *words, "run_dir=outputs/first"))
    code = (HERE / "laplace.py").read_text()
    file = tmp_path / "own.py"
    file.write_text(code)
    plugin = ("--plugin", "own.py")
    trained = (*plugin, "likelihood=laplace", *words, "run_dir=outputs/second")
    done = ok(command("train", *trained))
    assert f"next: vae-generate --plugin {file} run=outputs/second" in done.stderr
    unloaded()
    for words in (("generate",), ("train", "resume=latest", "epochs=2")):
        refused(command(*words), "outputs/second needs likelihood=laplace")
    assert "needs plugin" in ok(command("runs")).stdout
    file.write_text(code + "# edited\n")
    done = ok(command("generate", *plugin, "num_images=4"))
    assert f"{file} has changed since outputs/second was trained" in done.stderr


@pytest.mark.usefixtures("unloaded")
def test_option_of_a_file_is_listed_shown_explained_and_completed(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plugin = f"--plugin={HERE / 'laplace.py'}"
    listed = ok(command("list", "likelihood", plugin)).stdout
    assert "laplace                 Laplace pixels, each with a scale" in listed
    chosen = ("likelihood=laplace", "likelihood.least_scale=0.3")
    assert "least_scale: 0.3" in ok(command("show", "train", *chosen, plugin)).stdout
    refusal = command("validate", "train", "likelihood=laplace", "likelihood.scale=1")
    refused(refusal, "likelihood.scale is not a key", "likelihood.least_scale")
    line = f"vae-train --plugin {HERE / 'laplace.py'} likelihood="
    assert "likelihood=laplace" in candidates(line)
    assert "least_scale=0.05" in ok(command("train", "--help", "likelihood")).stdout


@pytest.mark.usefixtures("unloaded")
@pytest.mark.parametrize(
    ("code", "parts"),
    [
        ("1 / 0", ("line 1", "ZeroDivisionError")),
        ("import nowhere", ("line 1", "No module named 'nowhere'")),
        ("def f(:", ("SyntaxError",)),
        ("raise SystemExit", ("SystemExit",)),
        (None, ("no such file",)),
    ],
)
def test_file_that_can_not_be_imported_is_one_message(
    command: Command, code: str | None, parts: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "broken.py"
    if code is not None:
        file.write_text(code)
    refused(command("list", "--plugin", str(file)), f"plugin {file}", *parts)


@pytest.mark.usefixtures("unloaded")
@pytest.mark.parametrize("name", ["laplace", "gaussian"])
def test_name_that_is_taken_is_refused(
    command: Command, name: str, tmp_path: Path
) -> None:
    own = tmp_path / "own.py"
    code = (HERE / "laplace.py").read_text()
    own.write_text(code.replace('"laplace"', f'"{name}"'))
    both = ("--plugin", str(HERE / "laplace.py"), "--plugin", str(own))
    refused(command("list", *both), f"likelihood={name} is registered already")


@pytest.mark.usefixtures("unloaded")
def test_flag_without_a_file_is_wrong_usage(command: Command) -> None:
    refused(command("list", "--plugin"), "--plugin takes a file", status=2)


@pytest.mark.slow
def test_jobs_of_a_sweep_have_the_plugins_of_their_parent(tmp_path: Path) -> None:
    words = ("likelihood=laplace", "likelihood.least_scale=0.1,0.2", *TINY, *DENSE)
    plugin = ("--plugin", str(HERE / "laplace.py"))
    done = vae("train", "-m", *plugin, *words, "hydra.sweep.dir=sweep", cwd=tmp_path)
    assert len([*(tmp_path / "sweep").glob("*/metrics.json")]) == 2, ok(done).stderr
    # as the environment has it, too
    runs = vae("evaluate", *plugin, "run=sweep", cwd=tmp_path)
    assert "0.2" in ok(runs).stdout


def test_plugins_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = (str(HERE / "laplace.py"), str(HERE / "stripes.py"))
    monkeypatch.setenv("VAE_PLUGINS", os.pathsep.join(files))
    words = ("train", "likelihood=laplace", "dataset=stripes")
    assert ok(vae("validate", *words, cwd=tmp_path)).stdout == "valid\n"


LIKELIHOOD = """
from dataclasses import dataclass

from keras import ops

import vae_cli as vae


@vae.register("likelihood", "own")
{decorator}
class OwnConfig({config_base}):
    width: int = 3


@vae.builds({built})
class Own({base}):
    outputs_per_channel = {outputs}

    def log_prob_per_pixel(self, x, logits):
        return {body}
"""
GOOD = {
    "decorator": "@dataclass",
    "config_base": "vae.LikelihoodConfig",
    "built": "OwnConfig",
    "base": "vae.Likelihood",
    "outputs": 1,
    "body": "-ops.abs(x - self.mean(logits))",
}


@pytest.mark.usefixtures("unloaded")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config_base": ""}, "OwnConfig must derive from vae_cli.LikelihoodConfig"),
        ({"decorator": ""}, "OwnConfig must be a dataclass"),
        ({"built": "vae.LikelihoodConfig"}, "it is not an option"),
        ({"base": "object"}, "must derive from vae_cli.Likelihood"),
        ({"body": "1 / 0"}, "ZeroDivisionError: division by zero"),
        ({"body": "ops.sum(x, axis=-1)"}, "log_prob of one image must have the shape"),
        ({"outputs": 2}, "mean of one image must have the shape (1, 12, 12, 1)"),
        ({"body": "x * logits[..., 0, 0, :]"}, "elementwise=False asks for"),
    ],
)
def test_mistakes_of_an_author_are_named(
    command: Command, change: dict, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "own.py"
    file.write_text(LIKELIHOOD.format(**GOOD | change))
    words = ("likelihood=own", *TINY, *DENSE, f"run_dir={tmp_path / 'run'}")
    refused(command("train", "--plugin", str(file), *words), message)


@pytest.mark.usefixtures("unloaded")
def test_plain_field_is_an_option_and_layer_options_are_applied_or_refused(
    command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "own.py"
    file.write_text(LIKELIHOOD.format(**GOOD))
    words = ("--plugin", str(file), "likelihood=own", "likelihood.width=4", *TINY)
    ok(command("train", *words, *DENSE, f"run_dir={tmp_path / 'run'}"))
    assert "likelihood.width=3" in ok(command("train", "--help", "likelihood")).stdout
    tiny = ("--plugin", str(HERE / "tiny.py"), "architecture=tiny", *TINY)
    for key in ("dropout=0.5", "l2=0.1", "normalization=layer"):
        done = command("train", *tiny, f"architecture.{key}", f"run_dir={tmp_path}/x")
        refused(done, f"architecture.{key}: no layer of architecture=tiny applies it")
