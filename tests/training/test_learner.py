from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import grey_images, mean_and_log_var, small_config, small_vae, whole
from vae_cli.data.batches import ImageStore, evaluation_order
from vae_cli.data.pipeline import shards
from vae_cli.evaluation.bounds import evaluate_elbo, evaluation_noise
from vae_cli.evaluation.importance import importance_sampling
from vae_cli.models.objective import Terms, TrainingSetup
from vae_cli.randomness import Stream, key
from vae_cli.registry import build
from vae_cli.training.learner import Learner
from vae_cli.training.optimizer import build_optimizer

SHAPE = (4, 5, 1)
TRAIN = grey_images(10, *SHAPE)
VALIDATION = grey_images(10, *SHAPE, seed=1)
EPOCH = [[3, 1, 4, 0], [5, 9, 2, 6], [8, 7]]
"""Index batches of an epoch; the last one is short."""
PARTS = {
    "iwae": ("objective=iwae", "objective.importance_samples=3"),
    "doubly reparameterized": (
        "objective=iwae",
        "objective.importance_samples=3",
        "objective.doubly_reparameterized=true",
    ),
    "mog": ("prior=mog", "prior.components=3"),
    "vamp": ("prior=vamp", "prior.components=3"),
    "two levels": ("hierarchy=two_level", "hierarchy.hidden_units=[4,3]"),
    "vq": (
        "latent=vq",
        "latent.codes=5",
        "latent.code_dim=2",
        "latent.groups=3",
        "latent.decay=0.7",
        "latent.restart_below=0.5",
        "latent_dim=null",
    ),
    "categorical": (
        "latent=categorical",
        "latent.codes=5",
        "latent.code_dim=2",
        "latent.groups=3",
        "latent_dim=null",
    ),
    "all": (
        "objective=iwae",
        "objective.importance_samples=3",
        "prior=vamp",
        "prior.components=3",
        "hierarchy=two_level",
        "hierarchy.hidden_units=[4,3]",
    ),
}
"""Other objectives, priors and hierarchies than the default."""
LINEAR = ("kl_annealing=linear", "kl_annealing.duration=4", "kl_annealing.unit=steps")


def make_learner(
    *overrides: str,
    images: np.ndarray = TRAIN,
    dynamic: bool = False,
    optimizer: Any = None,
    jit: bool = False,
    core_shards: int = 1,
) -> Learner:
    """Return a learner of a tiny model; runs eagerly."""
    overrides = ("optimizer.learning_rate=0.01", *overrides)
    config = small_config(*overrides)
    objective = build(config.objective, TrainingSetup(SHAPE))
    vae = small_vae(*overrides, shape=SHAPE)
    learner = Learner(
        vae,
        objective=objective,
        beta=config.beta,
        annealing=build(config.kl_annealing, len(EPOCH)),
        free_bits=config.free_bits,
        seed=config.seed,
        train=ImageStore(images, config.seed if dynamic else None),
        validation=ImageStore(VALIDATION),
        validation_noise=evaluation_noise(
            len(VALIDATION), vae.noise_dim, config.seed, objective.noise_arrays
        ),
        jit=jit,
        core_shards=core_shards,
        ema_decay=config.optimizer.ema_decay,
    )
    learner.compile(optimizer or build_optimizer(config, len(EPOCH)), run_eagerly=True)
    return learner


def train(learner: Learner, batches: list[list[int]]) -> dict[str, float]:
    """Take steps; return the last logs."""
    for batch in batches:
        learner.train_step(whole(batch))
    return {name: float(value) for name, value in learner._training_logs().items()}


def validate(learner: Learner, batch_size: int = 4) -> dict[str, float]:
    order = shards(evaluation_order(len(VALIDATION), batch_size))
    learner.set_num_batches(0, -(-len(VALIDATION) // batch_size))
    return learner.evaluate(order, return_dict=True, verbose=0)


def terms_of_next_step(learner: Learner, batch: list[int]) -> Terms:
    """Return the terms that the step will see."""
    step = int(learner.optimizer.iterations)
    noise = tf.random.stateless_normal(
        (learner.objective.noise_arrays, len(batch), 2),
        key(learner._seed, Stream.TRAINING_NOISE, step),
    )
    images = TRAIN[batch].astype(np.float32) / 255
    beta = learner.beta_at(step)
    return learner.objective(learner.vae, images, noise, beta, training=True)


def weights(learner: Learner) -> list[np.ndarray]:
    return [variable.value.numpy() for variable in learner.vae.variables]


def same(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_step_changes_every_weight():
    learner = make_learner("likelihood=gaussian", "architecture.activation=tanh")
    before = weights(learner)
    train(learner, EPOCH[:1])
    changed = [(a != b).any() for a, b in zip(before, weights(learner), strict=True)]
    assert all(changed)
    assert int(learner.optimizer.iterations) == 1


def test_step_goes_down_the_gradient_of_the_logged_loss():
    rate, batch = 1e-3, EPOCH[0]
    learner = make_learner("beta=2", optimizer=keras.optimizers.SGD(rate))
    before = weights(learner)
    loss = train(learner, [batch])["loss"]
    slopes = [
        (a - b) / rate for a, b in zip(before, weights(learner), strict=True)
    ]  # the gradient, as SGD has used it
    squared = sum(np.sum(np.square(slope)) for slope in slopes)
    # a second look at step 0: to first order it fell by rate times |gradient|^2
    learner.optimizer.iterations.assign(0)
    learner.reset_metrics()
    after = train(learner, [batch])["loss"]
    assert loss - after == pytest.approx(rate * squared, rel=0.05)


def test_steps_learn_an_image_that_is_always_the_same():
    checkerboard = 255 * (np.indices(SHAPE[:2]).sum(0) % 2)[None, ..., None]
    images = checkerboard.astype(np.uint8).repeat(10, axis=0)
    learner = make_learner("optimizer.learning_rate=0.1", images=images)
    first = train(learner, EPOCH[:1])["neg_elbo"]
    train(learner, EPOCH * 4)
    learner.reset_metrics()
    assert train(learner, EPOCH)["neg_elbo"] < 0.25 * first


def test_l2_moves_the_kernels_and_stays_out_of_the_logged_loss():
    rate, l2 = 0.1, 0.05
    with_l2, without = (
        make_learner(*overrides, optimizer=keras.optimizers.SGD(rate))
        for overrides in ([f"architecture.l2={l2}"], [])
    )
    kernel = with_l2.vae.encoder.get_layer("dense_0").kernel.value.numpy()
    logs = [train(learner, EPOCH[:1]) for learner in (with_l2, without)]
    moved = [
        learner.vae.encoder.get_layer("dense_0").kernel.value.numpy()
        for learner in (with_l2, without)
    ]
    np.testing.assert_allclose(moved[0] - moved[1], -rate * 2 * l2 * kernel, atol=1e-5)
    assert logs[0] == pytest.approx(logs[1], rel=1e-5)


@pytest.mark.parametrize("overrides", [(), ("free_bits=0.4",)], ids=["", "free bits"])
def test_logs_are_averages_over_images_with_annealing_inside_the_epoch(overrides):
    learner = make_learner("beta=3", *LINEAR, *overrides)
    floor = 0.4 if overrides else 0.0
    reconstruction, neg_elbo, kl, weighted = [], [], [], []
    for step, batch in enumerate(EPOCH):
        terms = terms_of_next_step(learner, batch)
        r, per_dim = np.asarray(terms.reconstruction), np.asarray(terms.kl_per_dim)
        term = np.maximum(per_dim.mean(0), floor).sum()
        reconstruction += r.tolist()
        neg_elbo += (r + per_dim.sum(1)).tolist()
        kl += [term] * len(batch)
        weighted += [3 * step / 4 * term] * len(batch)
        logs = train(learner, [batch])
    assert logs["reconstruction_loss"] == pytest.approx(np.mean(reconstruction))
    assert logs["neg_elbo"] == pytest.approx(np.mean(neg_elbo))
    assert logs["kl_loss"] == pytest.approx(np.mean(kl), rel=1e-4)
    expected = np.mean(reconstruction) + np.mean(weighted)
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "overrides",
    [
        ("beta=4",),
        ("beta=4", "free_bits=0.5"),
        ("beta=4", *LINEAR),
        ("beta=4", "free_bits=0.5", *LINEAR),
        ("beta=0",),
    ],
    ids=" ".join,
)
def test_logged_loss_is_reconstruction_plus_beta_times_kl(overrides):
    logs = train(make_learner(*overrides), EPOCH)
    expected = logs["reconstruction_loss"] + logs["beta"] * logs["kl_loss"]
    assert logs["loss"] == pytest.approx(expected, rel=1e-6)


def test_logged_beta_is_the_one_in_force_where_it_does_not_change():
    assert train(make_learner("beta=4"), EPOCH)["beta"] == pytest.approx(4, rel=1e-5)


def test_logged_beta_lies_within_what_the_epoch_has_seen():
    beta = train(make_learner("beta=4", *LINEAR), EPOCH)["beta"]
    assert 0 < beta < 2  # steps 0, 1 and 2 of 4


def test_beta_at_a_step_is_beta_times_the_schedules_share():
    learner = make_learner("beta=4", *LINEAR)
    found = [float(learner.beta_at(step)) for step in (0, 1, 4, 100)]
    assert found == pytest.approx([0, 1, 4, 4])


def test_beta_weighs_the_kl_in_the_gradient():
    kl = []
    for beta in (0, 50):
        learner = make_learner(f"beta={beta}", "optimizer.learning_rate=0.03")
        train(learner, EPOCH * 3)
        kl.append(validate(learner)["kl_loss"])
    assert kl[1] < 0.2 * kl[0]


@pytest.mark.parametrize("overrides", [("beta=7",), ("free_bits=2",), LINEAR])
def test_neg_elbo_ignores_beta_free_bits_and_annealing(overrides):
    plain, other = make_learner(), make_learner(*overrides)
    seen = [train(learner, EPOCH[:1]) for learner in (plain, other)]
    assert seen[1]["neg_elbo"] == pytest.approx(seen[0]["neg_elbo"], rel=1e-6)
    assert seen[1]["loss"] != pytest.approx(seen[0]["loss"], rel=1e-3)


def test_kl_loss_includes_the_floor_of_free_bits():
    logs = train(make_learner("free_bits=2"), EPOCH[:1])
    assert logs["kl_loss"] == pytest.approx(
        2 * 2
    )  # a fresh posterior is near the prior
    assert logs["neg_elbo"] < logs["loss"]


def test_active_units_count_posterior_means_of_the_whole_epoch():
    learner = make_learner()
    codes = []
    for batch in EPOCH:
        codes.append(
            mean_and_log_var(learner.vae, TRAIN[batch].astype(np.float32) / 255)[0]
        )
        logs = train(learner, [batch])
    variance = np.concatenate(codes).var(axis=0)
    assert logs["active_units"] == (variance > 0.01).sum()
    assert logs["active_units"] > 0


def test_validation_is_the_bound_of_the_evaluation():
    learner = make_learner("seed=5")
    found = validate(learner)
    expected = evaluate_elbo(learner.vae, VALIDATION, seed=5)
    assert found["neg_elbo"] == pytest.approx(expected.neg_elbo, rel=1e-5)
    assert found["kl_loss"] == pytest.approx(expected.kl_loss, rel=1e-4)
    assert found["active_units"] == expected.active_units


@pytest.mark.parametrize("free_bits", [0, 0.2, 0.35, 1])
def test_validation_does_not_depend_on_the_batch_size(free_bits):
    learner = make_learner(f"free_bits={free_bits}")
    assert validate(learner, 7) == pytest.approx(validate(learner, 1), rel=1e-5)


def test_validation_repeats_because_its_noise_is_fixed():
    learner = make_learner()
    assert validate(learner) == validate(learner)


def test_validation_repeats_in_a_model_with_dropout_and_batch_norm():
    learner = make_learner(
        "architecture.dropout=0.5", "architecture.normalization=batch"
    )
    train(learner, EPOCH)
    before = weights(learner)
    assert validate(learner) == validate(learner)
    assert same(before, weights(learner))


def test_validation_ignores_beta():
    found = [validate(make_learner(f"beta={beta}")) for beta in (0, 1, 9)]
    assert found[0] == found[1] == found[2]


def test_free_bits_of_validation_are_the_floor_of_the_whole_split():
    learner = make_learner("free_bits=0.33")
    mean, log_var = mean_and_log_var(learner.vae, VALIDATION / 255)
    per_dim = (0.5 * (mean**2 + np.exp(log_var) - 1 - log_var)).mean(axis=0)
    assert per_dim.min() < 0.33 < per_dim.max()
    expected = np.maximum(per_dim, 0.33).sum()
    assert validate(learner)["kl_loss"] == pytest.approx(expected, rel=1e-5)


def test_averaged_weights_stand_in_for_the_raw_ones_and_give_them_back():
    learner = make_learner("optimizer.ema_decay=0.75")
    trail = [weights(learner)]
    for batch in EPOCH:
        train(learner, [batch])
        trail.append(weights(learner))
    with learner.averaged_weights():
        inside = weights(learner)
    for found, steps in zip(inside, zip(*trail, strict=True), strict=True):
        average = 0.75**3 * steps[0].astype(float)
        for age, value in enumerate(reversed(steps[1:])):
            average += 0.25 * 0.75**age * value
        np.testing.assert_allclose(found, average, atol=1e-6)
    assert same(weights(learner), trail[-1])


def test_weights_without_an_average_stay_in_their_place():
    learner = make_learner()
    train(learner, EPOCH[:1])
    before = weights(learner)
    with learner.averaged_weights():
        assert same(weights(learner), before)


def test_same_seed_trains_to_the_same_weights():
    options = "architecture.dropout=0.3", "seed=2"
    first, second = (make_learner(*options, dynamic=True) for _ in range(2))
    logs = [train(learner, EPOCH) for learner in (first, second)]
    assert same(weights(first), weights(second))
    assert logs[0] == logs[1]


def test_another_seed_trains_on_other_noise():
    first, second = make_learner("seed=2"), make_learner("seed=3")
    second.vae.set_weights(first.vae.get_weights())
    seen = [train(learner, EPOCH[:1]) for learner in (first, second)]
    assert seen[0]["kl_loss"] == pytest.approx(seen[1]["kl_loss"])
    assert seen[0]["reconstruction_loss"] != seen[1]["reconstruction_loss"]


def test_noise_differs_from_step_to_step():
    learner = make_learner(optimizer=keras.optimizers.SGD(0.0))
    first = train(learner, EPOCH[:1])["reconstruction_loss"]
    learner.reset_metrics()
    second = train(learner, EPOCH[:1])["reconstruction_loss"]
    assert first != second


def test_step_depends_on_nothing_but_variables_and_step_count():
    options = "architecture.dropout=0.3", "optimizer=adamw"
    through, fresh = (make_learner(*options, dynamic=True) for _ in range(2))
    for learner in (through, fresh):
        learner.optimizer.build(learner.vae.trainable_variables)
    train(through, EPOCH[:2])
    for learner_part in ("vae", "optimizer"):
        variables = getattr(through, learner_part).variables
        others = getattr(fresh, learner_part).variables
        for variable, other in zip(variables, others, strict=True):
            other.assign(variable)
    train(through, EPOCH[2:])
    train(fresh, EPOCH[2:])
    assert same(weights(through), weights(fresh))


def test_compiled_steps_of_fit_are_the_eager_steps():
    eager, compiled = make_learner(*LINEAR), make_learner(*LINEAR)
    compiled.compile(compiled.optimizer, steps_per_execution=2, jit_compile=False)
    expected = train(eager, EPOCH)
    ragged = tf.data.Dataset.from_generator(
        lambda: EPOCH, output_signature=tf.TensorSpec((None,), tf.int64)
    ).apply(tf.data.experimental.assert_cardinality(len(EPOCH)))
    compiled.set_num_batches(len(EPOCH), 0)
    history = compiled.fit(shards(ragged), shuffle=False, verbose=0).history
    found = {name: values[0] for name, values in history.items()}
    assert found == pytest.approx(expected, rel=1e-4)
    for a, b in zip(weights(eager), weights(compiled), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.parametrize("parts", PARTS)
def test_loss_of_other_parts_is_reconstruction_plus_beta_times_kl(parts):
    logs = train(make_learner("beta=3", *LINEAR, *PARTS[parts]), EPOCH)
    expected = logs["reconstruction_loss"] + logs["beta"] * logs["kl_loss"]
    assert logs["loss"] == pytest.approx(expected, rel=1e-6)


# the doubly reparameterized gradient is that of the loss in expectation only
@pytest.mark.parametrize("parts", ["iwae", "mog", "vamp", "two levels", "all"])
def test_step_with_other_parts_goes_down_the_gradient_of_the_logged_loss(parts):
    rate, batch = 1e-4, EPOCH[0]
    options = "architecture.activation=tanh", *PARTS[parts]
    learner = make_learner(*options, optimizer=keras.optimizers.SGD(rate))
    before = weights(learner)
    loss = train(learner, [batch])["loss"]
    squared = sum(
        np.sum(np.square((a - b) / rate))
        for a, b in zip(before, weights(learner), strict=True)
    )
    learner.optimizer.iterations.assign(0)
    learner.reset_metrics()
    after = train(learner, [batch])["loss"]
    assert loss - after == pytest.approx(rate * squared, rel=0.05)


@pytest.mark.parametrize("parts", PARTS)
def test_step_with_other_parts_changes_every_weight(parts):
    learner = make_learner(
        "likelihood=gaussian", "architecture.activation=tanh", *PARTS[parts]
    )
    before = weights(learner)
    train(learner, EPOCH[:1])
    changed = [(a != b).any() for a, b in zip(before, weights(learner), strict=True)]
    assert all(changed)


@pytest.mark.parametrize("parts", ["mog", "vamp", "two levels"])
def test_validation_with_other_parts_is_the_bound_of_the_evaluation(parts):
    learner = make_learner("seed=5", *PARTS[parts])
    found = validate(learner)
    expected = evaluate_elbo(learner.vae, VALIDATION, seed=5)
    assert found["neg_elbo"] == pytest.approx(expected.neg_elbo, rel=1e-5)
    assert found["kl_loss"] == pytest.approx(expected.kl_loss, rel=1e-4)
    assert found["active_units"] == expected.active_units


@pytest.mark.parametrize("parts", PARTS)
def test_validation_with_other_parts_does_not_depend_on_the_batch_size(parts):
    learner = make_learner(*PARTS[parts])
    assert validate(learner, 7) == pytest.approx(validate(learner, 1), rel=1e-5)


@pytest.mark.parametrize("beta", [0, 1, 9])
def test_validation_of_iwae_is_the_importance_sampled_bound_whatever_beta(beta):
    learner = make_learner("seed=5", f"beta={beta}", *PARTS["iwae"])
    found = validate(learner)
    bound = importance_sampling(learner.vae, VALIDATION, samples=3, seed=5).log_prob
    assert found["neg_iwae"] == pytest.approx(-bound.mean(), rel=1e-5)
    assert found["neg_iwae"] < found["neg_elbo"]


def test_neg_iwae_is_logged_by_iwae_alone():
    plain, single, several = (
        train(make_learner(*overrides), EPOCH[:1])
        for overrides in (
            (),
            ("objective=iwae", "objective.importance_samples=1"),
            PARTS["iwae"],
        )
    )
    assert set(several) - set(plain) == {"neg_iwae"}
    assert single == plain
    assert several["loss"] == pytest.approx(several["neg_iwae"], rel=1e-5)


def test_steps_of_iwae_draw_noise_for_every_sample():
    learner = make_learner("beta=2", *PARTS["iwae"])
    terms = terms_of_next_step(learner, EPOCH[0])
    logs = train(learner, EPOCH[:1])
    expected = np.mean(terms.reconstruction)
    assert logs["reconstruction_loss"] == pytest.approx(expected, rel=1e-5)
    assert logs["neg_iwae"] == pytest.approx(np.mean(terms.neg_bound), rel=1e-5)


@pytest.mark.parametrize("parts", ["", "all"])
def test_steps_compiled_by_xla_are_the_plain_ones(parts):
    options = (*LINEAR, *PARTS.get(parts, ()))
    plain, compiled = make_learner(*options), make_learner(*options, jit=True)
    for learner in (plain, compiled):
        learner.optimizer.build(learner.vae.trainable_variables)
    logs = [train(learner, EPOCH[:2]) for learner in (plain, compiled)]
    assert logs[1] == pytest.approx(logs[0], rel=1e-4)
    for a, b in zip(weights(plain), weights(compiled), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.parametrize(
    "option", ["", "iwae", "mog", "two levels", "vq", "categorical"]
)
@pytest.mark.parametrize("jit", [False, True])
def test_steps_on_core_shards_are_those_of_whole_batches(option, jit):
    options = ("optimizer=adamw", *LINEAR, *PARTS.get(option, ()))
    whole = make_learner(*options)
    split = make_learner(*options, core_shards=2, jit=jit)
    for learner in (whole, split):
        learner.optimizer.build(learner.vae.trainable_variables)
    batches = [[0, 1, 2, 3], [4, 5, 6], [7]]
    logs = [train(learner, batches) for learner in (whole, split)]
    assert logs[1] == pytest.approx(logs[0], rel=1e-3)
    for a, b in zip(weights(whole), weights(split), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    assert validate(split, 3) == pytest.approx(validate(whole, 3), rel=1e-4)


def test_penalty_on_kernels_is_the_same_on_core_shards():
    found = [weights_after("architecture.l2=0.1", core_shards=n) for n in (1, 2)]
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def weights_after(*options: str, core_shards: int) -> list[np.ndarray]:
    learner = make_learner(*options, core_shards=core_shards)
    train(learner, EPOCH)
    return weights(learner)
