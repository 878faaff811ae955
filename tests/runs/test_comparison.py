import csv
import statistics
from pathlib import Path
from typing import Any

import pytest

from vae_cli.config.compose import composed
from vae_cli.errors import RunError
from vae_cli.runs.comparison import group_runs, markdown, write_comparison

Report = dict[str, Any]

SCORES = [
    {"neg_elbo": 101.5, "kl_loss": 20.25, "knn_accuracy": 0.5, "nll": None},
    {"neg_elbo": 99.0, "kl_loss": 21.0, "knn_accuracy": 0.75, "nll": None},
    {"neg_elbo": 120.0, "kl_loss": 3.5, "knn_accuracy": 0.25, "nll": None},
]
"""Three evaluations, the last one of other settings than the first two."""


def groups(*overrides: str, reports: list[Report] | None = None) -> Any:
    """Group runs, one for each text of overrides."""
    runs = [f"outputs/{index}" for index in range(len(overrides))]
    configs = [composed("train", text.split()) for text in overrides]
    return group_runs(runs, configs, reports or [{} for _ in runs])


def settings(*overrides: str) -> list[dict[str, Any]]:
    """The settings in which the rows of such runs differ."""
    return [group.settings for group in groups(*overrides)]


def written(folder: Path, *overrides: str) -> list[Path]:
    """Write the comparison of runs with `SCORES` into a folder."""
    names = [str(folder / "runs" / str(index)) for index in range(len(overrides))]
    configs = [composed("train", text.split()) for text in overrides]
    scores: list[dict[str, Any]] = [
        {"reconstruction_loss": 80.0, **score} for score in SCORES[: len(overrides)]
    ]
    return write_comparison(names, configs, scores, "test", str(folder / "out"))


def table(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as text:
        return list(csv.DictReader(text))


def test_runs_that_differ_in_their_seed_alone_share_a_row() -> None:
    (group,) = groups("seed=1", "seed=2", "seed=3")
    assert group.runs == ["outputs/0", "outputs/1", "outputs/2"]
    assert group.settings == {}


@pytest.mark.parametrize(
    "override", ["name=a", "run_dir=a", "output_root=a", "deterministic=true"]
)
def test_where_a_run_went_does_not_tell_it_from_another(override: str) -> None:
    assert settings("seed=1", f"seed=2 {override}") == [{}]


def test_rows_come_in_the_order_of_their_first_runs() -> None:
    found = groups("beta=4", "beta=1", "beta=4 seed=2")
    assert [group.runs for group in found] == [
        ["outputs/0", "outputs/2"],
        ["outputs/1"],
    ]


@pytest.mark.parametrize(
    ("runs", "told_by"),
    [
        (["beta=1", "beta=4"], [{"beta": 1.0}, {"beta": 4.0}]),
        (
            ["beta=1 latent_dim=2", "beta=4 latent_dim=2", "beta=4 latent_dim=8"],
            [
                {"latent_dim": 2, "beta": 1.0},
                {"latent_dim": 2, "beta": 4.0},
                {"latent_dim": 8, "beta": 4.0},
            ],
        ),
        (["free_bits=0", "free_bits=1"], [{"free_bits": 0.0}, {"free_bits": 1.0}]),
        (
            ["architecture=conv", "architecture=dense"],
            [{"architecture": "conv"}, {"architecture": "dense"}],
        ),
        (
            ["prior=standard", "prior=vamp prior.components=5", "prior=vamp"],
            [
                {"prior": "standard"},
                {"prior": "vamp", "prior.components": 5},
                {"prior": "vamp", "prior.components": 500},
            ],
        ),
        (
            ["architecture.filters=[8]", "architecture.filters=[16]"],
            [{"architecture.filters": [8]}, {"architecture.filters": [16]}],
        ),
        (
            ["objective=elbo", "objective=iwae"],
            [{"objective": "elbo"}, {"objective": "iwae"}],
        ),
    ],
    ids=lambda value: " | ".join(value) if isinstance(value[0], str) else "",
)  # fmt: skip
def test_row_is_told_apart_by_what_differs(
    runs: list[str], told_by: list[dict[str, Any]]
) -> None:
    assert settings(*runs) == told_by


def test_mean_and_deviation_are_over_the_runs_of_a_row() -> None:
    first, second = groups("seed=1", "seed=2", "beta=4", reports=SCORES)
    assert first.mean("neg_elbo") == pytest.approx((101.5 + 99.0) / 2)
    assert first.deviation("neg_elbo") == pytest.approx(statistics.stdev([101.5, 99]))
    assert second.mean("neg_elbo") == 120.0
    assert second.deviation("neg_elbo") is None


def test_figure_that_one_run_lacks_is_no_mean() -> None:
    (group,) = groups("seed=1", "seed=2", reports=[{"nll": 3.0}, {"nll": None}])
    assert group.mean("nll") is None
    assert group.deviation("nll") is None


def test_markdown_has_a_row_a_group_and_no_empty_column() -> None:
    how = {"split": "test", "protocol": {"dataset": "mnist", "checkpoint": "best"}}
    alone = {**SCORES[2], "neg_elbo_se": 0.512}
    reports = [{**score, **how} for score in (*SCORES[:2], alone)]
    text = markdown(groups("seed=1", "seed=2", "beta=4", reports=reports))
    assert text.splitlines() == [
        "split test; dataset mnist; checkpoint best",
        "",
        "+- is the standard deviation over runs, (...) is the standard error over "
        "images",
        "",
        "| run | beta | neg_elbo | kl_loss | knn_accuracy |",
        "| --- | --- | --- | --- | --- |",
        "| 2 runs | 1 | 100.25 +- 1.8 | 20.62 +- 0.53 | 0.625 +- 0.18 |",
        "| 2 | 4 | 120.00 (0.51) | 3.5 | 0.25 |",
    ]


def test_markdown_explains_only_the_signs_that_it_has() -> None:
    alone = [{"neg_elbo": 120.0}, {"neg_elbo": 110.0}]
    text = markdown(groups("beta=1", "beta=4", reports=alone))
    assert "+-" not in text and "(...)" not in text


@pytest.mark.parametrize(
    ("key", "values", "named"),
    [
        ("num_images", (600, 10_000), "num_images (600, 10000)"),
        ("split", ("test", "validation"), "split (test, validation)"),
        ("dataset", ("mnist", "npz"), "dataset (mnist, npz)"),
        ("images_sha256", ("ab", "cd"), "images"),
        ("binarization", ("none", "static"), "binarization (none, static)"),
        ("likelihood", ("bernoulli", "gaussian"), "likelihood (bernoulli, gaussian)"),
        ("corruption", ("none", "half"), "corruption (none, half)"),
    ],
)
def test_table_of_figures_that_do_not_compare_says_so(
    key: str,
    values: tuple[Any, Any],
    named: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    reports: list[Report] = [
        {"neg_elbo": 100.0, "protocol": {key: value}} for value in values
    ]
    message = f"These figures are not comparable: the runs differ in {named}."
    assert f"**{message}**" in markdown(groups("beta=1", "beta=4", reports=reports))
    configs = [composed("train", [f"beta={beta}"]) for beta in (1, 1)]
    names = [str(tmp_path / name) for name in "ab"]
    write_comparison(names, configs, reports, "test", str(tmp_path / "out"))
    assert caplog.messages == [message]


def test_table_of_one_protocol_has_no_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = written(tmp_path, "seed=1", "seed=2")
    assert "compare" not in files[0].read_text()
    assert not caplog.messages


def test_setting_can_not_add_a_column_or_a_line(tmp_path: Path) -> None:
    found = groups("dataset.binarize=none", "dataset.binarize=static")
    found[0].settings["dataset.binarize"] = "a|b\nc\x1b"
    lines = markdown(found).splitlines()
    assert lines[-2] == "| 0 | a\\|b\\x0ac\\x1b |"


def test_line_above_the_table_names_corruption_pixels_and_what_probes_are_of() -> None:
    how = {"corruption": "quadrants", "pixels": "missing"}
    report = {
        **SCORES[0],
        "protocol": how,
        "samples_are": "draws",
        "probes_of": "codes",
    }
    (first, *_) = markdown(groups("seed=1", reports=[report])).splitlines()
    assert first == (
        "corruption quadrants; pixels missing; samples_are draws; probes_of codes"
    )


def test_csv_holds_means_and_deviations_in_full(tmp_path: Path) -> None:
    first, second = table(written(tmp_path, "seed=1", "seed=2", "beta=4")[1])
    assert first["beta"] == "1"
    assert first["runs"] == "2"
    for measure in ("neg_elbo", "kl_loss", "knn_accuracy"):
        values = [float(score[measure] or 0) for score in SCORES[:2]]
        assert float(first[measure]) == statistics.fmean(values)
        assert float(first[f"{measure}_sd"]) == statistics.stdev(values)
        assert float(second[measure]) == SCORES[2][measure]
        assert second[f"{measure}_sd"] == ""
    assert "nll" not in first
    runs = tmp_path / "runs"
    assert first["folders"].split() == [str(runs / "0"), str(runs / "1")]


def test_figure_is_drawn_where_beta_varies(tmp_path: Path) -> None:
    files = written(tmp_path, "beta=1", "beta=4")
    names = ["test.md", "test.csv", "test-rate-distortion.png"]
    assert [file.name for file in files] == names
    assert all(file.stat().st_size for file in files)


def test_no_figure_is_drawn_where_beta_is_the_same(tmp_path: Path) -> None:
    files = written(tmp_path, "latent_dim=2", "latent_dim=3")
    assert [file.name for file in files] == ["test.md", "test.csv"]
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        *("test.csv", "test.md")
    ]


def test_table_lies_beside_the_runs_by_default(tmp_path: Path) -> None:
    configs = [composed("train", [f"seed={seed}"]) for seed in (1, 2)]
    names = [str(tmp_path / "a" / "run"), str(tmp_path / "b" / "run")]
    files = write_comparison(names, configs, [{}, {}], "validation", None)
    folder = tmp_path / "evaluation"
    assert files == [folder / "validation.md", folder / "validation.csv"]


def test_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(RunError) as refused:
        written(tmp_path, "seed=1", "seed=2")
    assert refused.value.args == (
        f"{tmp_path / 'out'} can't be written: File exists.",
        "choose another folder: output=<folder>",
    )


def test_runs_of_equal_weights_are_named_since_they_are_no_new_evidence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runs = [str(tmp_path / name) for name in "abc"]
    configs = [composed("train", [f"seed={seed}"]) for seed in range(3)]
    reports = [{"protocol": {"weights_sha256": digest}} for digest in ("x", "y", "x")]
    with caplog.at_level("WARNING", "vae_cli"):
        write_comparison(runs, configs, reports, "test", str(tmp_path / "out"))
    assert [message.split()[0] for message in caplog.messages] == [runs[0], runs[2]]
