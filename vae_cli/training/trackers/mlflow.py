"""MLflow; only its client is used, without an active run or global settings."""

import os
from pathlib import Path
from typing import Any

from vae_cli.config.tracker import PASSWORD, MlflowConfig
from vae_cli.registry import builds
from vae_cli.runs.differences import flattened
from vae_cli.training.trackers.base import Tracker, TrackerError, params
from vae_cli.training.trackers.known import is_known, remember
from vae_cli.training.trackers.times import ended_at, epoch_times, started

STATES = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
PARENT = "mlflow.parentRunId"
GROUP = "vae_cli.group"
"""Tag that only the parent run of a group has."""
KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Tag of an experiment, so that its page shows training runs, not traces."""
MAX_VALUE = 500
"""Most characters of a parameter that all server versions accept."""
MAX_METRICS = 1000
MAX_PARAMS = 100
"""Limits of one request."""
ENVIRONMENT = {
    # fail within seconds, not minutes, if the server doesn't answer
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
"""Environment variables to set unless the user has."""


@builds(MlflowConfig)
class MlflowTracker(Tracker):
    """A run of an experiment; with a group, a child of the group's parent run."""

    def start(self) -> str:
        """Create the run, or set its status to running again."""
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        try:
            from mlflow.tracking import MlflowClient
        except ImportError as error:
            raise TrackerError(
                "MLflow is not installed.", "pip install 'vae-cli[mlflow]'"
            ) from error
        self.alive()
        uri = self._uri()
        self._client = MlflowClient(uri)
        self.alive()
        if "id" not in self.record or self.record.get("uri") != _shown(uri):
            experiment = self._experiment(uri)
            run = self._client.create_run(
                experiment,
                start_time=int(started(self.folder) * 1000),
                run_name=self.folder.path.name,
                tags=self._tags(experiment),
            )
            self.record.clear()  # only now: the server may not have answered
            self.record |= {
                "uri": _shown(uri),
                "id": run.info.run_id,
                "experiment": experiment,
            }
        self._id = self.record["id"]
        run = self._client.get_run(self._id)
        self._client.update_run(self._id, "RUNNING")
        self._parent = run.data.tags.get(PARENT)
        if self._parent:
            self._client.update_run(self._parent, "RUNNING")
        self._log_params(run.data.params)
        if uri.startswith("http"):
            experiment = self.record["experiment"]
            return f"{_shown(uri)}/#/experiments/{experiment}/runs/{self._id}"
        return f"mlflow ui --backend-store-uri {_shown(uri)}"

    def is_recorded(self) -> bool:
        """Return whether the record is in the database or server of the options."""
        return bool(self.record.get("uri") == _shown(self._uri()))

    def log_epochs(self, rows: list[dict[str, float]]) -> None:
        """Send epochs, except those that the server received before a failure."""
        from mlflow.entities import Metric

        history = self._client.get_metric_history(self._id, "loss")
        sent = max((metric.step for metric in history), default=0)
        times = epoch_times(self.folder)
        metrics = [
            Metric(name, value, int(times[row["epoch"]] * 1000), int(row["epoch"]))
            for row in rows
            if row["epoch"] > sent
            # `loss` comes last: its history tells which epochs are complete
            for name, value in sorted(row.items(), key=lambda item: item[0] == "loss")
            if name != "epoch"
        ]
        for start in range(0, len(metrics), MAX_METRICS):
            self._client.log_batch(
                self._id, metrics=metrics[start : start + MAX_METRICS]
            )

    def finish(self, state: str, results: dict[str, float], epoch: int) -> None:
        """Send results and files, and end the run; its parent ends with it."""
        from mlflow.entities import Metric

        end = int(ended_at(self.folder) * 1000)
        having = self._client.get_run(self._id).data.metrics
        metrics = [
            Metric(name, value, end, epoch)
            for name, value in results.items()
            if having.get(name) != value  # sent before
        ]
        if metrics:
            self._client.log_batch(self._id, metrics=metrics)
        if state == "finished":
            for file, name in self.files():
                place = str(Path(name).parent)
                self._client.log_artifact(
                    self._id, str(file), None if place == "." else place
                )
        self._client.set_terminated(self._id, STATES[state], end)
        if self._parent:
            self._client.set_terminated(self._parent, "FINISHED")

    def _uri(self) -> str:
        """Return the tracking URI; a resumed run keeps its own.

        Raises:
            TrackerError: it comes from a file, and the user has never used it.
        """
        named = os.environ.get("MLFLOW_TRACKING_URI")
        root = Path(self.config.output_root).absolute()
        local = f"sqlite:///{root / 'mlflow.db'}"
        given = self.options.uri or named or self.record.get("uri") or local
        uri = str(given).rstrip("/")
        if given == named:
            remember(_shown(uri))
        elif uri != local and not is_known(uri):
            raise TrackerError(
                f"tracker.uri={uri} comes from the run folder, and you have not used "
                "it before: nothing is sent to it.",
                "if you trust it: vae-track "
                f"run={self.folder} tracker=mlflow tracker.uri={uri}",
            )
        return uri

    def _experiment(self, uri: str) -> str:
        """Find or create the experiment; a local one has its files by the database."""
        name = self.options.experiment
        place = None
        if uri.startswith("sqlite:///"):
            database = Path(uri.removeprefix("sqlite:///")).absolute()
            database.parent.mkdir(parents=True, exist_ok=True)
            place = (database.parent / "mlflow-artifacts").as_uri()
        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self._client.create_experiment(name, place, KIND))
            except Exception:  # another job may just have created it
                found = self._client.get_experiment_by_name(name)
                if found is None:
                    raise
        if found.lifecycle_stage != "active":
            raise TrackerError(
                f"tracker.experiment={name} is deleted in MLflow.",
                "restore it, or choose another name",
            )
        return str(found.experiment_id)

    def _tags(self, experiment: str) -> dict[str, str]:
        tags = {
            "mlflow.source.name": "vae-train",
            "vae_cli.run_dir": str(self.folder.path),
        }
        if self.options.group is not None:
            tags[PARENT] = self._parent_of(experiment)
        return tags

    def _parent_of(self, experiment: str) -> str:
        """Find or create the parent run of the group; returns its id."""
        group = self.options.group
        if not (found := self._parents(experiment)):
            made = self._client.create_run(
                experiment, run_name=group, tags={GROUP: group}
            ).info.run_id
            found = self._parents(experiment)
            if found[0] != made:  # another job was first
                self._client.delete_run(made)
        return found[0]

    def _parents(self, experiment: str) -> list[str]:
        """Return the ids of the group's parent runs, oldest first."""
        runs = self._client.search_runs(
            [experiment], f"tags.`{GROUP}` = '{self.options.group}'"
        )
        first = sorted((run.info.start_time, run.info.run_id) for run in runs)
        return [run for _, run in first]

    def _log_params(self, having: dict[str, str]) -> None:
        """Send new parameters; MLflow doesn't allow changing existing ones."""
        from mlflow.entities import Param

        new = [
            Param(key, _text(value)[:MAX_VALUE])
            for key, value in flattened(params(self.config)).items()
            if key not in having
        ]
        for start in range(0, len(new), MAX_PARAMS):
            self._client.log_batch(self._id, params=new[start : start + MAX_PARAMS])


def _text(value: Any) -> str:
    """Return a value as it is typed."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _shown(uri: str) -> str:
    """Return a URI without its password, for files and logs."""
    return PASSWORD.sub("://", uri)
