"""Where the shipped configs and data are."""

from pathlib import Path

PACKAGE = Path(__file__).parent


def configs_dir() -> Path:
    """Return the folder of the shipped YAML files.

    A wheel carries them inside the package; a checkout and an editable install have
    them beside it. The `pyproject.toml` check keeps another project's `configs`
    folder, next to us in site-packages, from being taken for ours.

    Raises:
        FileNotFoundError: the installation is broken.
    """
    packaged = PACKAGE / "configs"
    checkout = PACKAGE.parent / "configs"
    if (checkout / "train.yaml").is_file() and (
        PACKAGE.parent / "pyproject.toml"
    ).is_file():
        return checkout
    if (packaged / "train.yaml").is_file():
        return packaged
    raise FileNotFoundError(
        f"vae-cli is installed without its configs: neither {packaged} nor {checkout} "
        "holds train.yaml. Reinstall the package."
    )


def is_there(path: Path) -> bool:
    """Return whether a path exists; not where its name is too long, or unreadable."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
