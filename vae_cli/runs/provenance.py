"""What a number needs to be repeated: versions, machine, commit, command."""

import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from vae_cli import __version__
from vae_cli.config.catalog import variants

PACKAGES = (
    "tensorflow", "keras", "numpy", "hydra-core", "omegaconf", "matplotlib",
    "scikit-learn", "pillow",
)  # fmt: skip


def environment() -> dict[str, Any]:
    """Return the contents of `environment.json`."""
    import tensorflow as tf

    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "variants": variants("train", sys.argv[1:]),
        "packages": {"vae-cli": __version__, **_versions()},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "devices": [device.name for device in tf.config.list_logical_devices()],
        "git": _git(Path(__file__).parent) or _git(Path.cwd()),
    }


def _versions() -> dict[str, str]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed as a package"
    return versions


def _git(folder: Path) -> dict[str, Any] | None:
    """Return commit and dirtiness of the repository a folder lies in, if any."""

    def ask(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()

    try:
        return {
            "commit": ask("rev-parse", "HEAD"),
            "dirty": bool(ask("status", "--porcelain")),
        }
    except (OSError, subprocess.SubprocessError):
        return None
