"""Variational autoencoders from the command line, on TensorFlow and Keras.

    import vae_cli as vae

    run = vae.train("experiment=quickstart", beta=4, epochs=2)
    run = vae.load("latest")
    posterior = run.encode(images)
    report = run.evaluate("test", importance_samples=500)

Importing it is fast: what a name stands for is imported when it is first used.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

PUBLIC = {
    # a run
    **dict.fromkeys(("train", "load"), "vae_cli.entry"),
    "Run": "vae_cli.run",
    "inspect": "vae_cli.inspection",
    "compose": "vae_cli.config.compose",
    "TrainConfig": "vae_cli.config.train",
    # an option of your own
    **dict.fromkeys(("register", "builds"), "vae_cli.registry"),
    "option": "vae_cli.config.option",
    "DatasetConfig": "vae_cli.config.dataset",
    "FileConfig": "vae_cli.config.dataset_files",
    "Arrays": "vae_cli.data.splits",
    "ArchitectureConfig": "vae_cli.config.architecture",
    "Architecture": "vae_cli.models.architectures",
    "LikelihoodConfig": "vae_cli.config.likelihood",
    "Likelihood": "vae_cli.models.likelihood",
    "PriorConfig": "vae_cli.config.prior",
    "Prior": "vae_cli.models.prior",
    "ObjectiveConfig": "vae_cli.config.objective",
    "Elbo": "vae_cli.models.objective",
    "CorruptionConfig": "vae_cli.config.corruption",
    "MaskConfig": "vae_cli.config.corruption",
    "Corruption": "vae_cli.data.corruption",
    "TrackerConfig": "vae_cli.config.tracker",
    "Tracker": "vae_cli.training.trackers",
    **dict.fromkeys(
        ("Distribution", "Gaussian", "Mixture", "StandardNormal"),
        "vae_cli.models.distributions",
    ),
    # what can go wrong
    **dict.fromkeys(
        ("VaeCliError", "ConfigError", "UsageError", "DataError", "RunError"),
        "vae_cli.errors",
    ),
    **dict.fromkeys(
        ("PluginError", "ModelError", "TrainingError", "Interrupted"),
        "vae_cli.errors",
    ),
}
"""Public name -> the module that defines it."""

__all__ = ["PUBLIC", "__version__", *PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module vae_cli has no attribute {name}")
    if PUBLIC[name].startswith(("vae_cli.models", "vae_cli.data")):
        from vae_cli.runtime import import_keras

        import_keras()  # quietly, on TensorFlow
    return getattr(import_module(PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
