"""The source run of `init_from`."""

from vae_cli.config.train import TrainConfig
from vae_cli.errors import RunError
from vae_cli.runs.find import open_run


def find_source_of_weights(config: TrainConfig) -> None:
    """Replace `init_from.run`, which may be `latest`, with an absolute path.

    Raises:
        RunError: there is no such run, it has no weights, or its architecture differs.
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
