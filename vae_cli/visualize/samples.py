"""Files of generated images: a grid, arrays, single pictures and an animation."""

from collections.abc import Iterator
from pathlib import Path

from vae_cli.evaluation.generation import Generated
from vae_cli.runs.files import write_npz
from vae_cli.visualize.files import save_pixels
from vae_cli.visualize.images import grid, to_uint8, write_gif, write_png


def save_generated(
    generated: Generated,
    output: Path,
    npz: Path | None = None,
    gif: Path | None = None,
    images_dir: str | None = None,
) -> Iterator[Path]:
    """Write generated images; yields each file when it is there.

    Args:
        generated: images and how to lay them out.
        output: file of the grid.
        npz: also the arrays.
        gif: also an animation along the rows, there and back.
        images_dir: also each image, in this folder.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    save_pixels(grid(*generated.cells()), output)
    yield output
    images = generated.images
    if npz:
        arrays = {"images": images, "z": generated.z}
        if generated.labels is not None:
            arrays["labels"] = generated.labels
        write_npz(npz, arrays)
        yield npz
    if gif:
        gif.parent.mkdir(parents=True, exist_ok=True)
        columns = generated.columns
        pictures = generated.pictures()
        steps = pictures.reshape(-1, columns, *images.shape[1:]).swapaxes(0, 1)
        frames = [grid(step, columns=step.shape[0]) for step in steps]
        write_gif([*frames, *frames[-2:0:-1]], gif, milliseconds=100)
        yield gif
    if images_dir:
        folder = Path(images_dir)
        folder.mkdir(parents=True, exist_ok=True)
        for index, image in enumerate(to_uint8(generated.pictures())):
            write_png(image, folder / f"{index:05d}.png")
        yield folder
