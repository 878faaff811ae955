"""Options of starting from the weights of another run."""

from dataclasses import dataclass

from vae_cli.config.option import option

PARTS = ("encoder", "decoder")
"""Networks that can be taken, or frozen, alone."""
ALL = "all"


@dataclass
class InitFromConfig:
    """Weights that a run starts with."""

    run: str | None = option(
        "run folder, or latest, whose best weights are the first ones of this run; "
        "typed as init_from=<folder>; random ones if null",
        default=None,
    )
    parts: str = option(
        "which weights are taken: all, or those of one network",
        choices=(ALL, *PARTS),
        default=ALL,
    )
