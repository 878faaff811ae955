"""Exported networks, called as a notebook calls them."""

import warnings

import keras
import numpy as np
import pytest

from tests.helpers import small_vae


@pytest.mark.parametrize("reloaded", [False, True])
@pytest.mark.parametrize("conditional", [False, True])
def test_exported_networks_take_arrays_without_a_warning(
    tmp_path, reloaded, conditional
):
    options = ("conditioning=label",) if conditional else ()
    vae = small_vae("latent_dim=3", *options, num_classes=2 if conditional else None)
    inputs = {
        "encoder": np.zeros((2, 4, 5, 1), np.float32),
        "decoder": np.zeros((2, 3), np.float32),
    }
    for network in vae.export_networks():
        if reloaded:
            network.save(tmp_path / f"{network.name}.keras")
            network = keras.saving.load_model(tmp_path / f"{network.name}.keras")
        given = inputs[network.name]
        label = np.eye(2, dtype=np.float32)
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*structure of `inputs`")
            network([given, label] if conditional else given)
            network.predict([given, label] if conditional else given, verbose=0)
