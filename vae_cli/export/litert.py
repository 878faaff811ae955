"""LiteRT, formerly TensorFlow Lite: for phones and embedded devices."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from vae_cli.export.formats import Arrays, Call, Format, Settings, signature

OPERATIONS = re.compile(r"(?:Custom|TF Select) ops: (.+)")
"""How the converter names unsupported operations."""


class LiteRT(Format):
    """A file for LiteRT, with only its built-in operations."""

    name = "litert"
    suffix = ".tflite"
    packages = ("ai_edge_litert",)
    runtime = "ai-edge-litert"

    def write(self, network: keras.Model, path: Path, settings: Settings) -> None:
        """Write a network."""
        operations = tf.lite.OpsSet
        # no TensorFlow operations: the runtime doesn't include their kernels
        target: dict[str, Any] = {"supported_ops": [operations.TFLITE_BUILTINS]}
        options: dict[str, Any] = {"target_spec": target}
        if settings.quantize != "none":
            options["optimizations"] = [tf.lite.Optimize.DEFAULT]
        if settings.quantize == "float16":
            target["supported_types"] = [tf.float16]
        if settings.quantize == "int8":
            target["supported_ops"].append(operations.TFLITE_BUILTINS_INT8)
            options["representative_dataset"] = lambda: _one_by_one(settings)
        network.export(
            path,
            format="litert",
            verbose=False,
            input_signature=signature(network, settings.batch_size),
            **options,
        )

    def operations_in(self, error: Exception) -> list[str]:
        """Return the operations that an error of the converter names."""
        lists = OPERATIONS.findall(str(error))
        return [name for names in lists for name in names.split(", ")]

    def open(self, path: Path) -> Call:
        """Open a file in an interpreter."""
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=str(path))
        runner = interpreter.get_signature_runner()

        def call(inputs: Arrays, _kept: object = interpreter) -> Arrays:
            outputs: Arrays = runner(**inputs)
            return outputs

        return call


def _one_by_one(settings: Settings) -> Iterator[Arrays]:
    """Yield the calibration inputs, one call at a time."""
    size = settings.batch_size or 1
    inputs = settings.calibration or {}
    count = min(map(len, inputs.values()))
    for start in range(0, count - size + 1, size):
        yield {name: array[start : start + size] for name, array in inputs.items()}
