"""Which runs a command means that takes several."""

from vae_cli.errors import RunError, UsageError
from vae_cli.runs.folder import RunFolder, find_runs, open_run


def open_runs(names: str, output_root: str) -> list[RunFolder]:
    """Find runs by name.

    Args:
        names: run folders, folders of runs (a sweep's), or `latest`, parted by commas.
        output_root: where `latest` looks.

    Raises:
        RunError: a folder is neither a run nor holds finished ones.
        UsageError: nothing is named.
    """
    found: list[RunFolder] = []
    for name in filter(None, (part.strip() for part in names.split(","))):
        folder = open_run(name, output_root)
        if folder.config_file.exists():
            found.append(folder)
            continue
        inside = [run for run in find_runs(folder.path) if run.metrics_json.exists()]
        if not inside:
            raise RunError(
                f"run={name} is not a run folder, and holds no finished runs.",
                "vae runs lists the runs below outputs/",
            )
        found += sorted(inside, key=lambda run: run.path)
    if not found:
        raise UsageError("run= names no folder.", "vae-evaluate run=latest")
    return found
