"""`vae-generate`: images from a trained run."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from vae_cli.commands._main import run_command
from vae_cli.commands._names import suffix
from vae_cli.config.commands import GenerateConfig
from vae_cli.errors import ConfigError, RunError
from vae_cli.memory import check_arrays
from vae_cli.runs.data import check_not_data
from vae_cli.runs.files import write_npz
from vae_cli.runs.folder import open_run

if TYPE_CHECKING:
    from vae_cli.commands._drawings import Drawing

DRAWN = (
    "label", "num_images", "rows", "columns", "temperature", "spacing", "span", "dims",
    "interpolation", "seed", "checkpoint",
)  # fmt: skip
"""Keys that change the picture: its name says those that aren't the defaults."""


def main() -> NoReturn:
    """Entry point of `vae-generate`."""
    run_command("generate", generate)


def generate(config: GenerateConfig, overrides: list[str]) -> None:
    """Draw, decode and write; prints the files written."""
    from vae_cli.visualize.files import figure_path

    output = figure_path(config.output) if config.output else None
    if config.gif:
        config.gif = str(figure_path(config.gif, "gif", (".gif",)))
    folder = open_run(config.run, config.output_root)
    run_config = folder.load_config()  # a broken one is told before TensorFlow starts
    check_not_data(run_config, npz=config.npz)
    if output is None:
        name = f"{config.mode}{suffix('generate', config, DRAWN)}.png"
        output = folder.samples / name
    from vae_cli.runtime import start_tensorflow

    start_tensorflow()
    from vae_cli.commands._drawings import DRAWINGS, size
    from vae_cli.evaluation.latent import decode
    from vae_cli.runs.trained import load_trained

    run = load_trained(folder, config.checkpoint)
    if run.vae.observed_network:
        raise ConfigError(
            f"{folder} completes images, and draws none of its own "
            "(conditioning=observed).",
            f"complete some: vae-reconstruct run={folder}",
        )
    count = size(config, run.vae.latent_dim)
    pixels = math.prod(folder.load_spec().image_shape)
    check_arrays(
        f"{count:,} images and their grid",
        (count, pixels + run.vae.latent_dim),
        "num_images, rows or columns",
        copies=3,
    )
    drawing = DRAWINGS[config.mode](config, run)
    images = decode(run.vae, drawing.z, config.batch_size, drawing.context)
    try:
        for file in _write(config, drawing, images, output):
            print(file)
    except OSError as error:
        raise RunError(
            f"{error.filename or output} can't be written: {error.strerror or error}.",
            "choose another place: output=<file>, npz=<file>, images_dir=<folder>",
        ) from error


def _write(
    config: GenerateConfig, drawing: "Drawing", images: np.ndarray, output: Path
) -> list[Path]:
    """Write the grid and what else was asked for; return the files."""
    from vae_cli.visualize.files import save_pixels
    from vae_cli.visualize.images import grid, to_uint8, write_gif, write_png

    written = [output]
    cells, columns = images, drawing.columns
    if drawing.ends is not None:
        rows = images.reshape(-1, columns, *images.shape[1:])
        cells = np.concatenate([drawing.ends[:, :1], rows, drawing.ends[:, 1:]], axis=1)
        cells = cells.reshape(-1, *images.shape[1:])
        columns += 2
    output.parent.mkdir(parents=True, exist_ok=True)
    save_pixels(grid(cells, columns), output)
    if config.npz:
        written.append(Path(config.npz))
        found = {"images": images, "z": drawing.z}
        if "label" in drawing.context:
            found["labels"] = drawing.context["label"]
        write_npz(written[-1], found)
    if config.gif:
        written.append(_ready(config.gif))
        steps = images.reshape(-1, drawing.columns, *images.shape[1:]).swapaxes(0, 1)
        frames = [grid(step, columns=step.shape[0]) for step in steps]
        write_gif([*frames, *frames[-2:0:-1]], written[-1], milliseconds=100)
    if config.images_dir:
        written.append(Path(config.images_dir))
        written[-1].mkdir(parents=True, exist_ok=True)
        for index, image in enumerate(to_uint8(images)):
            write_png(image, written[-1] / f"{index:05d}.png")
    return written


def _ready(name: str) -> Path:
    """Return a file's path, its folder made."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
