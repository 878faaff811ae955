"""`vae cache`: what it lists, deletes and refuses."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Finished, refused
from vae_cli.config.dataset_formats import FolderConfig
from vae_cli.data import cache, cache_contents
from vae_cli.data.folder import folder as load_folder

Command = Callable[..., Finished]


@pytest.fixture(autouse=True)
def entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("VAE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def keys(tmp_path: Path, entries: Path) -> list[str]:
    """The keys of the entries of two folders, the larger one first."""
    for name, count in (("cats", 9), ("do\ngs", 4)):
        (tmp_path / name).mkdir()
        for index in range(count):
            pixels = np.full((8, 6, 3), index, np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{index}.png")
        load_folder(FolderConfig(name="folder", path=str(tmp_path / name)))
    return [entry.path.name for entry in cache_contents.entries()]


def test_entries_are_listed_largest_first(
    keys: list[str], command: Command, tmp_path: Path
) -> None:
    done = command("cache")
    header, cats, dogs = done.stdout.splitlines()
    assert header.split() == [
        "key", "MiB", "images", "size", "type", "written", "source",
    ]  # fmt: skip
    assert cats.split()[:8] == [keys[0], "0.0", "9", "8", "x", "6", "x", "3"]
    assert cats.endswith(f"  {tmp_path / 'cats'}")
    assert dogs.split()[0] == keys[1]
    assert dogs.endswith("do\\x0ags")
    assert done.stderr == f"2 entries, 0.0 MiB, in {tmp_path / 'cache'}\n"


def test_chosen_entries_are_deleted_or_all(
    keys: list[str], command: Command, tmp_path: Path
) -> None:
    done = command("cache", "clear", keys[0][:8])
    assert done.stdout.startswith("1 entry deleted, 0.0 MiB freed")
    assert [entry.path.name for entry in cache_contents.entries()] == keys[1:]
    assert command("cache", "clear").stdout.startswith("1 entry deleted")
    done = command("cache")
    assert (done.stdout, done.status) == ("", 0)
    assert done.stderr.startswith("0 entries")
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {".lock"}
    again = load_folder(FolderConfig(name="folder", path=str(tmp_path / "cats")))
    assert len(again.train.images) == 9


def test_unknown_keys_and_words_are_refused(
    keys: list[str], command: Command, tmp_path: Path
) -> None:
    done = command("cache", "clear", "../cats")
    refused(done, "no entry ../cats", "vae cache lists them")
    refused(command("cache", "clear", keys[0], ""), "no entry ''")
    refused(command("cache", "clean"), "path, or clear", status=2)
    refused(command("cache", "path", "there"), "got path there", status=2)
    assert len(cache_contents.entries()) == 2
    assert (tmp_path / "cats" / "0.png").exists()


def test_path_is_printed_and_a_file_in_its_place_is_named(
    command: Command, entries: Path
) -> None:
    assert command("cache", "path").stdout == f"{entries}\n"
    entries.write_text("a file")
    done = command("cache")
    refused(done, f"{entries}: it is no folder", "VAE_CACHE=<folder>")


def test_unfinished_entries_are_counted_and_cleared(
    keys: list[str], command: Command, entries: Path
) -> None:
    (entries / keys[0] / cache.ENTRY).write_text("garbage")
    done = command("cache")
    assert len(done.stdout.splitlines()) == 2
    assert "besides, 0.0 MiB" in done.stderr
    assert command("cache", "clear").stdout.startswith("2 entries deleted")
    assert not list(entries.glob("?" * 32))


def test_cache_is_listed_without_tensorflow(keys: list[str]) -> None:
    listed = [sys.executable, "-X", "importtime", "-m", "vae_cli", "cache"]
    done = subprocess.run(listed, capture_output=True, text=True)
    assert len(done.stdout.splitlines()) == 3
    assert "numpy" in done.stderr
    assert "tensorflow" not in done.stderr
