"""The table: how each documented command is made small, or why it isn't run.

Most lines need no entry: `AT_MOST` bounds whatever a command's config holds, a sweep
takes the first value of each key, and a resumed run trains one epoch more.
"""

import math

from vae_cli.config.commands import COMMANDS
from vae_cli.config.compose import composed

AT_MOST = {
    "epochs": 1,
    "dataset.max_images_per_split": 100,
    "dataset.validation_size": 100,
    "architecture.hidden_units": [16],
    "architecture.filters": [4],
    "architecture.dense_units": 8,
    "hierarchy.hidden_units": [8],
    "conditioning.hidden_units": [8],
    "prior.components": 5,
    "posterior.steps": 2,
    "posterior.hidden_units": [8],
    "prior.steps": 2,
    "prior.hidden_units": [8],
    "objective.hidden_units": [8],
    "latent.codes": 16,
    "latent.prior_epochs": 1,
    "latent.prior_filters": 8,
    "latent.prior_layers": 1,
    "importance_samples": 3,
    "generated_images": 100,
    "ais.images": 3,
    "ais.temperatures": 5,
    "ais.chains": 2,
    "ais.leapfrog_steps": 2,
    "gap.images": 3,
    "gap.steps": 3,
    "posterior_samples": 10,
    "gibbs_steps": 5,
    "num_images": 100,
    "num_points": 100,
}
"""Key -> the most that a run here takes of it."""

ALSO = {
    "vae-train -m experiment=anomaly_heldout hydra.sweep.dir=outputs/heldout": (
        "hydra.sweeper.params=null",
        "dataset.classes=[1,2,3,4,5,6,7,8,9]",
    ),
    "vae-train -m experiment=anomaly_one_digit hydra.sweep.dir=outputs/one_digit": (
        "hydra.sweeper.params=null",
        "dataset.classes=[0]",
    ),
    # by the number of `architecture.filters`
    "vae-train experiment=ladder_hour": (
        "hierarchy.levels_per_size=null",
        "hierarchy.channels=null",
    ),
    "vae-train -m experiment=tune": ("hydra.sweeper.n_trials=1",),
    # the size of `my-run`, whose weights they take
    "vae-train init_from=outputs/my-run beta=4 epochs=10": (
        "architecture.filters=[4]",
    ),
    "vae-train -m init_from=outputs/my-run freeze=encoder beta=1,4": (
        "architecture.filters=[4]",
    ),
}
"""Line -> overrides that it needs besides, such as one job of ten."""

COMPOSED = {
    "vae-train distribution=mirrored": "GPUs",
    "TF_CONFIG=": "two machines",
    "vae-train -m hydra/launcher=submitit_slurm": "a Slurm cluster",
    "vae-train -m sweep.resume=": "a sweep that has begun",
    "vae-train experiment=fashion_gated_vae": "images that don't ship with the package",
    "vae-explore": "a browser; tests/explore has one",
}
"""How a line starts -> what it needs; its config is checked by `vae validate` alone."""

NOT_RUN = {
    "pip install": "needs the package index; .ci/run does it",
    "pytest": ".ci/run does it",
    "ruff": ".ci/run does it",
    "mypy": ".ci/run does it",
}
"""How a line starts -> why nothing is run."""

OWN_PROCESS = (
    "vae launch",
    "vae-train distribution=mirrored distribution.devices=[CPU",
)
"""How lines start that settle devices, which a process can do once."""

PLACEHOLDERS = {"<run folder>": "latest"}


def small(words: list[str]) -> list[str]:
    """Return the words of `vae-<command> ...`, or of `vae launch`, with small sizes."""
    if any(word.startswith("resume=") for word in words):
        return [*words, "epochs=2"]
    if words[0] == "vae-inspect" and any(word.startswith("run=") for word in words):
        return words
    if words[0] == "vae-train" and "-m" in words:
        words = [first_value(word) for word in words]
    launched = words[:2] == ["vae", "launch"]
    command = "train" if launched else words[0].removeprefix("vae-").replace("-", "_")
    overrides = [word for word in words[5 if launched else 1 :] if word != "-m"]
    flags = any(w.startswith("-") and w != "--config-dir" for w in overrides)
    if command not in COMMANDS or flags:
        return words
    hydra = [w for w in overrides if w.startswith("hydra")]
    config = composed(command, [w for w in overrides if w not in hydra])
    return [*words, *_sizes(config)]


def first_value(word: str) -> str:
    """Return an override with the first of the values that a sweep goes over."""
    key, equals, value = word.partition("=")
    return word if value.startswith("[") else key + equals + value.partition(",")[0]


def _sizes(config: object) -> list[str]:
    found = []
    for key, most in AT_MOST.items():
        value = config
        for name in key.split("."):
            value = getattr(value, name, None)
        if key == "dataset.max_images_per_split" and hasattr(config, "epochs"):
            value = value or math.inf
        if isinstance(most, list):
            larger = isinstance(value, list) and value != most
        else:
            larger = isinstance(value, int | float) and value > most
        if larger:
            found.append(f"{key}={most}".replace(" ", ""))
    return found
