"""How a sweep ends: its table, its figures, and what to type next."""

import logging
import shlex
from collections.abc import Mapping, Sequence

from vae_cli.errors import RunError
from vae_cli.plugins import plugin_words
from vae_cli.runs.files import write_text
from vae_cli.runs.ranking import ranking
from vae_cli.runs.sweep_folder import NOT_STARTED, SweepFolder
from vae_cli.runs.sweep_summary import SweepSummary, summary_of

log = logging.getLogger("vae_cli")


def resume_command(folder: SweepFolder) -> str:
    """Return the command that resumes a sweep."""
    named = f"sweep.resume={shlex.quote(str(folder))}"
    return f"vae-train {plugin_words()}-m {named}"


def write_table(folder: SweepFolder) -> SweepSummary:
    """Write `summary.md` and `summary.csv`."""
    summary = summary_of(folder)
    write_text(folder.summary, summary.markdown(f"Sweep {folder.path.name}"))
    write_text(folder.summary.with_suffix(".csv"), summary.csv())
    return summary


def write_figures(folder: SweepFolder, summary: SweepSummary) -> None:
    """Draw the largest group of jobs with comparable bounds, if it has two or more."""
    if not summary.kinds or not summary.keys:
        return
    kind = summary.kinds[0]
    rows = summary.finished(kind)
    if len(rows) < 2:
        return
    from vae_cli.visualize.files import figure_path, save_figure
    from vae_cli.visualize.parallel_coordinates import plot_parallel_coordinates

    name, failed = folder.path.name, len(summary.jobs("failed"))
    others = len(summary.jobs("finished")) - len(rows)
    left = [f"{failed} failed"] if failed else []
    left += [f"{others} with bounds that are not comparable"] if others else []
    figure = plot_parallel_coordinates(
        {k: [row.job.overrides.get(k, "") for row in rows] for k in summary.keys},
        [float(row.bound or 0.0) for row in rows],
        f"best {kind.split(' (')[0]}, nats",
        "; ".join([f"{len(rows)} of {len(summary.rows)} jobs of {name}", *left]),
    )
    folder.figures.mkdir(exist_ok=True)
    save_figure(figure, figure_path(folder.figures / "parallel_coordinates"))


def report(
    folder: SweepFolder,
    summary: SweepSummary,
    minimised: str,
    errors: Mapping[int, str],
    trials: int | None,
) -> None:
    """Print the ranking, the folder, and how to go on.

    Args:
        folder: of the sweep.
        summary: of its jobs.
        minimised: name of the bound that the sweep minimises.
        errors: of jobs that had failed before this command, by number.
        trials: `n_trials` of a search; None if it is no search.

    Raises:
        RunError: a job has failed, or was not started.
    """
    if len(summary.kinds) == 1:
        best = summary.rows[0]
        log.info(
            "smallest %s: %.2f nats per image, %s", minimised, best.bound, best.job
        )
    log.info("table: %s", folder.summary)
    for line in ranking(folder.path):
        log.info("%s", line)
    log.info("      vae-anomaly run=%s", folder)
    done, failed = summary.jobs("finished"), summary.jobs("failed")
    # a search doesn't retry its failed jobs, so it can be over with some
    more = ""
    over = len(done) + len(failed) == len(summary.rows) and not folder.stops()
    if trials is not None and over:
        count = len(summary.rows)
        more = (
            f"{count} trial{' is' if count == 1 else 's are'} done; more: "
            f"{resume_command(folder)} hydra.sweeper.n_trials={2 * max(count, trials)}"
        )
        log.info("%s", more)
    print(folder)
    if len(done) == len(summary.rows):
        return
    lines = [f"{job} failed: {job.error}" for job in failed]
    for state in ("interrupted", "running", "unreadable", NOT_STARTED):
        lines += _counted(state, [job.number for job in summary.jobs(state)])
    if not more:
        lines += _replacement(folder, summary, errors)
        lines.append(f"resume with: {resume_command(folder)}")
    raise RunError(f"{len(done)} of {len(summary.rows)} jobs are done.", *lines)


def _replacement(
    folder: SweepFolder, summary: SweepSummary, errors: Mapping[int, str]
) -> list[str]:
    """Return how to replace a value with which jobs failed again as before."""
    failed = summary.jobs("failed")
    again = [job for job in failed if errors.get(job.number) == job.error]
    for key in summary.keys if again else ():
        values = {row.job.overrides.get(key, "") for row in summary.rows}
        good = dict.fromkeys(
            row.job.overrides.get(key, "")
            for row in sorted(summary.rows, key=lambda row: row.job.number)
            if row.job not in failed
        )
        if good and len(good) < len(values):
            words = shlex.quote(f"{key}={','.join(good)}")
            return [
                "a job failed again with the same error; to leave out or replace its "
                "value:",
                f"  {resume_command(folder)} {words}",
            ]
    return []


def _counted(state: str, numbers: Sequence[int]) -> list[str]:
    plural = "job" if len(numbers) == 1 else "jobs"
    return [f"{plural} {', '.join(map(str, numbers))}: {state}"] if numbers else []
