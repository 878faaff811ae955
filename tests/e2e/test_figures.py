"""Files of figures: what they are, and that none replaces another by default."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Finished, refused
from tests.visualize.test_files import written_as

Command = Callable[..., Finished]
COMMANDS = {
    "generate": ("num_images=3",),
    "plot-latent": ("num_points=40",),
    "restore": ("num_images=4",),
    "interpolate": ("task=interpolate", "columns=3"),
}


def run_of(name: str) -> str:
    return "reconstruct" if name in ("restore", "interpolate") else name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_writes_what_the_suffix_says(
    command: Command, trained: Path, tmp_path: Path, name: str
) -> None:
    for suffix in (".jpg", ".webp", ".pdf", ".svg", ""):
        output = tmp_path / f"figure{suffix}"
        done = command(
            run_of(name), f"run={trained}", f"output={output}", *COMMANDS[name]
        )
        assert done.status == 0, done.stderr
        file = Path(done.stdout.splitlines()[0])
        assert file == (output if suffix else output.with_suffix(".png"))
        assert written_as(file) == (suffix or ".png")


@pytest.mark.parametrize("name", COMMANDS)
def test_other_suffixes_are_refused_before_work_begins(
    command: Command, tmp_path: Path, name: str
) -> None:
    done = command(
        run_of(name), f"run={tmp_path}/none", "output=a.eps", *COMMANDS[name]
    )
    refused(done, "output=a.eps", ".png", ".svg")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("generate", ["", "seed=1", "num_images=12", "temperature=0.5", "rows=3"]),
        ("generate", ["mode=manifold", "mode=manifold dims=[2,0]"]),
        ("generate", ["checkpoint=last", "checkpoint=last seed=1"]),
        ("plot-latent", ["", "method=tsne", "method=dims", "num_points=40", "seed=2"]),
        (
            "reconstruct",
            [
                "num_images=4",
                "num_images=4 seed=1",
                "num_images=4 corruption=gaussian_noise",
                "num_images=4 corruption=gaussian_noise corruption.std=0.1",
                "num_images=4 corruption=half posterior_samples=3 gibbs_steps=4",
                "num_images=4 corruption=half posterior_samples=4 gibbs_steps=4",
                "task=interpolate",
                "task=interpolate corruption=half",
            ],
        ),
    ],
)
def test_no_figure_replaces_another(
    command: Command, trained: Path, name: str, options: list[str]
) -> None:
    written = []
    for words in options:
        done = command(name, f"run={trained}", *words.split())
        assert done.status == 0, done.stderr
        written += done.stdout.split()
    assert len(set(written)) == len(written)


def test_many_samples_are_laid_out_near_square(command: Command, trained: Path) -> None:
    done = command("generate", f"run={trained}", "num_images=1000")
    assert done.stdout.endswith("prior-1000.png\n")
    with Image.open(done.stdout.strip()) as picture:
        assert picture.width == picture.height  # 32 a row


def test_folder_whose_name_looks_like_mathematics_is_drawn(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "a$x_"
    folder.mkdir()
    Image.fromarray(np.zeros((12, 12), np.uint8)).save(folder / "a.png")
    done = command("reconstruct", f"run={trained}", f"images='{folder}'")
    assert done.status == 0, done.stderr
