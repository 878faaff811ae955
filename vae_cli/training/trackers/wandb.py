"""Weights & Biases: its server, or offline files in the run folder."""

import os
import uuid
from typing import Any

from vae_cli.config.tracker import WandbConfig
from vae_cli.registry import builds
from vae_cli.training.trackers.base import Tracker, TrackerError, params

START_SECONDS = 20
FINISH_SECONDS = 20
"""Timeouts of the server, before switching to offline files."""
ENVIRONMENT = {"WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true"}
"""Environment variables to set unless the user has."""


@builds(WandbConfig)
class WandbTracker(Tracker):
    """A run of a project, with the step counted in epochs."""

    def start(self) -> str:
        """Start or continue the run; offline if the server can't be reached."""
        # staged copies of artifacts
        os.environ["WANDB_DATA_DIR"] = str(self.folder.path / "wandb")
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        try:
            import wandb
        except ImportError as error:
            raise TrackerError(
                "wandb is not installed.", "pip install 'vae-cli[wandb]'"
            ) from error
        self._wandb = wandb
        self.record.setdefault("id", uuid.uuid4().hex[:8])
        mode = self.options.mode or os.environ.get("WANDB_MODE", "online")
        if self.record.get(
            "offline"
        ):  # the first part must be synced before later ones
            mode = "offline"
        self.alive()
        try:
            self._run = self._init(mode)
        except (wandb.Error, TimeoutError, OSError) as error:
            if mode == "offline":
                raise
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            self._run = self._init("offline")
            self.record["offline"] = True
            self.warn(
                f"W&B can't be used: {reason}\n"
                "the run is recorded in its folder; to send it, run wandb login, then "
                f"{self._place()}"
            )
        return self._place()

    def _init(self, mode: Any) -> Any:
        options = self.options
        return self._wandb.init(
            project=options.project,
            entity=options.entity,
            group=options.group,
            id=self.record["id"],
            resume="allow",
            name=self.folder.path.name,
            config=params(self.config),
            dir=str(self.folder.path),
            mode=mode,
            settings=self._wandb.Settings(
                silent=True,
                console="off",
                save_code=False,
                disable_git=True,
                # metadata of this process, not of training
                x_disable_meta=True,
                x_disable_stats=True,
                init_timeout=START_SECONDS,
                finish_timeout=FINISH_SECONDS,
                finish_timeout_raises=True,
            ),
        )

    def _place(self) -> str:
        if self._run.offline:  # a resumed run has several parts, in order
            return f"wandb sync {self.folder.path / 'wandb'}/offline-run-*"
        return str(self._run.url)

    def log_epochs(self, rows: list[dict[str, float]]) -> None:
        """Send epochs."""
        for row in rows:
            self._run.log(row, step=int(row["epoch"]))

    def finish(self, state: str, results: dict[str, float], epoch: int) -> None:
        """Send results, figures and files, and end the run."""
        self._run.summary.update(results)
        if state == "finished":
            if figures := self._figures():
                self._run.log(figures, step=epoch)
            artifact = self._wandb.Artifact(f"run-{self.record['id']}", type="run")
            sent = list(self.files())
            for file, name in sent:
                artifact.add_file(str(file), name=name, skip_cache=True)
            if sent:
                self._run.log_artifact(artifact)
        self.alive()
        try:
            self._run.finish(exit_code=0 if state == "finished" else 1)
        except TimeoutError:
            self.warn(
                "W&B has stopped answering, and the record may be incomplete; "
                f"to send the rest: wandb sync {self._run.settings.sync_dir}"
            )

    def _figures(self) -> dict[str, Any]:
        """Return the figures that W&B can show: PNG and SVG.

        It has no viewer for PDF; such figures are among the files.
        """
        figures: dict[str, Any] = {}
        for file in sorted(self.folder.figures.glob("*")):
            if file.suffix == ".png":
                figures[f"figures/{file.stem}"] = self._wandb.Image(str(file))
            elif file.suffix == ".svg":  # Image takes pixels only; a page can hold it
                text = file.read_text(encoding="utf-8")
                page = text[max(text.find("<svg"), 0) :]  # no XML declaration in HTML
                figures[f"figures/{file.stem}"] = self._wandb.Html(page, inject=False)
        return figures

    def stop(self) -> None:
        """End the run without its results."""
        run = getattr(self, "_run", None)
        if run is not None:
            run.finish(exit_code=1)
