"""`vae-train -m`: a sweep, each job in its own process."""

import logging

from vae_cli.commands._hydra import call_hydra
from vae_cli.commands.sweep.end import (
    report,
    resume_command,
    write_figures,
    write_table,
)
from vae_cli.commands.sweep.job import JobTask, here
from vae_cli.commands.sweep.record import (
    check_record,
    completed,
    record_of,
    resumed,
    settled,
)
from vae_cli.commands.sweep.rehearsal import (
    Rehearsal,
    check_sweep,
    fixed_keys,
    in_folder,
)
from vae_cli.commands.sweep.stop import saving_jobs
from vae_cli.commands.sweep.study import check_search
from vae_cli.commands.sweep.study_figures import draw_study
from vae_cli.commands.sweep.sweeper import is_optuna
from vae_cli.errors import Interrupted, RunError
from vae_cli.runs.sweep_folder import SweepFolder
from vae_cli.visualize.options import drawn_as
from vae_cli.workers import wait_until

log = logging.getLogger("vae_cli")


def sweep(words: list[str]) -> None:
    """Check all jobs, train them, rank them; prints the sweep's folder.

    Args:
        words: overrides and flags as typed, without `-m`.

    Raises:
        ConfigError: a job is refused, or the resumed sweep has changed; no job has
            started.
        RunError: a job failed, and its folder says why; or the sweep folder is in use.
        Interrupted: the sweep was interrupted; what was trained is saved.
    """
    before = resumed(words)
    record = SweepFolder(before).record() if before else None
    if before and record:
        words = in_folder(completed(words, record), before)
    else:
        words = settled(words)
    plan = check_sweep(words)
    if is_optuna(plan.sweeper):
        check_search(plan.sweeper, [config for _, config in plan.jobs])
    folder = SweepFolder(plan.folder)
    if record:
        check_record(folder, record, plan)
    elif folder.is_used():
        raise RunError(
            f"hydra.sweep.dir={folder} already contains a sweep.",
            f"resume it: {resume_command(folder)}",
            "or choose another folder",
        )
    try:
        with folder.locked():
            folder.write_record(record_of(words, plan, record))
            _prepare(folder, plan)
            _run(folder, plan, words)
    except OSError as error:
        raise RunError(
            f"The sweep folder can't be written: {error}.",
            "choose another with hydra.sweep.dir=<folder>",
        ) from error


def _prepare(folder: SweepFolder, plan: Rehearsal) -> None:
    """Wait for running jobs of a killed sweep to save, and number the jobs."""
    folder.allow_to_start()
    running = [job for job in folder.jobs() if job.run.in_use()]
    if running:
        log.info("waiting until %d jobs of the killed sweep have saved", len(running))
        wait_until(lambda: not any(job.run.in_use() for job in running))
    if not plan.complete:
        return
    wanted = [overrides for overrides, _ in plan.jobs]
    first = folder.next_number()
    for job in folder.jobs():
        if job.overrides not in wanted and job.state != "finished":
            folder.forget(job)
            log.info("%s is no longer part of the sweep", job)
    for overrides in wanted:
        folder.job(overrides, first)


def _run(folder: SweepFolder, plan: Rehearsal, words: list[str]) -> None:
    jobs = f"{len(plan.jobs)} jobs" if plan.complete else "a search"
    minimised = f"best_{plan.jobs[0][1].objective.bound}"
    log.info("sweep: %s in %s; minimises %s, nats per image", jobs, folder, minimised)
    errors = {job.number: job.error for job in folder.jobs() if job.error}
    task = JobTask(fixed_keys(words), here())
    try:
        with saving_jobs(folder):
            call_hydra("train", ["-m", *in_folder(words, folder.path)], task)
    except KeyboardInterrupt as error:
        write_table(folder)
        raise Interrupted(
            f"the sweep was interrupted\n  resume with: {resume_command(folder)}"
        ) from error
    summary = write_table(folder)
    with drawn_as(plan.jobs[0][1].figure):
        write_figures(folder, summary)
        if is_optuna(plan.sweeper):
            draw_study(plan.sweeper, folder)
    trials = plan.sweeper["n_trials"] if is_optuna(plan.sweeper) else None
    report(folder, summary, minimised, errors, trials)
