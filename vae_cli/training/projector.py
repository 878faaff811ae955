"""TensorBoard's embedding projector: codes of images, with labels and thumbnails."""

import logging
from pathlib import Path

import numpy as np
from PIL import Image

from vae_cli.data.splits import Split
from vae_cli.data_spec import DataSpec
from vae_cli.evaluation.latent import encode
from vae_cli.models.vae import VAE
from vae_cli.runs.files import write_text
from vae_cli.text import printable
from vae_cli.visualize.images import to_uint8, write_png

MAX_IMAGES = 1000
"""Most points that a browser rotates smoothly."""
MAX_SIDE = 64
"""Longest side of a thumbnail, pixels; browsers limit sprites to 8192 x 8192."""

log = logging.getLogger(__name__)


def write_projector(folder: Path, vae: VAE, split: Split, spec: DataSpec) -> None:
    """Write `codes.bytes`, `labels.tsv`, `sprite.png` and `projector_config.pbtxt`.

    Args:
        folder: the run's `tensorboard/`.
        vae: the model.
        split: images whose codes are shown, the first `MAX_IMAGES` of them.
        spec: of the images, with the names of their classes.
    """
    from tensorboard.plugins import projector

    split = split.take(slice(MAX_IMAGES))
    mean, _ = encode(vae, split.images[:], condition=split.condition)
    # with two columns, TensorBoard's third axis is NaN and it shows no points
    padding = max(0, 3 - mean.shape[1])
    codes = np.pad(mean, ((0, 0), (0, padding))).astype("<f4")
    (folder / "codes.bytes").write_bytes(codes.tobytes())
    rows = ["image" if split.labels is None else "label\timage"]
    for index in range(len(split)):
        name = ""
        if split.labels is not None:
            name = printable(spec.class_name(int(split.labels[index]))) + "\t"
        rows.append(f"{name}{index}")
    # a table of one column must not have a header
    write_text(folder / "labels.tsv", "\n".join(rows[split.labels is None :]) + "\n")
    thumbnails = _thumbnails(split)
    write_png(_sprite(thumbnails), folder / "sprite.png")
    config = projector.ProjectorConfig()
    embedding = config.embeddings.add(
        tensor_name="posterior means",
        tensor_shape=codes.shape,
        tensor_path="codes.bytes",
        metadata_path="labels.tsv",
    )
    embedding.sprite.image_path = "sprite.png"
    height, width = thumbnails.shape[1:3]
    embedding.sprite.single_image_dim.extend([width, height])
    projector.visualize_embeddings(str(folder), config)


def _thumbnails(split: Split) -> np.ndarray:
    """Return uint8 [N, h, w, 1 or 3], sides of at most `MAX_SIDE`."""
    pixels = to_uint8(split.pictures())
    height, width = pixels.shape[1:3]
    scale = MAX_SIDE / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    grey = pixels.shape[-1] == 1
    small = [
        np.asarray(
            Image.fromarray(picture[..., 0] if grey else picture).resize(
                size, Image.Resampling.BOX
            )
        )
        for picture in pixels
    ]
    stack = np.stack(small)
    return stack[..., None] if grey else stack


def _sprite(thumbnails: np.ndarray) -> np.ndarray:
    """Arrange thumbnails in a square sprite, row by row."""
    count, height, width, channels = thumbnails.shape
    side = int(np.ceil(np.sqrt(count)))
    cells = np.zeros((side * side, height, width, channels), np.uint8)
    cells[:count] = thumbnails
    rows = cells.reshape(side, side, height, width, channels).swapaxes(1, 2)
    return rows.reshape(side * height, side * width, channels)
