"""`vae-generate`: images from a trained run."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from vae_cli.commands._main import run_command
from vae_cli.config.schema import GenerateConfig
from vae_cli.errors import RunError, UsageError
from vae_cli.runs.folder import open_run

if TYPE_CHECKING:
    from vae_cli.runs.trained import TrainedRun

PRIOR_SIDE, MANIFOLD_SIDE, STEPS, PAIRS = 10, 15, 11, 6
"""Rows and columns where none are given."""


@dataclass
class Drawing:
    """Codes to decode and how to lay them out.

    Attributes:
        z: float32 [N, latent_dim].
        columns: codes a row.
        ends: images shown left and right of each row, [rows, 2, H, W, C], or None.
    """

    z: np.ndarray
    columns: int
    ends: np.ndarray | None = None


def main() -> NoReturn:
    """Entry point of `vae-generate`."""
    run_command("generate", generate)


def generate(config: GenerateConfig, overrides: list[str]) -> None:
    """Draw, decode and write; prints the files written."""
    folder = open_run(config.run, config.output_root)
    folder.load_config()  # a broken folder is told before TensorFlow starts
    from vae_cli.runtime import start_tensorflow

    start_tensorflow()
    from vae_cli.evaluation.latent import decode
    from vae_cli.runs.trained import load_trained

    run = load_trained(folder, config.checkpoint)
    drawing = DRAWINGS[config.mode](config, run)
    images = decode(run.vae, drawing.z, config.batch_size)
    output = Path(config.output or folder.samples / f"{config.mode}.png")
    try:
        for file in _write(config, drawing, images, output):
            print(file)
    except OSError as error:
        raise RunError(
            f"{error.filename or output} can't be written: {error.strerror}.",
            "choose another place: output=<file>, npz=<file>, images_dir=<folder>",
        ) from error


def prior(config: GenerateConfig, run: "TrainedRun") -> Drawing:
    """Samples from the prior, all drawn at once: no batch size changes them."""
    from vae_cli.randomness import Stream, generator

    columns = config.columns or PRIOR_SIDE
    count = config.num_images or columns * (config.rows or PRIOR_SIDE)
    vae = run.vae
    noise = generator(config.seed, Stream.PRIOR).standard_normal((count, vae.latent_dim))
    z = vae.prior.sample((config.temperature * noise).astype(np.float32))
    return Drawing(np.asarray(z), min(columns, count))


def manifold(config: GenerateConfig, run: "TrainedRun") -> Drawing:
    """The decoded plane of two latent dimensions."""
    from vae_cli.evaluation.paths import plane

    latent_dim = run.vae.latent_dim
    if max(config.dims) >= latent_dim:
        raise UsageError(
            f"dims={config.dims} is outside the run's {latent_dim} latent dimensions "
            f"(0 to {latent_dim - 1}).",
            "a plane takes two of them; mode=traversal works for any number",
        )
    rows = config.rows or config.columns or MANIFOLD_SIDE
    columns = config.columns or rows
    first, second = config.dims
    z = plane(latent_dim, (first, second), rows, columns, config.spacing, config.span)
    return Drawing(z, columns)


def traversal(config: GenerateConfig, run: "TrainedRun") -> Drawing:
    """One row a latent dimension, the one of largest KL on top."""
    from vae_cli.data.prepare import load_data
    from vae_cli.evaluation.latent import encode, kl_per_dim
    from vae_cli.evaluation.paths import traversals

    _, split = load_data(run.config.dataset).held_out()
    kl = kl_per_dim(run.vae, *encode(run.vae, split.images[:2000]))
    order = np.argsort(-kl)[: config.rows]
    columns = config.columns or STEPS
    z = traversals(order, run.vae.latent_dim, columns, config.span)
    return Drawing(z, columns)


def interpolation(config: GenerateConfig, run: "TrainedRun") -> Drawing:
    """Paths between the codes of held-out images, which are shown at both ends."""
    from vae_cli.data.prepare import load_data
    from vae_cli.evaluation.latent import encode
    from vae_cli.evaluation.paths import interpolate
    from vae_cli.randomness import Stream, generator

    name, split = load_data(run.config.dataset).held_out()
    rows, columns = config.rows or PAIRS, config.columns or STEPS
    if columns < 2:
        raise UsageError(f"columns={columns}: a path needs at least 2 images.")
    if len(split) < 2:
        raise RunError(f"The {name} split has {len(split)} image; a path needs two.")
    rng = generator(config.seed, Stream.CHOICE)
    chosen = np.stack([rng.choice(len(split), 2, replace=False) for _ in range(rows)])
    images = split.images[chosen.reshape(-1)]
    codes, _ = encode(run.vae, images)
    ends = codes.reshape(rows, 2, -1)
    z = [interpolate(a, b, columns, config.interpolation) for a, b in ends]
    shown = images.astype(np.float32).reshape(rows, 2, *images.shape[1:]) / 255
    return Drawing(np.concatenate(z), columns, shown)


DRAWINGS = {
    "prior": prior,
    "manifold": manifold,
    "traversal": traversal,
    "interpolation": interpolation,
}


def _write(
    config: GenerateConfig, drawing: Drawing, images: np.ndarray, output: Path
) -> list[Path]:
    """Write the grid and what else was asked for; return the files."""
    from vae_cli.visualize.images import grid, to_uint8, write_gif, write_png

    written = [output]
    cells, columns = images, drawing.columns
    if drawing.ends is not None:
        rows = images.reshape(-1, columns, *images.shape[1:])
        cells = np.concatenate([drawing.ends[:, :1], rows, drawing.ends[:, 1:]], axis=1)
        cells = cells.reshape(-1, *images.shape[1:])
        columns += 2
    output.parent.mkdir(parents=True, exist_ok=True)
    write_png(grid(cells, columns), output)
    if config.npz:
        written.append(Path(config.npz))
        with written[-1].open("wb") as file:
            np.savez_compressed(file, images=images, z=drawing.z)
    if config.gif:
        written.append(Path(config.gif))
        steps = images.reshape(-1, drawing.columns, *images.shape[1:]).swapaxes(0, 1)
        frames = [grid(step, columns=step.shape[0]) for step in steps]
        write_gif([*frames, *frames[-2:0:-1]], written[-1], milliseconds=100)
    if config.images_dir:
        written.append(Path(config.images_dir))
        written[-1].mkdir(parents=True, exist_ok=True)
        for index, image in enumerate(to_uint8(images)):
            write_png(image, written[-1] / f"{index:05d}.png")
    return written
