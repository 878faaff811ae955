"""The run whose weights another one starts with."""

from vae_cli.config.train import TrainConfig
from vae_cli.errors import RunError
from vae_cli.runs.find import open_run


def find_source_of_weights(config: TrainConfig) -> None:
    """Replace the name in `init_from.run`, which may be `latest`, by a whole path.

    Raises:
        RunError: there is none, it has no weights, or they are of other networks.
    """
    name = config.init_from.run
    if name is None:
        return
    source = open_run(name, config.output_root, key="init_from")
    having = source.load_config().architecture.name
    source.weights("best")
    if having != config.architecture.name:
        raise RunError(
            f"init_from={name} has architecture={having}, and this run "
            f"architecture={config.architecture.name}: none of its weights fits.",
            f"use architecture={having}, with the sizes of that run",
        )
    config.init_from.run = str(source.path.absolute())
