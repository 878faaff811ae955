"""A tracker that keeps its record in a text file, and can be made to fail."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import vae_cli as vae


@vae.register("tracker", "journal")
@dataclass
class JournalConfig(vae.TrackerConfig):
    """A line for whatever a tracker gets."""

    path: str = vae.option("file of the record", default="journal.txt")
    fault: str | None = vae.option(
        "what happens with the first epoch that comes, once",
        choices=("error", "kill", "hang"),
        default=None,
    )


@vae.builds(JournalConfig)
class Journal(vae.Tracker):
    """Appends to a file."""

    def start(self):
        """Open the journal."""
        print("noise on standard output")
        self.record.setdefault("id", "one")
        self.write(f"start {self.folder.path.name} {self.options.group}")
        return self.options.path

    def log_epochs(self, rows):
        """Write the numbers of the epochs."""
        mark = Path(f"{self.options.path}.fault")
        if self.options.fault and not mark.exists():
            mark.touch()
            if self.options.fault == "error":
                raise ConnectionError("the ink has dried")
            if self.options.fault == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(600)
        self.write(*(f"epoch {row['epoch']:.0f}" for row in rows))

    def finish(self, state, results, epoch):
        """Write how the run has ended."""
        self.write(*(f"file {name}" for _, name in self.files()))
        self.write(f"{state} after {epoch}: {sorted(results)}")

    def write(self, *lines):
        """Append lines."""
        with Path(self.options.path).open("a") as file:
            file.writelines(f"{line}\n" for line in lines)
