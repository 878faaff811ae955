"""Base of the export formats: writing a network, opening the file, errors."""

import contextlib
import warnings
from abc import ABC, abstractmethod
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
"""An opened file as a function from inputs to outputs, by name."""
Result = TypeVar("Result")
INSTEAD = "a SavedModel supports all TensorFlow operations: 'format=[saved_model]'"


@dataclass(frozen=True)
class Settings:
    """Settings for writing a file.

    Attributes:
        batch_size: images per call; None: any number.
        quantize: `none`, `float16` or `int8`.
        calibration: inputs for calibrating the ranges of int8.
    """

    batch_size: int | None = None
    quantize: str = "none"
    calibration: Arrays | None = None


class Format(ABC):
    """Base of the formats.

    Attributes:
        name: value of `format=`.
        suffix: of its files or folders.
        packages: import names of the packages that it needs in addition.
        runtime: the distribution that runs it.
    """

    name: str
    suffix: str
    packages: tuple[str, ...] = ()
    runtime: str

    @abstractmethod
    def write(self, network: keras.Model, path: Path, settings: Settings) -> None:
        """Write a network.

        Raises:
            ConfigError: the format doesn't support an operation of the network.
        """

    @abstractmethod
    def open(self, path: Path) -> Call:
        """Open a file in its own runtime."""

    def version(self) -> str:
        """Return name and version of the runtime."""
        return f"{self.runtime} {version(self.runtime)}"

    def check(self) -> None:
        """Refuse a format whose packages are missing.

        Raises:
            ConfigError: naming the packages.
        """
        missing = [name for name in self.packages if find_spec(name) is None]
        if missing:
            raise ConfigError(
                f"format={self.name} needs {' and '.join(missing)}, which "
                f"{'is' if len(missing) == 1 else 'are'} not installed.",
                "install it: pip install 'vae-cli[export]', or choose other formats: "
                "'format=[saved_model,keras]'",
            )

    def inexpressible(self, network: str, operations: Sequence[str]) -> ConfigError:
        """Return the error for operations that the format doesn't support."""
        names = ", ".join(dict.fromkeys(operations))
        return ConfigError(
            f"format={self.name} doesn't support operations of the {network}: {names}.",
            INSTEAD,
        )

    def attempt(self, network: str, verb: str, action: Callable[[], Result]) -> Result:
        """Call a converter or runtime, its stderr hidden; returns its result.

        Args:
            network: name of the network, for messages.
            verb: what is done with it, for messages.
            action: the call.

        Raises:
            ConfigError: the call fails; it names the unsupported operations, if known.
        """
        with quiet():
            try:
                return action()
            except Exception as error:  # converters and runtimes raise anything
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
    """Return the `input_signature` of a network for Keras's `export`.

    Without it, Keras ignores a fixed batch size.
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
    """Hide the warnings and logs of converters and runtimes."""
    with (
        stderr_kept_back(),
        warnings.catch_warnings(),
        errors_only("tensorflow"),
        errors_only("absl"),
    ):
        warnings.simplefilter("ignore")
        yield
