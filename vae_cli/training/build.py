"""From config, data and replicas to a compiled learner."""

from typing import Any

import tensorflow as tf

from vae_cli.config.train import TrainConfig
from vae_cli.data.augment import augmentation_per_step
from vae_cli.data.batches import ImageStore
from vae_cli.data.corruption import (
    build_corruption,
    corruption_per_step,
    fixed_corruption,
)
from vae_cli.data.dequantize import dequantization_per_step
from vae_cli.data.images import to_float
from vae_cli.data.splits import ImageData, Split
from vae_cli.evaluation.bounds import evaluation_noise
from vae_cli.models.factory import build_model_and_objective
from vae_cli.models.objective import TrainingSetup
from vae_cli.models.vae import VAE
from vae_cli.randomness import Stream, generator
from vae_cli.registry import build
from vae_cli.runtime import usable_core_shards
from vae_cli.training.distribution import Distribution
from vae_cli.training.features import num_kinds
from vae_cli.training.learner import Learner
from vae_cli.training.optimizer import build_optimizer, unscaled
from vae_cli.training.warm_start import freeze, start_from

WORTH_COMPILING = 5000
"""Steps of a run from which on XLA's speed outweighs the time it compiles."""


def _start_pseudo_inputs(vae: VAE, config: TrainConfig, data: ImageData) -> None:
    """Set the pseudo-inputs of a prior to training images."""
    rng = generator(config.seed, Stream.PSEUDO_INPUTS)
    # equal ones would move together for ever
    count = config.prior.encoded_images
    chosen = rng.choice(len(data.train), count, replace=count > len(data.train))
    labels = None if data.train.labels is None else data.train.labels[chosen]
    vae.prior_network.start_at(to_float(data.train.images[chosen]), labels)


def build_learner(
    config: TrainConfig,
    data: ImageData,
    distribution: Distribution,
    resumed: bool = False,
) -> Learner:
    """Return a compiled learner with its optimizer built, to fit or to restore.

    Args:
        config: of the run.
        data: its images.
        distribution: the replicas.
        resumed: whether a state is going to be restored, which needs no other weights.
    """
    steps = steps_per_epoch(config, data)
    setup = TrainingSetup(
        image_shape=data.spec.image_shape,
        num_classes=num_kinds(data),
        latent_dim=config.latent_dim,
        num_images=len(data.train),
        steps_per_epoch=steps,
        beta=config.beta,
    )
    # not the learner itself: Keras would then call it to find its variables
    with distribution.scope():
        vae, objective = build_model_and_objective(
            config, data.spec, setup, config.precision
        )
        if config.prior.uses_training_images:
            _start_pseudo_inputs(vae, config, data)
        if config.init_from.run and not resumed:
            start_from(vae, config)
        freeze(vae, config.freeze)
        optimizer = build_optimizer(config, steps, distribution.replicas)
        # model and discriminator are minimised apart, and clipped apart
        unscaled(optimizer).clipped_apart = len(objective.trainable_variables)
        optimizer.build([*vae.trainable_variables, *objective.trainable_variables])
    dynamic = config.dataset.binarize == "dynamic"
    noisy = config.dataset.dequantize == "uniform"
    validation = len(data.validation) or None
    corruption = build_corruption(config.corruption, data.spec.image_shape)
    always: Any = None
    anew: Any = None
    if corruption:
        always = fixed_corruption(corruption, config.dataset.seed)
        anew = corruption_per_step(corruption, config.seed, distribution.replicas)
        if config.corruption.likelihood_pixels == "observed":
            # a missing pixel of a training image must never be used
            anew = always
    gpus = bool(tf.config.list_physical_devices("GPU"))
    # threads that share an operation already leave no core for a second shard
    one_thread = tf.config.threading.get_intra_op_parallelism_threads() == 1
    core_shards = usable_core_shards(config, gpus) if one_thread else 1
    learner = Learner(
        vae,
        objective=objective,
        beta=0.0 if config.objective.replaces_kl else config.beta,
        annealing=build(config.kl_annealing, steps),
        free_bits=config.free_bits,
        seed=config.seed,
        train=ImageStore(
            _gathered(data.train, distribution),
            config.seed if dynamic else None,
            distribution.replicas,
            labels=data.train.labels if vae.num_labels else None,
            corrupt=anew,
            augment=augmentation_per_step(
                config.dataset.augment, config.seed, distribution.replicas
            ),
            dequantize=dequantization_per_step(
                data.spec.pixels, config.seed, distribution.replicas
            )
            if noisy
            else None,
        ),
        validation=ImageStore(
            _gathered(data.validation, distribution),
            labels=data.validation.labels if vae.num_labels else None,
            corrupt=always,
        ),
        validation_noise=evaluation_noise(
            validation, vae.noise_dim, config.seed, objective.noise_arrays
        )
        if validation
        else None,
        jit=_compiles(config, vae, steps, distribution, core_shards),
        core_shards=core_shards,
        distribution=distribution,
        ema_decay=config.optimizer.ema_decay,
        free_bits_by_level=config.free_bits_per == "level",
    )
    learner.compile(
        optimizer=optimizer,
        steps_per_execution=min(config.steps_per_execution, steps),
        jit_compile=False,  # the learner compiles what pays
    )
    # biases, norms, a learned scale and a prior are no weights to be shrunk
    trained = [*vae.trainable_variables, *objective.trainable_variables]
    kept = [v for v in trained if v.ndim < 2]
    kept += vae.prior_network.trainable_variables
    unscaled(optimizer).exclude_from_weight_decay(var_list=kept)
    return learner


def _gathered(split: Split, distribution: Distribution) -> Any:
    """Return the images that the compiled step takes its pixels from, or None."""
    held = distribution.gathers and not split.images.streamed
    return split.images[:] if held else None


def read_on_the_way(split: Split, distribution: Distribution) -> Any:
    """Return the images that come with each batch instead, or None."""
    return split.images if _gathered(split, distribution) is None else None


def _compiles(
    config: TrainConfig,
    vae: VAE,
    steps: int,
    distribution: Distribution,
    core_shards: int,
) -> bool:
    """Return whether XLA compiles the step."""
    if config.jit != "auto":
        return config.jit == "true"
    # on a CPU, XLA's convolutions are slower than oneDNN's, and so are its matrix
    # products on one thread; it compiles for seconds, which a short run doesn't win
    # back
    convolves = not vae.is_dense or config.objective.compares_whole_images
    pays = (
        not convolves and core_shards == 1 and config.epochs * steps >= WORTH_COMPILING
    )
    return pays and distribution.gathers and config.precision == "float32"


def steps_per_epoch(config: TrainConfig, data: ImageData) -> int:
    """Return training steps per epoch; the last one may hold fewer images."""
    return -(-len(data.train) // config.batch_size)
