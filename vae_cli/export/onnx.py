"""ONNX: for ONNX Runtime, and whatever else reads it."""

import re
from pathlib import Path

import keras

from vae_cli.export.formats import (
    Arrays,
    Call,
    Format,
    Settings,
    errors_only,
    quiet,
    signature,
)

UNKNOWN = re.compile(r"[Tt]ensorflow op \[[^:\]]*: (\w+)\]")
"""How tf2onnx names an operation that it can't convert."""


class Onnx(Format):
    """A file for ONNX Runtime."""

    name = "onnx"
    suffix = ".onnx"
    packages = ("onnx", "tf2onnx", "onnxruntime")
    runtime = "onnxruntime"

    def write(self, network: keras.Model, path: Path, settings: Settings) -> None:
        """Write a network."""
        with quiet(), errors_only("tf2onnx"):
            network.export(
                path,
                format="onnx",
                verbose=False,
                input_signature=signature(network, settings.batch_size),
            )
        self._finish(network, path, settings)

    def _finish(self, network: keras.Model, path: Path, settings: Settings) -> None:
        """Name the number of images `batch`, the same in every array."""
        import onnx

        model = onnx.load(path)
        if settings.batch_size is None:
            for array in (*model.graph.input, *model.graph.output):
                array.type.tensor_type.shape.dim[0].dim_param = "batch"
        onnx.save(model, path)

    def open(self, path: Path) -> Call:
        """Open a file as a session."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors
        session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        names = [output.name for output in session.get_outputs()]

        def call(inputs: Arrays) -> Arrays:
            return dict(zip(names, session.run(names, inputs), strict=True))

        return call
