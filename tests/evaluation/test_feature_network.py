from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.helpers import grey_images
from vae_cli.errors import ConfigError
from vae_cli.evaluation.feature_network import FeatureNetwork
from vae_cli.runtime import start_tensorflow

IMAGES = grey_images(7, 6, 6, 1)


def save(folder: Path, outputs, shape=(6, 6, 1), form: str = "keras") -> str:
    start_tensorflow()
    image = keras.Input(shape)
    file = str(folder / f"features.{form}")
    keras.Model(image, outputs(image)).save(file)
    return file


@pytest.mark.parametrize("form", ["keras", "h5"])
@pytest.mark.filterwarnings("ignore")
def test_pixels_come_in_the_range_of_the_network(tmp_path, form):
    file = save(tmp_path, keras.layers.Flatten(), form=form)
    network = FeatureNetwork(file, (-1, 1), (6, 6, 1))
    expected = IMAGES.reshape(7, -1) / 127.5 - 1
    np.testing.assert_allclose(network(IMAGES), expected, atol=1e-6)
    assert "pixels in [-1, 1]" in network.name
    assert "6 x 6 x 1" in network.name


def test_grey_images_get_three_channels_and_places_are_averaged(tmp_path):
    file = save(tmp_path, keras.layers.Activation("linear"), (None, None, 3))
    found = FeatureNetwork(file, (0, 1), (6, 6, 1))(IMAGES)
    means = (IMAGES / 255).mean(axis=(1, 2))
    np.testing.assert_allclose(found, np.repeat(means, 3, axis=1), atol=1e-6)


def test_images_are_resized_bilinearly(tmp_path):
    file = save(tmp_path, keras.layers.Flatten(), (2, 2, 1))
    blocks = np.kron(np.array([[0, 255], [255, 0]]), np.ones((3, 3)))
    found = FeatureNetwork(file, (0, 1), (6, 6, 1))(
        blocks.astype(np.uint8)[None, :, :, None]
    )
    # the antialiasing triangle reaches across the edge, alike on every side
    assert found[0, 0] == pytest.approx(found[0, 3])
    assert found[0, 1] == pytest.approx(1 - found[0, 0], abs=1e-6)
    assert 0 < found[0, 0] < 0.3


def test_a_file_that_would_run_code_is_refused(tmp_path):
    code = save(tmp_path, keras.layers.Lambda(lambda x: x * 2))
    with pytest.raises(ConfigError, match="Lambda, which is no built-in Keras layer"):
        FeatureNetwork(code, (0, 1), (6, 6, 1))


def test_what_is_no_fitting_network_is_refused(tmp_path):
    (tmp_path / "broken.keras").write_bytes(b"no model")
    for name, said in (
        ("missing.keras", "can't be read"),
        ("broken.keras", "is no Keras model"),
    ):
        with pytest.raises(ConfigError, match=said):
            FeatureNetwork(str(tmp_path / name), (0, 1), (6, 6, 1))
    (tmp_path / "x.txt").touch()
    with pytest.raises(ConfigError, match=r"must end in .keras or .h5"):
        FeatureNetwork(str(tmp_path / "x.txt"), (0, 1), (6, 6, 1))
    grey = save(tmp_path, keras.layers.Flatten())
    with pytest.raises(ConfigError, match="this run has images of"):
        FeatureNetwork(grey, (0, 1), (6, 6, 3))


@pytest.mark.slow
def test_inception_gives_2048_features(tmp_path):
    start_tensorflow()
    inception = partial(
        keras.applications.InceptionV3, include_top=False, weights=None, pooling="avg"
    )
    file = str(tmp_path / "inception.keras")
    inception(input_shape=(75, 75, 3)).save(file)
    found = FeatureNetwork(file, (-1, 1), (6, 6, 1))(IMAGES)
    assert found.shape == (7, 2048)
    assert np.isfinite(found).all()
    inception().save(file)  # of any size, but not of a small one
    with pytest.raises(ConfigError, match="takes no images of 6 x 6"):
        FeatureNetwork(file, (-1, 1), (6, 6, 1))
