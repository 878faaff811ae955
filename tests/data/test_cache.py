"""The cache of decoded pictures: an entry is whole, or it isn't there."""

import errno
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vae_cli.data import cache, cache_contents
from vae_cli.data.cache_writer import writing
from vae_cli.errors import DataError

KEY, OTHER = "0123456789abcdef" * 2, "f" * 32
VALUES = np.arange(2 * 3 * 4).reshape(2, 3, 4, 1).astype(np.uint8)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("VAE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(key: str = KEY, values: np.ndarray = VALUES) -> None:
    with writing(key, values.shape, values.dtype.name, {"source": "here"}) as writer:
        writer.pixels()[:] = values


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".lock"}


def test_entry_is_found_as_it_was_written(folder: Path) -> None:
    write()
    entry = cache.find(KEY)
    assert entry is not None
    np.testing.assert_array_equal(entry.pixels(), VALUES)
    assert entry.about["source"] == "here"
    assert entry.megabytes == VALUES.nbytes / 2**20
    assert [e.path for e in cache_contents.entries()] == [folder / KEY]
    assert names(folder) == {KEY}


def test_folder_is_that_of_the_environment_or_the_users_cache(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VAE_CACHE", "~/mine")
    assert cache.cache_folder() == Path.home() / "mine"
    monkeypatch.delenv("VAE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache.cache_folder() == Path("/xdg/vae-cli")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.cache_folder() == Path.home() / ".cache" / "vae-cli"


def test_error_while_it_is_written_leaves_nothing(folder: Path) -> None:
    with pytest.raises(KeyError), writing(KEY, (2, 3), "uint8", {}):
        raise KeyError
    assert names(folder) == set()
    assert cache.find(KEY) is None


def edit_value(path: Path) -> None:
    with (path / cache.PIXELS).open("r+b") as file:
        file.write(b"\xff")
    os.utime(path / cache.PIXELS)


def rewrite(path: Path, text: str) -> None:
    (path / cache.ENTRY).write_text(text, encoding="utf-8")


def edit_entry(path: Path) -> None:
    about = json.loads((path / cache.ENTRY).read_text())
    rewrite(path, json.dumps({**about, "source": "elsewhere"}))


DAMAGES = {
    "pixels cut": lambda path: os.truncate(path / cache.PIXELS, 5),
    "pixels grown": lambda path: os.truncate(path / cache.PIXELS, 500),
    "pixels edited": edit_value,
    "pixels gone": lambda path: (path / cache.PIXELS).unlink(),
    "entry gone": lambda path: (path / cache.ENTRY).unlink(),
    "entry edited": edit_entry,
    "entry cut": lambda path: os.truncate(path / cache.ENTRY, 40),
    "entry empty": lambda path: rewrite(path, ""),
    "no JSON": lambda path: rewrite(path, "garbage"),
    "no UTF-8": lambda path: (path / cache.ENTRY).write_bytes(b"\xff\xfe{}"),
    "no object": lambda path: rewrite(path, "[1, 2]"),
    "a number": lambda path: rewrite(path, "5"),
    "text": lambda path: rewrite(path, '"text"'),
    "deep": lambda path: rewrite(path, "[" * 100_000),
    "no keys": lambda path: rewrite(path, "{}"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_entry_is_ignored_and_made_again_with_a_warning(
    damage: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write()
    DAMAGES[damage](folder / KEY)
    assert cache.find(KEY) is None
    assert cache_contents.entries() == []
    with caplog.at_level(logging.WARNING):
        write()
    assert f"{folder / KEY} was cut or changed" in caplog.text
    entry = cache.find(KEY)
    assert entry is not None
    np.testing.assert_array_equal(entry.pixels(), VALUES)
    assert names(folder) == {KEY}


def test_file_or_link_in_an_entrys_place_is_replaced(
    folder: Path, tmp_path: Path
) -> None:
    folder.mkdir()
    (folder / KEY).write_text("no folder")
    write()
    assert cache.find(KEY) is not None
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "mine").write_text("mine")
    (folder / OTHER).symlink_to(tmp_path / "kept")
    write(OTHER)
    assert cache.find(OTHER) is not None
    assert (tmp_path / "kept" / "mine").exists()


def test_entry_has_a_second_name_that_leads_to_it_while_it_is_there(
    folder: Path,
) -> None:
    write()
    cache.name(OTHER, KEY)
    found = cache.found_by(OTHER)
    assert found is not None
    assert found.path == folder / KEY
    (folder / f"{OTHER}.key").write_text("../../etc")
    assert cache.found_by(OTHER) is None


def test_second_name_on_a_full_disk_is_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write()

    def full(path: Path, *_: object, **__: object) -> None:
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    cache.name(OTHER, KEY)
    assert names(folder) == {KEY}
    assert cache.found_by(OTHER) is None


def test_what_a_killed_process_has_left_is_deleted_by_the_next_writer(
    folder: Path,
) -> None:
    script = (
        "import os, signal\n"
        "from vae_cli.data.cache_writer import writing\n"
        f"with writing({OTHER!r}, (2, 3), 'uint8', {{}}):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script])
    assert done.returncode == -9
    (left,) = names(folder)
    assert left.startswith(f"{OTHER}.partial-")
    assert cache.find(OTHER) is None
    assert cache_contents.entries() == []
    assert cache_contents.leftovers() == 6 / 2**20
    write()
    assert names(folder) == {KEY}


def test_what_another_process_writes_is_left_alone_until_it_ends(folder: Path) -> None:
    script = (
        "import sys\n"
        "from vae_cli.data.cache_writer import writing\n"
        f"with writing({OTHER!r}, (2, 3), 'uint8', {{}}) as writer:\n"
        "    writer.pixels()[:] = 7\n"
        "    print('writing', flush=True)\n"
        "    sys.stdin.readline()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "writing\n"
    write()
    assert cache_contents.leftovers() == 0
    assert cache_contents.clear()[0] == 1
    process.communicate("go on\n", timeout=60)
    entry = cache.find(OTHER)
    assert entry is not None
    assert (entry.pixels() == 7).all()


def test_two_that_write_the_same_end_with_one_whole_entry(folder: Path) -> None:
    both = threading.Barrier(2, timeout=60)
    failed: list[BaseException] = []

    def one() -> None:
        try:
            with writing(KEY, VALUES.shape, "uint8", {}) as writer:
                writer.pixels()[:] = VALUES
                both.wait()
            assert cache.find(KEY) is not None
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert names(folder) == {KEY}


def test_slower_writer_keeps_the_entry_that_is_in_use(folder: Path) -> None:
    with writing(KEY, VALUES.shape, "uint8", {}) as slower:
        slower.pixels()[:] = VALUES
        write()
        used = cache.find(KEY)
        assert used is not None
        inode = (used.path / cache.PIXELS).stat().st_ino
    assert (folder / KEY / cache.PIXELS).stat().st_ino == inode


def test_clear_takes_keys_or_how_they_begin_and_nothing_else(folder: Path) -> None:
    write(), write(OTHER)
    cache.name("a" * 32, KEY)
    for key in ("../cache", "..", "", "/", str(folder / OTHER), "2", f"{KEY}/.."):
        with pytest.raises(DataError, match="no entry"):
            cache_contents.clear([key])
    with pytest.raises(DataError, match="no entry e"):
        cache_contents.clear([KEY, "e"])
    assert len(cache_contents.entries()) == 2
    count, freed = cache_contents.clear(["0123"])
    assert (count, freed > VALUES.nbytes / 2**20) == (1, True)
    assert names(folder) == {OTHER}
    write("f" * 31 + "0")
    with pytest.raises(DataError, match="2 entries have keys that begin with fff"):
        cache_contents.clear(["fff"])


def test_clear_deletes_what_was_made_here_alone(folder: Path, tmp_path: Path) -> None:
    write()
    cache.name(OTHER, KEY)
    (folder / f"{OTHER}.partial-1f-00").mkdir()
    (tmp_path / "linked").mkdir()
    others = {"e" * 32, "d" * 32, "notes.txt"}
    (folder / ("e" * 32)).mkdir()
    (folder / ("e" * 32) / "thesis.tex").write_text("mine")
    (folder / ("d" * 32)).symlink_to(tmp_path / "linked")
    (folder / "notes.txt").write_text("mine")
    assert cache_contents.clear()[0] == 1
    assert names(folder) == others
    assert (tmp_path / "linked").is_dir()


def test_empty_or_missing_cache_is_cleared_without_a_word() -> None:
    assert cache_contents.entries() == []
    assert cache_contents.leftovers() == 0
    assert cache_contents.clear() == (0, 0.0)


def test_file_in_place_of_the_folder_is_named(folder: Path) -> None:
    folder.write_text("a file")
    for use in (write, cache_contents.entries, cache_contents.clear):
        with pytest.raises(DataError) as refused:
            use()
        assert f"{folder}: it is no folder" in str(refused.value)
        assert "VAE_CACHE=<folder>" in str(refused.value)
    assert cache.find(KEY) is None
    assert folder.read_text() == "a file"


@pytest.fixture
def mounted(tmp_path: Path, folder: Path) -> Iterator[Path]:
    """The cache on a file system of 2 MiB."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_full_disk_is_one_message_and_leaves_nothing(mounted: Path) -> None:
    write()
    with pytest.raises(DataError) as refused:
        write(OTHER, np.zeros((3, 1024, 1024), np.uint8))
    text = str(refused.value)
    assert "decoded pictures take 3 MiB" in text
    assert f"{mounted}: No space left on device" in text
    assert "free disk space (vae cache clear), or use another folder: VAE_CACHE" in text
    assert names(mounted) == {KEY}
    assert cache.find(KEY) is not None


def test_disk_that_fills_at_the_end_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DataError, match="No space left"):
        write()
    assert names(folder) == set()


def test_read_only_folder_is_read_and_named_where_it_would_be_written(
    mounted: Path,
) -> None:
    write()
    remount = ["mount", "-o", "remount,ro", str(mounted)]
    subprocess.run(remount, check=True)
    assert cache.find(KEY) is not None
    assert len(cache_contents.entries()) == 1
    cache.name(OTHER, KEY)
    for use in (lambda: write(OTHER), cache_contents.clear):
        with pytest.raises(DataError) as refused:
            use()
        assert f"{mounted}: Read-only file system" in str(refused.value)
        assert "VAE_CACHE=<folder>" in str(refused.value)
        assert "free disk space" not in str(refused.value)
