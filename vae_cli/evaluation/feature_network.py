"""A user's own Keras network as the features that samples are measured in.

With InceptionV3 and its pooled features, 2048 per image, the Frechet distance is the
usual FID. Images are made what the network takes: grey ones get three equal channels,
all are resized bilinearly with antialiasing to the network's input size, and pixels in
[0, 1] are scaled to its range. Features of more than one place are averaged over
places.

Only networks of Keras's own layers are opened: a file that would run code is refused.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import tensorflow as tf

from vae_cli.errors import ConfigError
from vae_cli.evaluation.batches import over_batches

CODE = ("Lambda", "TorchModuleWrapper", "FlaxLayer", "JaxLayer", "TFSMLayer")
"""Keras's layers that run what a file says."""
BATCH = 50
"""Images at a time: activations of InceptionV3 take 20 MB each."""


class FeatureNetwork:
    """A network from a file.

    Args:
        file: a Keras model, .keras or .h5.
        pixel_range: the network's values of black and of white.
        image_shape: (H, W, C) of the images that it will get.

    Raises:
        ConfigError: the file can't be read, would run code, or takes other images.
    """

    def __init__(
        self, file: str, pixel_range: Sequence[float], image_shape: tuple[int, ...]
    ) -> None:
        self._low, self._high = pixel_range
        content = _content(file)
        self._network = _opened(file, content)
        self._size = self._input_size(file, image_shape)
        self._try(file)
        digest = hashlib.sha256(content).hexdigest()[:12]
        size = " x ".join(map(str, self._size))
        self.name = (
            f"{Path(file).name} (SHA-256 {digest}; {size} x {self._channels}, bilinear "
            f"with antialiasing, pixels in [{self._low:g}, {self._high:g}])"
        )

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return features, float32 [N, F].

        Args:
            images: uint8, or float32 in [0, 1], [N, H, W, C].
        """

        def extract(x: Any) -> tuple[Any]:
            if self._channels > x.shape[-1]:
                x = tf.repeat(x, self._channels, axis=-1)
            if tuple(x.shape[1:3]) != self._size:
                x = tf.image.resize(x, self._size, "bilinear", antialias=True)
            x = self._low + (self._high - self._low) * x
            features = tf.cast(self._network(x, training=False), tf.float32)
            places = list(range(1, len(features.shape) - 1))
            return (tf.reduce_mean(features, places) if places else features,)

        (features,) = over_batches(extract, (images,), BATCH)
        return features

    def _input_size(self, file: str, image_shape: tuple[int, ...]) -> tuple[int, int]:
        """Return (H, W) that images are resized to; checks that they fit at all."""
        network = self._network
        single = len(network.inputs) == len(network.outputs) == 1
        shape = network.inputs[0].shape
        *size, channels = image_shape
        fits = single and len(shape) == 4 and shape[-1] in (channels, 3)
        if not fits or (channels != shape[-1] and channels != 1):
            takes = [list(x.shape) for x in network.inputs]
            raise ConfigError(
                f"feature_network={file} takes {takes} and gives "
                f"{len(network.outputs)} outputs; this run has images of "
                f"{list(image_shape)}.",
                "use a network with one image as its input, of as many channels or of "
                "3 for grey images, and one output",
            )
        self._channels = shape[-1]
        return shape[1] or size[0], shape[2] or size[1]

    def _try(self, file: str) -> None:
        """Check that the network gives features of images of this size."""
        try:
            self._network(tf.zeros((1, *self._size, self._channels)), training=False)
        except Exception as error:  # whatever its layers raise
            text = str(error).strip().splitlines()[-1]
            size = " x ".join(map(str, self._size))
            raise ConfigError(
                f"feature_network={file} takes no images of {size}: {text}",
                "build it for a size of its own, to which images are resized, such as "
                "input_shape=(299, 299, 3), and save it again",
            ) from error


def _content(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise ConfigError(
            f"feature_network={file} can't be read: {error.strerror}.",
            "name a Keras model's file, .keras or .h5",
        ) from error


def _opened(file: str, content: bytes) -> Any:
    """Load a network whose config names nothing but Keras's own layers."""
    if Path(file).suffix not in (".keras", ".h5", ".hdf5"):
        raise ConfigError(
            f"feature_network={file} must end in .keras or .h5.",
            "save the model by model.save('features.keras')",
        )
    try:
        _refuse_code(file, _config(content))
        network = keras.saving.load_model(file, compile=False, safe_mode=True)
    except ConfigError:
        raise
    except Exception as error:  # whatever Keras raises on a damaged file
        text = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"feature_network={file} is no Keras model that can be opened: {text}",
            "save the whole model, not its weights alone: model.save('features.keras')",
        ) from error
    if not getattr(network, "inputs", None):
        raise ConfigError(
            f"feature_network={file} has no inputs of a known shape.",
            "save a functional model, keras.Model(inputs, outputs)",
        )
    network.trainable = False
    return network


def _config(content: bytes) -> Any:
    """Return a model's config as the file has it, read as data alone."""
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return json.loads(archive.read("config.json"))
    with h5py.File(io.BytesIO(content), "r") as archive:
        return json.loads(archive.attrs["model_config"])


def _refuse_code(file: str, config: Any) -> None:
    if isinstance(config, list):
        for part in config:
            _refuse_code(file, part)
    if not isinstance(config, dict):
        return
    name, module = config.get("class_name"), config.get("module") or "keras"
    if name in CODE or str(module).partition(".")[0] != "keras":
        raise ConfigError(
            f"feature_network={file} contains {module}.{name}, which is no built-in "
            "Keras layer or can run code from the file.",
            "build the network from built-in layers, and save it again",
        )
    for part in config.values():
        _refuse_code(file, part)
