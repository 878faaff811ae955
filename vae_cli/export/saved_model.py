"""TensorFlow's SavedModel: for TensorFlow Serving and TensorFlow without Keras."""

from pathlib import Path

import keras
import tensorflow as tf

from vae_cli.export.formats import Arrays, Call, Format, Settings, signature


class SavedModel(Format):
    """A folder that TensorFlow opens without Keras."""

    name = "saved_model"
    suffix = ".saved_model"
    runtime = "tensorflow"

    def write(self, network: keras.Model, path: Path, settings: Settings) -> None:
        """Write a network; the format supports all TensorFlow operations."""
        network.export(
            path,
            format="tf_saved_model",
            verbose=False,
            input_signature=signature(network, settings.batch_size),
        )

    def open(self, path: Path) -> Call:
        """Open a folder; its function needs the loaded object alive."""
        loaded = tf.saved_model.load(str(path))
        serve = loaded.signatures["serving_default"]

        def call(inputs: Arrays, _loaded: object = loaded) -> Arrays:
            tensors = {name: tf.constant(array) for name, array in inputs.items()}
            return {name: array.numpy() for name, array in serve(**tensors).items()}

        return call
