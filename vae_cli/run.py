"""`Run`: the handle of a trained model, for Python and for the commands."""

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vae_cli.config.compose import command_options
from vae_cli.config.corruption import CorruptionConfig
from vae_cli.config.encode import ENCODE
from vae_cli.config.run import RESTORE, SCORE
from vae_cli.data.given_files import source_name
from vae_cli.inspection import Inspection, inspected
from vae_cli.registry import option_named
from vae_cli.run_figures import RunFigures
from vae_cli.runs.codes import Codes
from vae_cli.runs.opened import ImagesLike
from vae_cli.runtime import start_tensorflow
from vae_cli.visualize.options import drawn_as

if TYPE_CHECKING:
    from vae_cli.evaluation.anomaly_report import AnomalyReport
    from vae_cli.evaluation.corrupted_images import CorruptedImages
    from vae_cli.evaluation.generation import Generated
    from vae_cli.evaluation.restoration_report import RestorationReport
    from vae_cli.evaluation.split_report import SplitReport
    from vae_cli.export.report import ExportReport
    from vae_cli.visualize.model_figures import LatentPlot

# as libraries do: without a handler of the application's, nothing is printed
logging.getLogger("vae_cli").addHandler(logging.NullHandler())


class Run(RunFigures):
    """A trained model with its folder, config and images."""

    def sample(
        self,
        count: int,
        label: int | str | None = None,
        seed: int = 0,
        temperature: float | list[float] = 1.0,
        prior: str = "model",
    ) -> np.ndarray:
        """Return images from the prior, float32 [count, H, W, C] in the data's range.

        Args:
            count: number of images; a larger count returns the same first images.
            label: class to generate, for a conditional model; None: each in turn.
            seed: of the noise.
            temperature: scales the noise; one, or one for each level, top first.
            prior: `model`, or `fitted` to the codes of training images.
        """
        drawn: dict[str, Any] = {"label": label, "seed": seed}
        drawn |= {"temperature": temperature, "prior": prior}
        return self.generate(num_images=count, **drawn).images

    def generate(self, mode: str = "prior", **options: Any) -> "Generated":
        """Return images and their codes, as `vae-generate` draws them.

        Args:
            mode: `prior`, `manifold`, `traversal`, `levels` or `interpolation`.
            **options: keys of `vae-generate`: `num_images`, `rows`, `columns`, `label`,
                `seed`, `temperature`, `spacing`, `span`, `dims`, `level`,
                `interpolation`, `batch_size`, `prior`.

        Raises:
            ConfigError: a value out of range, or one that the run has no use for.
        """
        config = command_options("generate", mode=mode, **options)
        start_tensorflow()
        from vae_cli.evaluation.generation import generate

        return generate(self, config)

    def plot_latent(
        self,
        split: str | None = None,
        *,
        num_points: int | None = 5000,
        method: str = "auto",
        dims: list[int] | None = None,
        seed: int = 0,
        cmap: str | None = None,
    ) -> "LatentPlot":
        """Draw where a split's images lie in latent space.

        Args:
            split: None: test if it exists, else validation.
            num_points: at most this many; None: all.
            method: `auto`, `dims`, `pca` or `tsne`.
            dims: for `dims`: which two dimensions.
            seed: of t-SNE, and which points.
            cmap: matplotlib colour map of classes.

        Returns:
            a matplotlib figure, and the codes that it shows.
        """
        shown = {"num_points": num_points, "method": method, "dims": dims, "seed": seed}
        command_options("plot_latent", split=split, **shown)
        name = self.split_name(split)
        images, vae = self.split(name), self.vae
        from vae_cli.visualize.model_figures import latent_plot

        with drawn_as(cmap=cmap):
            return latent_plot(vae, images, name, num_points, method, dims, seed)

    def evaluate(
        self,
        split: str | None = None,
        *,
        importance_samples: int | None = 500,
        num_images: int | None = None,
        generated_images: int | None = None,
        disentanglement: bool = False,
        prior: str | dict[str, Any] = "model",
        feature_network: str | None = None,
        feature_range: Sequence[float] = (0.0, 1.0),
        ais: dict[str, Any] | None = None,
        gap: dict[str, Any] | None = None,
        seed: int | None = None,
        batch_size: int | None = None,
        chunk_size: int | None = None,
        memory_mb: int = 512,
        progress: Callable[[float], None] = lambda fraction: None,
    ) -> "SplitReport":
        """Evaluate a split: bounds in nats per image, reconstruction, codes, samples.

        Args:
            split: None: test if it exists, else validation.
            importance_samples: per image, for log p(x); None leaves it out.
            num_images: at most this many; None: all.
            generated_images: to draw and compare with held-out ones; None: none.
            disentanglement: whether to compare codes with the images' factors.
            prior: of the generated images' codes: "model" or "fitted".
            feature_network: a Keras file whose features are compared.
            feature_range: pixel values that it takes for black and white.
            ais: keys of annealed importance sampling, such as `{"images": 100}`.
            gap: keys of the inference gap, likewise.
            seed: of the posterior noise; None: the run's own.
            batch_size: images at a time; None: by `memory_mb`. Does not change results.
            chunk_size: samples at a time; likewise.
            memory_mb: memory for codes at a time, MiB.
            progress: called with the fraction of each long computation that is done.

        Raises:
            ConfigError: a value out of range, or one that the run has no use for.
        """
        how = command_options(
            "evaluate",
            split=split,
            importance_samples=importance_samples,
            num_images=num_images,
            generated_images=generated_images,
            disentanglement=disentanglement,
            prior=prior,
            feature_network=feature_network,
            feature_range=list(feature_range),
            ais=ais or {},
            gap=gap or {},
            seed=self.config.seed if seed is None else seed,
            batch_size=batch_size,
            chunk_size=chunk_size,
            memory_mb=memory_mb,
        )
        start_tensorflow()
        from vae_cli.evaluation.split_report import report_split

        return report_split(self, self.split_name(split), how, progress)

    def corrupt(
        self,
        images: ImagesLike | None = None,
        *,
        split: str | None = None,
        corruption: CorruptionConfig | str | None = None,
        num_images: int | None = None,
        label: int | str | None = None,
    ) -> "CorruptedImages":
        """Return images together with their corrupted versions.

        Args:
            images: own images, arrays or a path; None: those of `split`.
            split: None: test if it exists, else validation.
            corruption: a name or a config; None: that of the run, for own images none.
            num_images: at most this many; None: all.
            label: class to decode as, for a conditional model.
        """
        chosen = corruption
        if isinstance(chosen, str):
            chosen = option_named("corruption", chosen)
        checked = {"split": split, "num_images": num_images, "label": label}
        command_options("reconstruct", corruption=None, **checked)
        start_tensorflow()
        from vae_cli.evaluation.corrupted_images import corrupt_images

        return corrupt_images(self, images, split, chosen, num_images, label)

    def restore(
        self, images: "CorruptedImages | ImagesLike | None" = None, **options: Any
    ) -> "RestorationReport":
        """Restore corrupted images, and compare them with clean ones.

        Args:
            images: of `corrupt`, or what it takes.
            **options: keys of `vae-reconstruct`: those of `corrupt`, and
                `posterior_samples`, `gibbs_steps`, `classifier`, `seed`, `batch_size`.

        Raises:
            ConfigError: a value out of range, or a key that has no effect here.
        """
        start_tensorflow()
        from vae_cli.evaluation.corrupted_images import CorruptedImages
        from vae_cli.evaluation.restoration_report import report_restoration

        if not isinstance(images, CorruptedImages):
            keys = {"split", "corruption", "num_images"} & options.keys()
            chosen = {key: options.pop(key) for key in keys}
            images = self.corrupt(images, **chosen, label=options.get("label"))
        how = command_options("reconstruct", RESTORE, **options, corruption=None)
        return report_restoration(self, images, how)

    def anomaly_scores(
        self, images: ImagesLike | None = None, **options: Any
    ) -> "AnomalyReport":
        """Compute anomaly scores of images.

        Args:
            images: own images, arrays or a path; None: those of `split`.
            **options: keys of `vae-anomaly`: `split`, `num_images`, `normal`, `score`,
                `posterior_samples`, `quantile`, `seed`, `batch_size`.

        Raises:
            ConfigError: a value out of range, or labels that are missing.
        """
        how = command_options("anomaly", SCORE, **options)
        start_tensorflow()
        from vae_cli.evaluation.anomaly_report import report_anomalies

        return report_anomalies(self, images, how)

    def codes(self, images: ImagesLike | None = None, **how: Any) -> Iterator[Codes]:
        """Return codes with names, some images at a time, as `vae-encode` writes them.

        `images` are own ones, in place of a split; `how` are other keys of the command.
        """
        given = None if images is None else source_name(images)
        config = command_options("encode", ENCODE, images=given, **how)
        start_tensorflow()
        from vae_cli.evaluation.encoding import codes

        return codes(self, images, config)

    def export(
        self,
        output: str | Path | None = None,
        *,
        progress: Callable[[float], None] = lambda fraction: None,
        **options: Any,
    ) -> "ExportReport":
        """Export the networks for other runtimes, and compare each file with the run.

        Args:
            output: folder of the files; the run's `export/` if None.
            progress: called with the fraction that is done.
            **options: keys of `vae-export`: `format`, `networks`, `pixels`,
                `batch_size`, `quantize`, `tolerance`.

        Raises:
            ConfigError: a package is missing, or a format doesn't support a network.
            RunError: a file differs from the run, or can't be written.
        """
        place = {"output": output and str(output), "checkpoint": self.checkpoint}
        how = command_options("export", **place, **options)
        start_tensorflow()
        from vae_cli.export.exporter import export

        return export(self, how, progress)

    def inspect(self, measure: bool = True) -> Inspection:
        """Return facts about images and model; `measure` times a few training steps."""
        return inspected(self.config, self.data, measure, str(self.folder))

    def report(self) -> str:
        """Return the HTML page that `vae-report` writes."""
        from vae_cli.report.page import report_page

        return report_page(self.folder)
