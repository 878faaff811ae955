"""The completion script in a real bash; what it offers is in `config/test_complete`."""

import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Finished
from vae_cli.commands.completion import SCRIPTS

BASH = shutil.which("bash")
needs_bash = pytest.mark.skipif(BASH is None, reason="no bash here")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment in which `vae` is this package."""
    stub = tmp_path / "bin" / "vae"
    stub.parent.mkdir()
    stub.write_text(f'#!/bin/sh\nexec {sys.executable} -m vae_cli "$@"\n')
    stub.chmod(0o755)
    path = f"{stub.parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PS1": "$ ", "TERM": "dumb"}


def completed(line: str, environment: dict[str, str], cwd: Path) -> list[str]:
    """What bash puts in place of the last word, which = separates, too."""
    script = (
        'eval "$(vae completion bash)"; COMP_LINE=$1; COMP_POINT=${#1}; '
        "_vae_complete 2>/dev/null; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    done = subprocess.run(
        [str(BASH), "--norc", "-c", script, "bash", line],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@needs_bash
@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("vae-train latent_d", ["latent_dim="]),
        (
            "vae-train likelihood=",
            ["bernoulli", "continuous_bernoulli", "discretized_logistic", "gaussian"],
        ),
        ("vae evaluate checkpoint=b", ["best"]),
        ("vae valid", ["validate"]),
        ("vae-train -m prior=standard,v", ["standard,vamp"]),
    ],
)
def test_bash_completes(
    line: str, found: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    assert completed(line, environment, tmp_path) == found


@needs_bash
def test_bash_completes_every_command(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [str(BASH), "--norc", "-c", 'eval "$(vae completion bash)"; complete -p'],
        env=environment,
        capture_output=True,
        text=True,
    )
    names = {line.split()[-1] for line in done.stdout.splitlines()}
    assert {"vae", "vae-train", "vae-plot-latent", "vae-anomaly"} <= names


@needs_bash
def test_tab_key_completes_a_command_that_then_runs(
    environment: dict[str, str], tmp_path: Path
) -> None:
    typed = (
        'eval "$(vae completion bash)"\nvae val\ttrain kl_anneal\tcyc\tjit=fa\t\nexit\n'
    )
    leader, follower = pty.openpty()
    shell = subprocess.Popen(
        [str(BASH), "--norc", "--noprofile", "-i"],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        cwd=tmp_path,
        env=environment,
        start_new_session=True,
    )
    os.close(follower)
    os.write(leader, typed.encode())
    output = b""
    try:
        while chunk := os.read(leader, 4096):
            output += chunk
    except OSError:  # how Linux says that the other end is closed
        pass
    finally:
        os.close(leader)
        shell.wait()
    shown = output.decode(errors="replace").replace("\r", "")
    assert "\nvalid\n" in shown, shown


def test_completion_takes_a_shell(command: Callable[..., Finished]) -> None:
    for shell, script in SCRIPTS.items():
        assert command("completion", shell) == Finished(0, script, "")
    for arguments in ((), ("bahs",), ("bash", "zsh")):
        done = command("completion", *arguments)
        assert (done.status, done.stdout) == (2, "")
        assert "vae completion takes a shell: bash, zsh, fish." in done.stderr
    assert "did you mean vae completion bash?" in command("completion", "bahs").stderr


@pytest.mark.parametrize("shell", [s for s in SCRIPTS if shutil.which(s)])
def test_script_is_read_by_its_shell(shell: str) -> None:
    done = subprocess.run(
        [shell, "-n"], input=SCRIPTS[shell], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
