"""Options of training that are right by themselves, and wrong together."""

from typing import TYPE_CHECKING

from vae_cli.config.corruption import MaskConfig
from vae_cli.config.parts import FeatureConfig, IwaeConfig, SeenConfig, TwoLevelConfig

if TYPE_CHECKING:
    from vae_cli.config.schema import TrainConfig


def problems(config: "TrainConfig") -> list[str]:
    """Return what is wrong between the fields of a training config."""
    found = []
    if config.early_stopping is not None and not config.dataset.validation_size:
        found.append(
            f"early_stopping={config.early_stopping} needs validation images, but "
            "dataset.validation_size is 0"
        )
    warmup = config.learning_rate_schedule.warmup_epochs
    if warmup >= config.epochs:
        found.append(
            f"learning_rate_schedule.warmup_epochs={warmup:g} must be below "
            f"epochs={config.epochs}"
        )
    found += _latent_problems(config)
    normalization = getattr(config.architecture, "normalization", "none")
    if config.distribution.name == "tpu" and normalization == "batch":
        found.append(
            "architecture.normalization=batch doesn't go with distribution=tpu, "
            "whose last batch is filled up with images that would count; use "
            "architecture.normalization=layer"
        )
    found += config.distribution.problems()
    found += _feature_problems(config)
    if config.jit == "true" and config.distribution.name in (
        "mirrored",
        "multi_worker",
    ):
        found.append(
            f"jit=true needs distribution=single, not {config.distribution.name}: "
            "XLA doesn't compile a step that replicas share"
        )
    if config.name is not None and "/" in config.name:
        found.append(f"name={config.name} is a path; use run_dir=<folder> for one")
    if config.name is not None and not config.name.isprintable():
        found.append(f"name={config.name} has characters that can't be printed")
    return found


def _completion_problems(config: "TrainConfig") -> list[str]:
    """Return what does not go with a model that completes images."""
    found = []
    if not isinstance(config.corruption, MaskConfig):
        found.append(
            "conditioning=seen needs a corruption that says which pixels are "
            f"missing, got corruption={config.corruption.name}; use "
            "corruption=quadrants corruption.score=missing"
        )
    elif config.corruption.score == "seen":
        found.append(
            "conditioning=seen with corruption.score=seen would score nothing but "
            "what the decoder is told; use corruption.score=missing"
        )
    if config.prior.name != "standard":
        found.append(
            "conditioning=seen learns a Gaussian prior of its own, got "
            f"prior={config.prior.name}; use prior=standard"
        )
    if config.hierarchy.name != "none":
        found.append(
            "conditioning=seen takes one level, got "
            f"hierarchy={config.hierarchy.name}; use hierarchy=none"
        )
    return found


def _latent_problems(config: "TrainConfig") -> list[str]:
    """Return which choices about z don't go together."""
    found = []
    if config.free_bits and not config.takes_free_bits:
        found.append(
            f"free_bits={config.free_bits:g} needs prior=standard objective=elbo: no "
            "other has a KL for each dimension to put a floor under"
        )
    learned = getattr(config.conditioning, "learned_prior", False)
    if learned and config.prior.name != "standard":
        found.append(
            f"conditioning.learned_prior=true takes the place of the prior, got "
            f"prior={config.prior.name}; use prior=standard"
        )
    score = getattr(config.corruption, "score", "all")
    if isinstance(config.conditioning, SeenConfig):
        found += _completion_problems(config)
    elif score == "missing":
        # with random masks neither: no code was trained to give the pixels that its
        # own encoder saw, so they can't say how well it fits
        found.append(
            "corruption.score=missing trains the decoder on missing pixels alone, so "
            "only p(missing|seen) can be modelled, which needs conditioning=seen, got "
            f"conditioning={config.conditioning.name}; use conditioning=seen, or "
            "corruption.score=all"
        )
    unseen = score == "seen"
    if unseen and getattr(config.prior, "start", "noise") == "data":
        found.append(
            "prior.start=data with corruption.score=seen would show pixels that are "
            "missing; use prior.start=noise"
        )
    if isinstance(config.hierarchy, TwoLevelConfig):
        if config.latent_dim < 2:
            found.append(
                f"latent_dim={config.latent_dim} counts both levels of "
                "hierarchy=two_level; it must be at least 2"
            )
        elif (config.hierarchy.top_dim or 1) >= config.latent_dim:
            found.append(
                f"hierarchy.top_dim={config.hierarchy.top_dim} must be below "
                f"latent_dim={config.latent_dim}, which counts both levels"
            )
        if (
            isinstance(config.objective, IwaeConfig)
            and config.objective.doubly_reparameterized
        ):
            found.append(
                "objective.doubly_reparameterized=true needs hierarchy=none: the "
                "estimator holds for one level"
            )
    return found


def _feature_problems(config: "TrainConfig") -> list[str]:
    """Return what does not go with an objective that looks at images."""
    if not isinstance(config.objective, FeatureConfig):
        return []
    found = []
    if config.objective.name == "vae_gan" and config.dataset.binarize != "none":
        found.append(
            f"objective=vae_gan with dataset.binarize={config.dataset.binarize}: its "
            "discriminator would tell binary images from grey pixel means at a glance; "
            "use dataset.binarize=none"
        )
    if config.distribution.name != "single":
        found.append(
            f"objective={config.objective.name} needs distribution=single, got "
            f"{config.distribution.name}"
        )
    if getattr(config.corruption, "score", "all") == "seen":
        found.append(
            f"objective={config.objective.name} looks at whole images, also where "
            "pixels are missing; use corruption.score=all"
        )
    if config.conditioning.name == "seen":
        found.append(
            f"objective={config.objective.name} looks at whole images, which "
            "conditioning=seen doesn't draw; use objective=elbo or iwae"
        )
    return found
