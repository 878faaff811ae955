"""Networks with what a format has no form of: one message that names it."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from vae_cli.errors import ConfigError
from vae_cli.export.exporter import FORMATS, _remove_leftovers, _staging
from vae_cli.export.formats import Settings
from vae_cli.export.networks import CHOICES, GaussianLayers, MixtureLayers, with_layers
from vae_cli.models.distributions import Gaussian, Mixture


class Own(keras.layers.Layer):
    """A layer of a plugin's."""

    def call(self, x):
        return ops.erfinv(ops.tanh(x))

    def compute_output_shape(self, shape):
        return shape


def network(layer: keras.layers.Layer) -> keras.Model:
    z = keras.Input((4,), name="z")
    return keras.Model({"z": z}, {"image": layer(z)}, name="decoder")


def write(name: str, model: keras.Model, folder: Path) -> None:
    kind = FORMATS[name]
    path = folder / f"decoder{kind.suffix}"
    kind.attempt("decoder", "converted", lambda: kind.write(model, path, Settings()))


@pytest.mark.parametrize(
    ("name", "named"), [("onnx", "Erfinv"), ("litert", "Erfinv"), ("keras", "Own")]
)
def test_what_a_format_cannot_express_is_named(
    name: str, named: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError) as refusal:
        write(name, network(Own()), tmp_path)
    text = str(refusal.value)
    assert f"format={name} doesn't support operations of the decoder: {named}" in text
    assert "format=[saved_model]" in text
    assert capfd.readouterr().err == ""  # the converter's own lines are held back


def test_tensors_that_are_no_weights_are_refused_by_onnx(tmp_path: Path) -> None:
    z = keras.Input((4,), name="z")
    large = ops.convert_to_tensor(np.arange(400, dtype=np.float32).reshape(100, 4))
    model = keras.Model(
        {"z": z}, {"image": ops.matmul(z, ops.transpose(large))}, name="decoder"
    )
    with pytest.raises(ConfigError, match="a tensor that is not a weight"):
        write("onnx", model, tmp_path)


@pytest.mark.filterwarnings("ignore:You are using a softmax")
@pytest.mark.parametrize("count", [1, 2, 7])
def test_layers_of_a_mixture_sample_what_the_mixture_samples(count: int) -> None:
    rng = np.random.default_rng(count)
    weights = rng.dirichlet(np.ones(count)).astype(np.float32)
    mean, log_var = rng.standard_normal((2, count, 3)).astype(np.float32)
    mixture = Mixture(np.log(weights), mean, log_var)
    noise = rng.standard_normal((500, 3)).astype(np.float32)
    choice = rng.integers(CHOICES, size=500, dtype=np.int32)
    # where one component ends and the next begins, and the largest value there is
    edges = np.asarray(ops.cumsum(ops.softmax(mixture.log_weights)), np.float64)
    below = np.floor(edges * CHOICES).astype(np.int32)
    choice[:count], choice[count : 2 * count], choice[-1] = (
        below,
        below - 1,
        CHOICES - 1,
    )
    choice = np.clip(choice, 0, CHOICES - 1)
    found = MixtureLayers(mixture).sample(noise, choice)
    wanted = mixture.sample(noise, choice.astype(np.float32) / CHOICES)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_layers_of_a_learned_gaussian_sample_what_it_samples() -> None:
    rng = np.random.default_rng(0)
    mean, log_var = rng.standard_normal((2, 1, 3)).astype(np.float32)
    noise = rng.standard_normal((50, 3)).astype(np.float32)
    gaussian = Gaussian(mean, log_var)
    layers = with_layers(gaussian)
    assert isinstance(layers, GaussianLayers)
    np.testing.assert_allclose(layers.sample(noise), gaussian.sample(noise), rtol=1e-6)


def test_folder_of_a_killed_export_is_removed_and_that_of_a_live_one_stays(
    tmp_path: Path,
) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path;"
        "from vae_cli.export.exporter import _staging\n"
        "with _staging(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'decoder.onnx').write_bytes(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert len([*tmp_path.glob(".*.partial/decoder.onnx")]) == 1
    (tmp_path / ".notes.partial").mkdir()
    with _staging(tmp_path) as first:
        assert {*tmp_path.iterdir()} == {first, tmp_path / ".notes.partial"}
        _remove_leftovers(tmp_path)
        assert first.exists()
    assert [*tmp_path.iterdir()] == [tmp_path / ".notes.partial"]
