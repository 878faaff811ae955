import numpy as np
import pytest

from tests.helpers import small_config
from vae_cli.data.prepare import load_data
from vae_cli.training.build import build_learner
from vae_cli.training.distribution import Distribution

DATA = ("dataset.num_images=60", "dataset.validation_size=10")


def learner(*overrides: str):
    config = small_config(*DATA, *overrides)
    return build_learner(config, load_data(config.dataset), Distribution())


@pytest.mark.parametrize("components", [20, 50])
def test_pseudo_inputs_start_at_images_none_of_them_twice(components):
    vamp = "prior=vamp", "prior.initialization=data", f"prior.components={components}"
    pixels = np.asarray(learner(*vamp).vae.prior_network.pseudo_inputs)
    assert len(np.unique(pixels.reshape(components, -1), axis=0)) == components


def test_pseudo_inputs_may_be_more_than_images():
    vamp = "prior=vamp", "prior.initialization=data", "prior.components=70"
    assert learner(*vamp).vae.prior_network.pseudo_inputs.shape[0] == 70


@pytest.mark.parametrize("prior", ["mog", "vamp"])
def test_weight_decay_leaves_biases_and_the_prior_alone(prior):
    built = learner("optimizer=adamw", f"prior={prior}", "prior.components=3")
    decays = built.optimizer._use_weight_decay
    shrunk = {v.path for v in built.vae.trainable_variables if decays(v)}
    kernels = {v.path for v in built.vae.trainable_variables if v.name == "kernel"}
    assert shrunk == kernels
    assert kernels


@pytest.mark.parametrize(
    "options, compiled",
    [
        (("threads=1", "batch_size=128"), True),
        (("threads=2", "batch_size=128"), False),  # a part of the batch for each core
        (("threads=1", "batch_size=128", "epochs=1"), False),
        (("threads=2", "batch_size=128", "jit=true"), True),
    ],
)
def test_xla_compiles_where_it_pays(options, compiled):
    built = learner("epochs=5000", *options)
    assert hasattr(built._gradients, "get_concrete_function") == compiled
