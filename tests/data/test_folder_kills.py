"""Decoding a folder that is broken off, or done twice at once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vae_cli.config.dataset_formats import FolderConfig
from vae_cli.data import cache, cache_contents
from vae_cli.data.decode_all import FEW
from vae_cli.data.folder import folder as load_folder

COUNT = FEW + 44
"""Enough for several processes to share."""
SCRIPT = """
import sys
from vae_cli.config.dataset_formats import FolderConfig
from vae_cli.data.folder import folder
print(len(folder(FolderConfig(name="folder", path=sys.argv[1])).train.images))
"""


@pytest.fixture(autouse=True)
def entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("VAE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures that take seconds to decode: one of noise, under many names."""
    folder = tmp_path_factory.mktemp("pictures")
    noise = np.random.default_rng(0).integers(0, 256, (500, 500, 3), np.uint8)
    Image.fromarray(noise).save(folder / "0.png")
    for index in range(1, COUNT):
        os.link(folder / "0.png", folder / f"{index}.png")
    return folder


def started(pictures: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", SCRIPT, str(pictures)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def names(entries: Path) -> list[str]:
    return sorted(path.name for path in entries.iterdir()) if entries.is_dir() else []


def partial_of(entries: Path) -> Path:
    """Wait until pixels are being written."""
    for _ in range(6000):
        for pixels in entries.glob(f"*{cache.PARTIAL}*/{cache.PIXELS}"):
            if pixels.stat().st_blocks and np.memmap(pixels, mode="r").any():
                return pixels.parent
        time.sleep(0.01)
    raise AssertionError("nothing was written")


def test_kill_while_decoding_leaves_no_entry_and_the_next_run_works(
    pictures: Path, entries: Path
) -> None:
    process = started(pictures)
    left = partial_of(entries)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert left.is_dir()
    assert cache_contents.entries() == []
    images = load_folder(FolderConfig(name="folder", path=str(pictures))).train.images
    assert len(images) == COUNT
    expected = np.asarray(Image.open(pictures / "0.png"))
    for index in (0, 1, COUNT - 1):
        np.testing.assert_array_equal(images[index], expected)
    assert not left.exists()
    assert not [name for name in names(entries) if cache.PARTIAL in name]
    assert len(cache_contents.entries()) == 1


def test_two_processes_that_decode_the_same_folder_both_end_well(
    pictures: Path, entries: Path
) -> None:
    processes = [started(pictures) for _ in range(2)]
    for process in processes:
        assert process.communicate(timeout=120)[0] == f"{COUNT}\n"
        assert process.returncode == 0
    assert len(cache_contents.entries()) == 1
    assert not [name for name in names(entries) if cache.PARTIAL in name]


def test_damaged_entry_is_decoded_again(
    pictures: Path, entries: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = FolderConfig(name="folder", path=str(pictures), limit=5)
    before = load_folder(config).train
    sha256, pixels = before.sha256, before.images[:].copy()
    (entry,) = cache_contents.entries()
    os.truncate(entry.path / cache.PIXELS, 100)
    after = load_folder(config).train
    assert after.sha256 == sha256
    np.testing.assert_array_equal(after.images, pixels)
    assert "was cut or changed since it was written" in caplog.text
