"""Files of figures: what they are, and that none replaces another by default."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import TINY, Finished, refused, train_here
from tests.visualize.test_files import written_as
from vae_cli.visualize.images import grid

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


ALL = {**COMMANDS, "evaluate": ("importance_samples=2", "num_images=4"),
       "anomaly": ("num_images=6", "posterior_samples=2", "columns=2")}  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_every_command_takes_a_format_a_resolution_and_colours(
    command: Command, trained: Path, tmp_path: Path, name: str
) -> None:
    run = shutil.copytree(trained, tmp_path / "run")
    typed = (run_of(name), f"run={run}", "figure.format=svg", "figure.cmap=viridis")
    done = command(*typed, *ALL[name])
    assert done.status == 0, done.stderr
    figures = [Path(p) for p in done.stdout.split() if p.endswith((".svg", ".png"))]
    assert figures
    assert {written_as(file) for file in figures} == {".svg"}


def test_resolution_is_that_of_the_file(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    sizes = []
    for dpi in (100, 200):
        output = tmp_path / f"{dpi}.png"
        words = (f"output={output}", f"figure.dpi={dpi}", "num_points=20")
        done = command("plot-latent", f"run={trained}", *words)
        assert done.status == 0, done.stderr
        with Image.open(output) as picture:
            sizes.append(picture.size)
    assert sizes[1] == (2 * sizes[0][0], 2 * sizes[0][1])


def test_grids_have_names_unless_the_pictures_alone_are_wanted(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    npz, named, plain = (tmp_path / name for name in ("a.npz", "a.svg", "a.png"))
    words = ("generate", f"run={trained}", "mode=traversal", "columns=3")
    assert command(*words, f"output={named}", f"save_npz={npz}").status == 0
    text = named.read_text()
    assert "z[0]" in text and "one latent dimension" in text
    rounded = re.findall(r"KL ([0-9.e-]+) nats", text)
    assert rounded and all(f"{float(kl):.3g}" == kl for kl in rounded)
    assert command(*words, f"output={plain}", "figure.labels=false").status == 0
    with np.load(npz) as arrays, Image.open(plain) as picture:
        expected = grid(arrays["images"], 3)[..., 0]
        np.testing.assert_array_equal(np.asarray(picture), expected)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["figure.format=eps"], "figure.format=eps is not available"),
        (["figure.dpi=5"], "figure.dpi=5 must be at least 30"),
        (["figure.cmap=virids"], "did you mean figure.cmap=viridis?"),
        (["output=a.png", "figure.format=svg"], "choose one of them"),
        (["figure.style=dark"], "figure.style is not a key"),
    ],
)
def test_other_figures_are_refused(
    command: Command, tmp_path: Path, words: list[str], message: str
) -> None:
    refused(command("generate", f"run={tmp_path}", *words), message)


def test_training_draws_its_figures_as_it_is_told(tmp_path: Path) -> None:
    words = ("figure.format=svg", "figure.cmap=magma", "conditioning=label")
    run = train_here(tmp_path / "run", *TINY, *words)
    figures = {file.name: file for file in (run / "figures").iterdir()}
    stems = ("curves", "samples", "reconstructions", "latent")
    assert figures.keys() == {f"{stem}.svg" for stem in stems}
    assert "reconstruction</text>" in figures["reconstructions.svg"].read_text()
    assert "samples from the prior, by class" in figures["samples.svg"].read_text()
    assert ">run</text>" in figures["curves.svg"].read_text()
