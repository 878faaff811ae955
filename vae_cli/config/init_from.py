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

    def problems_with(self, freeze: str | None) -> list[str]:
        """Return what is inconsistent in these options and `freeze`."""
        problems = []
        if self.run is None and self.parts != ALL:
            problems.append(
                f"init_from.parts={self.parts} needs a run to take it from: "
                "init_from=<run folder>"
            )
        if freeze and (self.run is None or self.parts not in (freeze, ALL)):
            problems.append(
                f"freeze={freeze} keeps weights as they are, which then must come "
                f"from a run: init_from=<run folder> init_from.parts={freeze}"
            )
        return problems
