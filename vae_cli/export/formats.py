"""What all formats share: writing a network, opening the file, and refusals."""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import keras
import numpy as np

from vae_cli.errors import ConfigError, VaeCliError, first_line
from vae_cli.runtime import errors_only, stderr_kept_back

Arrays = dict[str, np.ndarray]
Call = Callable[[Arrays], Arrays]
"""An opened file: from inputs to outputs, by name."""
Result = TypeVar("Result")
INSTEAD = "a SavedModel holds any operation of TensorFlow: 'format=[saved_model]'"


@dataclass(frozen=True)
class Settings:
    """What a file may be made with besides its network.

    Attributes:
        batch_size: images a call; None: any number.
        quantize: `none`, `float16` or `int8`.
        calibration: inputs that int8 ranges are found on.
    """

    batch_size: int | None = None
    quantize: str = "none"
    calibration: Arrays | None = None


class Format:
    """Base of the formats.

    Attributes:
        name: of the format, and of the folder of its files.
        suffix: of a file; nothing where it is a folder.
        packages: what it needs besides this package's own, by the name in `import`.
        runtime: the distribution that runs it.
    """

    name: str
    suffix: str
    packages: tuple[str, ...] = ()
    runtime: str

    def write(self, network: keras.Model, path: Path, settings: Settings) -> None:
        """Write a network.

        Raises:
            ConfigError: it holds operations that the format has no form of.
        """
        raise NotImplementedError

    def open(self, path: Path) -> Call:
        """Open a file in its own runtime."""
        raise NotImplementedError

    def version(self) -> str:
        """Return what runs the file, with its version."""
        return f"{self.runtime} {version(self.runtime)}"

    def check(self) -> None:
        """Refuse a format whose packages are missing.

        Raises:
            ConfigError: saying what to install.
        """
        missing = [name for name in self.packages if find_spec(name) is None]
        if missing:
            raise ConfigError(
                f"format={self.name} needs {' and '.join(missing)}, which "
                f"{'is' if len(missing) == 1 else 'are'} not installed.",
                "pip install 'vae-cli[export]', or leave it out: "
                "'format=[saved_model,keras]'",
            )

    def inexpressible(self, network: str, operations: Sequence[str]) -> ConfigError:
        """Return the error for a network with operations that there is no form of."""
        names = ", ".join(dict.fromkeys(operations))
        return ConfigError(
            f"format={self.name} has no form of what the {network} computes: {names}.",
            INSTEAD,
        )

    def attempt(self, network: str, verb: str, action: Callable[[], Result]) -> Result:
        """Return what a converter or runtime gives; it stays quiet, even if it fails.

        Args:
            network: its name.
            verb: what is done with it, for messages.
            action: what to call.

        Raises:
            ConfigError: it fails; the error names operations where it does.
        """
        with quiet():
            try:
                return action()
            except Exception as error:  # of converters and runtimes, whatever it is
                failure = error
        if isinstance(failure, (VaeCliError, OSError)):
            raise failure
        operations = self.operations_in(failure)
        if operations:
            raise self.inexpressible(network, operations) from failure
        raise ConfigError(
            f"format={self.name}: the {network} can't be {verb}: "
            f"{first_line(failure)}.",
            INSTEAD,
        ) from failure

    def operations_in(self, error: Exception) -> list[str]:
        """Return the operations that an error of the converter names."""
        return []


def signature(network: keras.Model, batch_size: int | None) -> list[dict[str, Any]]:
    """Return names, shapes and types of a network's inputs, as Keras exports take them.

    Keras would leave the number of images free otherwise.
    """
    return [
        {
            x.name: keras.InputSpec(
                shape=(batch_size, *x.shape[1:]), dtype=x.dtype, name=x.name
            )
            for x in network.inputs
        }
    ]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back what converters and runtimes say that is no error."""
    with (
        stderr_kept_back(),
        warnings.catch_warnings(),
        errors_only("tensorflow"),
        errors_only("absl"),
    ):
        warnings.simplefilter("ignore")
        yield
