"""What a sweep says at its end."""

from pathlib import Path

from vae_cli.config.compose import composed
from vae_cli.runs.files import write_json
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.ranking import ranking


def job(sweep: Path, name: str, best: object, *overrides: str) -> RunFolder:
    """A finished job of a sweep."""
    folder = RunFolder(sweep / name)
    folder.create()
    config = composed("train", list(overrides))
    folder.save_config(config)
    folder.write_status("finished", 1)
    write_json(folder.metrics_json, {f"best_{config.objective.bound}": best})
    return folder


def test_jobs_come_by_their_best_bound_and_the_next_command(tmp_path: Path) -> None:
    for name, best in (("0-beta=1", 101.5), ("1-beta=4", 99.25), ("2-beta=9", 140.0)):
        job(tmp_path, name, best)
    assert ranking(tmp_path) == [
        "best validation neg_elbo (mnist validation_size=10000 seed=0, "
        "bernoulli), nats per image:",
        "       99.25  1-beta=4",
        "      101.50  0-beta=1",
        "      140.00  2-beta=9",
        f"next: vae-evaluate run={tmp_path}",
    ]


def test_bounds_that_do_not_compare_are_ranked_apart(tmp_path: Path) -> None:
    job(tmp_path, "0", 100.0)
    job(tmp_path, "1", -500.0, "likelihood=gaussian")
    job(tmp_path, "2", 90.0, "objective=iwae")
    for seen in (1, 2):
        masked = ("corruption=quadrants", f"corruption.quadrants={seen}")
        job(tmp_path, f"q{seen}", 80.0, *masked)
        job(tmp_path, f"c{seen}", 70.0, f"dataset.classes=[{seen}]")
    lines = ranking(tmp_path)
    assert sum(line.startswith("best ") for line in lines) == 7
    assert "figures of different lists are not comparable" in lines


def test_job_that_can_not_be_read_is_left_out(tmp_path: Path) -> None:
    job(tmp_path, "0", 100.0)
    job(tmp_path, "1", "text")
    job(tmp_path, "2", 99.0).config_file.write_text("[" * 1000)
    job(tmp_path, "3", 98.0).metrics_json.write_text('{"best_neg_elbo": ' + "9" * 5000)
    assert [line.split()[-1] for line in ranking(tmp_path)[1:-1]] == ["0"]


def test_long_ranking_is_cut(tmp_path: Path) -> None:
    for number in range(23):
        job(tmp_path, f"{number:02}", float(number))
    lines = ranking(tmp_path)
    assert lines[20].split() == ["19.00", "19"]
    assert lines[21] == "  and 3 more"
