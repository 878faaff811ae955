"""Every documented command line ends well, at a small size.

A block's lines run in their order, in a folder of their own that holds a few runs
(`outputs/my-run` and others), pictures (`photos`) and an array (`images.npz`).
"""

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Finished, train_here, vae
from tests.readme import small
from tests.readme.documented import PAGES, ROOT, Block, Line, blocks

pytestmark = pytest.mark.slow

Command = Callable[..., Finished]
BLOCKS = blocks()
LINES = [line for block in BLOCKS for line in block.lines]
RUNS = (
    "a",
    "b",
    "any-run",
    "2026-01-31/10-00-00-sweep/0",
    "2026-01-31/10-00-00-sweep/1",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the documented lines take for granted."""
    root = tmp_path_factory.mktemp("documented")
    sizes = (
        "dataset.max_images_per_split=100",
        "dataset.validation_size=100",
        "epochs=1",
    )
    run = train_here(root / "outputs" / "my-run", *sizes, "architecture.filters=[4]")
    for name in RUNS:
        shutil.copytree(run, root / "outputs" / name)
    images = np.random.default_rng(0).integers(0, 256, (300, 28, 28), np.uint8)
    np.savez(root / "images.npz", x_train=images)
    for index in range(60):
        kind = "day" if index % 2 else "night"
        for name, side in (("photos", 28), ("emoji", 64), ("faces", 25)):
            (root / name / kind).mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray(images[index]).resize((side, side))
            picture.save(root / name / kind / f"{index}.png")
    np.savez(root / "digits.npz", x_train=images[:, :8, :8] % 17)
    return root


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.source)
def test_documented_commands_end_well(
    block: Block,
    folder: Path,
    tmp_path: Path,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VAE_CACHE", str(tmp_path / "cache"))
    problems = []
    for line in block.lines:
        started = time.time()
        done = run(line, command)
        if done.status or "Traceback" in done.stderr:
            problems.append(f"{line}\nended with {done.status}:\n{done.stderr}")
        problems += [
            f"{line}\nwrote no {file}"
            for file in files_written(line)
            if not file.exists() or file.stat().st_mtime < started
        ]
    assert not problems, "\n\n".join(problems)


def run(line: Line, command: Command) -> Finished:
    """Run a line as the table says."""
    text, words = str(line), list(line.words)
    if _starts(text, small.NOT_RUN):
        return Finished(0, "", "")
    if words[0] == "mv":
        return Finished(subprocess.run(words).returncode, "", "")
    assert words[0].split("-")[0] == "vae", (
        f"{text}: say how it is tested, or why not, in tests/readme/small.py"
    )
    own_process = _starts(text, small.OWN_PROCESS)
    if _starts(text, small.COMPOSED) and not own_process:
        overrides = [w for w in words[1:] if w != "-m" and not w.startswith("hydra")]
        overrides = [small.first_value(word) for word in overrides]
        return command("validate", words[0].removeprefix("vae-"), *overrides)
    words = [*small.small(words), *small.ALSO.get(text, ())]
    first, *rest = words
    arguments = rest if first == "vae" else [first.removeprefix("vae-"), *rest]
    if own_process:
        return vae(*arguments, cwd=Path.cwd())
    return command(*arguments)


def files_written(line: Line) -> list[Path]:
    """Return the files that a line says it writes."""
    pairs = [word.partition("=") for word in line.words]
    return [Path(value) for key, _, value in pairs if key in ("save_npz", "gif")]


def _starts(text: str, beginnings: dict[str, str] | tuple[str, ...]) -> bool:
    return any(text.startswith(beginning) for beginning in beginnings)


def test_table_holds_no_line_that_is_not_documented() -> None:
    entries = [*small.COMPOSED, *small.NOT_RUN, *small.OWN_PROCESS, *small.ALSO]
    texts = [str(line) for line in LINES]
    for entry in entries:
        whole = entry in small.ALSO
        assert any(
            text == entry if whole else text.startswith(entry) for text in texts
        ), f"{entry}: no documented line is or starts so; see tests/readme/small.py"
    for placeholder in small.PLACEHOLDERS:
        assert any(placeholder in (ROOT / page).read_text() for page in PAGES)
