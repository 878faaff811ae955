"""What a run writes about itself: log, environment, data, how it ended."""

import contextlib
import logging
import traceback
from collections.abc import Iterator
from typing import Any

from vae_cli.data_spec import DataSpec
from vae_cli.errors import Interrupted, RunError, VaeCliError
from vae_cli.runs.files import write_json
from vae_cli.runs.folder import RunFolder, unwritable
from vae_cli.runs.metrics_file import read_rows
from vae_cli.runs.provenance import environment
from vae_cli.text import PrintableFormatter

log = logging.getLogger("vae_cli")


def record_start(
    folder: RunFolder, spec: DataSpec, fingerprint: dict[str, Any], resumed: bool
) -> None:
    """Write `environment.json` and `data.json`; a resume is added to the first."""
    now = environment()
    if resumed and folder.environment_file.exists():
        first = folder.read_json(folder.environment_file)
        first.setdefault("resumed", []).append(now)
        now = first
        # results of an earlier finish no longer belong to the weights
        folder.metrics_json.unlink(missing_ok=True)
    write_json(folder.environment_file, now)
    write_json(folder.data_file, {"spec": spec.to_json(), "fingerprint": fingerprint})


@contextlib.contextmanager
def recorded(folder: RunFolder, resume_command: str) -> Iterator[None]:
    """Copy the log into the folder and write down how training ended.

    Args:
        folder: the run.
        resume_command: what to type to go on with it.
    """
    try:
        handler = logging.FileHandler(folder.log_file, encoding="utf-8")
    except OSError as error:
        raise unwritable(folder.path, error) from error
    handler.setFormatter(PrintableFormatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    try:
        folder.write_status("running", _epochs(folder))
        log.info("run folder: %s", folder)
        yield
    except (Interrupted, KeyboardInterrupt) as error:
        what = str(error) or "stopped"
        folder.write_status("interrupted", _epochs(folder), what)
        message = f"{what}\n  go on with: {resume_command}"
        log.info("%s", message)
        raise Interrupted from error  # said already
    except OSError as error:
        # a full disk, or the folder is gone: nothing more can be written here
        raise RunError(
            f"The run folder {folder} can't be written any more: {error}.",
            f"make room, then go on with: {resume_command}",
        ) from error
    except BaseException as error:
        folder.write_status("failed", _epochs(folder), str(error))
        # the console gets the message, or the traceback, from whoever catches this
        text = str(error)
        if not isinstance(error, VaeCliError):
            text = traceback.format_exc()
        handler.handle(
            log.makeRecord(log.name, logging.ERROR, __file__, 0, text, (), None)
        )
        raise
    finally:
        log.removeHandler(handler)
        handler.close()


def _epochs(folder: RunFolder) -> int:
    rows = read_rows(folder.metrics_csv)
    return int(rows[-1]["epoch"]) if rows else 0
