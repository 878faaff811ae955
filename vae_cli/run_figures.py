"""Figures of a run's reports: what `Run` has beside its computations."""

from typing import TYPE_CHECKING

from vae_cli.runs.opened import OpenRun
from vae_cli.visualize.options import drawn_as

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vae_cli.evaluation.anomaly_report import AnomalyReport
    from vae_cli.evaluation.restoration_report import RestorationReport
    from vae_cli.evaluation.split_report import SplitReport
    from vae_cli.visualize.model_figures import AnomalyFigures


class RunFigures(OpenRun):
    """An open run that draws its reports.

    `cmap` is the matplotlib colour map of single-channel images and classes.
    """

    def plot_evaluation(
        self, report: "SplitReport", cmap: str | None = None
    ) -> "Figure":
        """Draw a report of `evaluate`: scores, KL per dimension, extreme images."""
        from vae_cli.visualize.model_figures import evaluation_figure

        with drawn_as(cmap=cmap):
            return evaluation_figure(self.vae, report, self.name)

    def plot_disentanglement(
        self, report: "SplitReport", cmap: str | None = None
    ) -> "Figure":
        """Draw a report of `evaluate`: traversals beside factors."""
        from vae_cli.visualize.model_figures import disentanglement_figure

        with drawn_as(cmap=cmap):
            return disentanglement_figure(self, report)

    def plot_restoration(
        self, report: "RestorationReport", columns: int = 10, cmap: str | None = None
    ) -> "Figure":
        """Draw a report of `restore`: clean, corrupted and restored images."""
        from vae_cli.visualize.model_figures import restoration_figure

        with drawn_as(cmap=cmap):
            return restoration_figure(report, self.name, columns)

    def plot_anomalies(
        self, report: "AnomalyReport", columns: int = 10, cmap: str | None = None
    ) -> "AnomalyFigures":
        """Draw a report of `anomaly_scores`: scores with ROC, extreme images."""
        from vae_cli.visualize.model_figures import anomaly_figures

        with drawn_as(cmap=cmap):
            return anomaly_figures(self.vae, report, self.name, columns)
