"""ONNX: for ONNX Runtime and other runtimes that read it."""

from pathlib import Path
from typing import Any

import keras

from vae_cli.export.formats import (
    Arrays,
    Call,
    Format,
    Settings,
    signature,
)
from vae_cli.runtime import errors_only


class Onnx(Format):
    """A file for ONNX Runtime."""

    name = "onnx"
    suffix = ".onnx"
    packages = ("onnx", "tf2onnx", "onnxruntime")
    runtime = "onnxruntime"

    def write(self, network: keras.Model, path: Path, settings: Settings) -> None:
        """Write a network."""
        import onnx

        with errors_only("tf2onnx"):
            network.export(
                path,
                format="onnx",
                verbose=False,
                input_signature=signature(network, settings.batch_size),
            )
        model = onnx.load(path)
        self._check(network, model)
        if settings.batch_size is None:  # one name for the dimension in all arrays
            for array in (*model.graph.input, *model.graph.output):
                array.type.tensor_type.shape.dim[0].dim_param = "batch"
        onnx.save(model, path)

    def _check(self, network: keras.Model, model: Any) -> None:
        """Refuse operations and tensors that the converter has not converted."""
        import onnx

        unknown = [
            node.op_type
            for node in model.graph.node
            if not onnx.defs.has(node.op_type, node.domain)
        ]
        if unknown:
            raise self.inexpressible(network.name, unknown)
        names = {array.name for array in network.inputs}
        values = [a.name for a in model.graph.input if a.name not in names]
        if values:
            kept = [f"{name} (a tensor that is not a weight)" for name in values]
            raise self.inexpressible(network.name, kept)

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
