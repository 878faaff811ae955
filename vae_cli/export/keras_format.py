"""Keras's format; unlike a run's `model/`, with named inputs and preprocessing."""

from pathlib import Path

import keras

from vae_cli.export.formats import Arrays, Call, Format, Settings


class KerasFormat(Format):
    """A file that Keras opens without this package."""

    name = "keras"
    suffix = ".keras"
    runtime = "keras"

    def write(self, network: keras.Model, path: Path, settings: Settings) -> None:
        """Write a network, which may only contain built-in layers and operations."""
        own = {
            f"{type(operation).__name__} ({type(operation).__module__})"
            for operation in _operations(network)
            if type(operation).__module__.partition(".")[0] != "keras"
        }
        if own:
            raise self.inexpressible(network.name, sorted(own))
        network.save(path)

    def open(self, path: Path) -> Call:
        """Open a file as a model."""
        network = keras.saving.load_model(path)

        def call(inputs: Arrays) -> Arrays:
            outputs: Arrays = network.predict_on_batch(inputs)
            return outputs

        return call


def _operations(network: keras.Model) -> list[keras.Operation]:
    """Return all layers and operations, including those of nested networks."""
    found = []
    for operation in getattr(network, "operations", ()):
        found += [operation, *_operations(operation)]
    return found
