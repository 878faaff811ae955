"""The contents of a run folder, and a sentence that sums them up."""

import contextlib
import io
from datetime import datetime
from functools import cached_property
from typing import Any

from vae_cli.config.train import TrainConfig
from vae_cli.data_spec import DataSpec
from vae_cli.errors import VaeCliError
from vae_cli.report.citations import citations
from vae_cli.report.pictures import Picture
from vae_cli.report.results import evaluations
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.metrics_file import complete_rows, read_rows
from vae_cli.text import printable

NETWORKS = {
    "conv": "convolutional",
    "dense": "dense",
    "gated_dense": "gated dense",
    "residual_conv": "residual convolutional",
}


class RunContents:
    """A run's files, read once.

    Args:
        run: the run folder.

    Raises:
        RunError: it is not a run folder, or its config can't be read.
    """

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.config: TrainConfig = run.load_config()
        self.name = printable(run.path.resolve().name)
        self.metrics = _measured(self._read("metrics.json"))
        self.environment = self._read("environment.json")
        fingerprint = self._read("data.json").get("fingerprint")
        self.fingerprint = fingerprint if isinstance(fingerprint, dict) else {}
        self.reports = evaluations(run)
        try:
            self.spec: DataSpec | None = run.load_spec()
        except VaeCliError:
            self.spec = None
        try:
            self.status = run.status()
        except VaeCliError:
            self.status = {"state": "in an unknown state", "epoch": 0, "error": None}

    def _read(self, name: str) -> dict[str, Any]:
        """Return a JSON file's content; {} if it can't be read."""
        try:
            return self.run.read_json(self.run.path / name)
        except VaeCliError:
            return {}

    @property
    def sentence(self) -> str:
        """One sentence about the model, the data and the state of training."""
        config = self.config
        networks = NETWORKS.get(config.architecture.name, config.architecture.name)
        parts = [f"{config.latent_dim} latent dimensions" if config.latent_dim else ""]
        likelihood = config.likelihood.name.replace("_", " ")
        parts.append(f"{likelihood.replace('bernoulli', 'Bernoulli')} likelihood")
        for group, usual, words in (
            ("latent", "continuous", "{} codes"),
            ("posterior", "gaussian", "posterior {}"),
            ("prior", "standard", "prior {}"),
            ("hierarchy", "none", "{} hierarchy"),
            ("conditioning", "none", "conditioned on {}"),
            ("corruption", "none", "corruption {}"),
            ("objective", "elbo", "objective {}"),
        ):
            name = getattr(config, group).name
            parts.append(words.format(name.replace("_", " ")) if name != usual else "")
        parts.append(f"beta {config.beta:g}" if config.beta != 1 else "")
        trained = f" trained on {self._images()}" if self._images() else ""
        epochs = f"{self.status['epoch']:,} of {config.epochs:,} epochs"
        return (
            f"A variational autoencoder with {networks} networks "
            f"({', '.join(filter(None, parts))}){trained} for {epochs}; "
            f"{self.status['state']}."
        )

    @property
    def when(self) -> str:
        """When training started, and how long it took."""
        words = []
        with contextlib.suppress(ValueError, TypeError):
            started = datetime.fromisoformat(self.environment.get("time", ""))
            words.append(f"started {started:%d %B %Y, %H:%M %Z}".rstrip())
        seconds = self.metrics.get("train_seconds")
        if isinstance(seconds, (int, float)):
            words.append(f"trained for {seconds / 60:,.1f} minutes")
        text = ", ".join(words)
        return f"{text[0].upper()}{text[1:]}." if text else ""

    def _images(self) -> str:
        sizes = self.sizes
        dataset = self.config.dataset.name.replace("_", " ")
        if not sizes.get("train"):
            return f"images of {dataset}"
        return f"{sizes['train']:,} images of {dataset}"

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Split -> number of images."""
        sizes = self.fingerprint.get("sizes")
        sizes = sizes if isinstance(sizes, dict) else {}
        return {k: v for k, v in sizes.items() if isinstance(v, int)}

    def curves(self) -> Picture | None:
        """Return the loss curves as SVG; None if there is no epoch."""
        try:
            rows = read_rows(self.run.metrics_csv)
            rows = complete_rows(self.run.metrics_csv, int(rows[-1]["epoch"]))
            from vae_cli.visualize.files import write_figure
            from vae_cli.visualize.plots import plot_curves

            measure = str(self.metrics.get("reconstruction_measure", "nats"))
            figure = plot_curves(rows, measure)
        except (VaeCliError, LookupError, ValueError):
            return None
        file = io.BytesIO()
        write_figure(figure, file, "svg")
        caption = "Terms of the loss in each epoch, nats per image."
        return Picture("metrics.csv", caption, "image/svg+xml", file.getvalue(), None)

    def citations(self) -> list[tuple[str, str]]:
        """Return what to cite; see `citations.citations`."""
        sampled = any(r.get("importance_samples") for r in self.reports.values())
        time = self.environment.get("time")
        year = time[:4] if isinstance(time, str) and time[:4].isdigit() else ""
        return citations(self.config, sampled, self.package("vae-cli"), year)

    def package(self, name: str) -> str:
        """Return a package's version in the run's environment, or an empty text."""
        packages = self.environment.get("packages")
        version = packages.get(name) if isinstance(packages, dict) else None
        return version if isinstance(version, str) else ""


def _measured(values: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers and texts of `metrics.json`, including those of `test`."""
    plain = (int, float, str)
    kinds: dict[str, Any] = {k: v for k, v in values.items() if isinstance(v, plain)}
    test = values.get("test")
    if isinstance(test, dict):
        kinds["test"] = {k: v for k, v in test.items() if isinstance(v, (int, float))}
    return kinds
