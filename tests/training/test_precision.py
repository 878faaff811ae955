import keras
import numpy as np
import pytest

from tests.helpers import small_config
from vae_cli.data.prepare import load_data
from vae_cli.data_spec import DataSpec
from vae_cli.models.factory import build_model
from vae_cli.training.build import build_learner
from vae_cli.training.distribution import Distribution
from vae_cli.training.optimizers import LossScale

MIXED = ["mixed_bfloat16", "mixed_float16"]


@pytest.mark.parametrize("architecture", ["dense", "conv", "residual_conv"])
@pytest.mark.parametrize("precision", MIXED)
def test_codes_logits_and_weights_stay_float32(precision, architecture):
    vae = build_model(
        small_config(architecture=architecture),
        DataSpec((8, 8, 1), binary=False),
        precision,
    )
    images = np.full((2, 8, 8, 1), 0.5, "float32")
    mean, log_var = vae.encode(images)
    logits = vae.decode(mean)
    assert {x.dtype.name for x in (mean, log_var, logits)} == {"float32"}
    assert {weight.dtype for weight in vae.weights} == {"float32"}
    inner = vae.encoder.layers[-1].compute_dtype
    assert inner == precision.removeprefix("mixed_")


def test_a_step_that_overflows_is_counted_and_changes_nothing():
    weight = keras.Variable([1.0, 2.0])
    optimizer = LossScale(keras.optimizers.Adam(0.1))
    optimizer.build([weight])
    optimizer.apply_gradients([(np.array([np.inf, 1.0], "float32"), weight)])
    assert int(optimizer.iterations) == 1
    assert np.asarray(weight).tolist() == [1.0, 2.0]
    assert float(optimizer.dynamic_scale) == optimizer.initial_scale / 2
    optimizer.apply_gradients([(np.array([1.0, 1.0], "float32"), weight)])
    assert int(optimizer.iterations) == 2
    assert (np.asarray(weight) < [1.0, 2.0]).all()


def test_float16_averages_the_weights_and_leaves_biases_undecayed():
    config = small_config(
        "precision=mixed_float16",
        "optimizer=adamw",
        "optimizer.ema_decay=0.9",
        "dataset.num_images=60",
        "dataset.validation_size=10",
    )
    learner = build_learner(config, load_data(config.dataset), Distribution())
    inner = learner.optimizer.inner_optimizer
    weights = learner.vae.trainable_variables
    assert {w.name for w in weights if inner._use_weight_decay(w)} == {"kernel"}
    average, raw = inner._model_variables_moving_average[0], np.asarray(weights[0])
    average.assign(raw + 1)
    with learner.averaged_weights():
        np.testing.assert_array_equal(np.asarray(weights[0]), raw + 1)
    np.testing.assert_array_equal(np.asarray(weights[0]), raw)
