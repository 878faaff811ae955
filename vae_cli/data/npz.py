"""`dataset=npz`: arrays of an .npz file."""

from pathlib import Path

import numpy as np

from vae_cli.config.dataset_formats import NpzConfig
from vae_cli.data.array_names import named_arrays
from vae_cli.data.arrays import ready
from vae_cli.data.mapped import mapped_member, member_headers
from vae_cli.data.npy_header import UNREADABLE
from vae_cli.data.regular import check_regular
from vae_cli.data.splits import Arrays, Sources
from vae_cli.errors import DataError
from vae_cli.registry import builds


@builds(NpzConfig)
def npz(config: NpzConfig) -> Sources:
    """Images, test images and labels, found by the names of the arrays.

    Raises:
        DataError: the file is missing or no .npz; none of its arrays, or several, can
            be images; its images have other channels than the config says.
    """
    path = Path(config.path)
    try:
        if path.is_dir():
            raise DataError(
                f"dataset.path={path} is a folder, and dataset=npz takes a file.",
                f"for a folder of pictures: dataset=folder dataset.path={path}",
            )
        check_regular(path, "dataset.path")
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it holds a single array")
        with archive as file:
            headers = member_headers(path)
            if not headers and file.files:
                raise ValueError(f"{file.files[0]} is no array")
            names = named_arrays(headers, config)
            arrays = {
                split: Arrays(
                    _member(file, path, named.images, config.memory_mb * 2**20),
                    None if named.labels is None else _array(file, named.labels),
                )
                for split, named in names.items()
            }
    except FileNotFoundError:
        raise DataError(
            f"dataset.path={path} does not exist.",
            "give an .npz file: dataset=npz dataset.path=images.npz",
        ) from None
    except UNREADABLE as error:
        # NumPy's advice to allow pickles is not ours
        reason = str(error).split(". ")[0] if "pickle" not in str(error) else ""
        advice = "write one with numpy.savez(path, x_train=images), numbers only"
        if "single array" in reason:
            advice = f"read it with: dataset=npy dataset.path={path}"
        raise DataError(
            f"dataset.path={path} can't be read as .npz"
            + (
                f": {reason}"
                if reason
                else "; it is another kind of file, or holds "
                "Python objects, which are never loaded."
            ),
            advice,
        ) from error
    ready_arrays = {
        split: own._replace(
            images=ready(own.images, config, names[split].images, names[split].images)
        )
        for split, own in arrays.items()
    }
    return Sources(
        ready_arrays["train"], ready_arrays.get("test"), ready_arrays.get("validation")
    )


def _member(
    file: "np.lib.npyio.NpzFile", path: Path, name: str, most: float
) -> np.ndarray:
    """Return an array, as a memory map where it is large."""
    large = mapped_member(path, name, most)
    return _array(file, name) if large is None else large


def _array(file: "np.lib.npyio.NpzFile", name: str) -> np.ndarray:
    array: np.ndarray = file[name]
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{name} is no array")
    return array
