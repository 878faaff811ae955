"""Files of generated images: a grid, arrays, single pictures and an animation."""

from collections.abc import Iterator
from pathlib import Path

from vae_cli.evaluation.generation import Generated
from vae_cli.runs.files import write_npz
from vae_cli.visualize.images import grid, to_uint8, write_gif, write_png
from vae_cli.visualize.labelled_grid import save_grid
from vae_cli.visualize.own_precision import write_deep_png, write_tiff


def save_generated(
    generated: Generated,
    output: Path,
    npz: Path | None = None,
    gif: Path | None = None,
    images_dir: str | None = None,
    images_format: str = "png",
    labels: bool = True,
) -> Iterator[Path]:
    """Write generated images; yields each file when it is there.

    Args:
        generated: images and how to lay them out.
        output: file of the grid.
        npz: also the arrays.
        gif: also an animation along the rows, there and back.
        images_dir: also each image, in this folder.
        images_format: of these, `png` or `tiff`.
        labels: whether to draw the names of rows and columns, if there are any.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    save_grid(*generated.cells(), generated.names if labels else None, output)
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
        _write_each(generated, Path(images_dir), images_format)
        yield Path(images_dir)


def _write_each(generated: Generated, folder: Path, images_format: str) -> None:
    """Write each image to a file of its own, numbered."""
    folder.mkdir(parents=True, exist_ok=True)
    tiff, grey = images_format == "tiff", generated.images.shape[-1] == 1
    own = tiff or (grey and generated.pixels.dtype == "uint16")
    write = write_tiff if tiff else write_deep_png if own else write_png
    for index in range(len(generated.images)):
        row = slice(index, index + 1)
        image = generated.stored(row) if own else to_uint8(generated.pictures(row))
        write(image[0], folder / f"{index:05d}.{images_format}")
