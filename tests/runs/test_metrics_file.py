import csv
from pathlib import Path

import pytest

from vae_cli.runs.metrics_file import COLUMNS, append_row, keep_epochs, read_rows

NAMES = [
    *("epoch", "seconds", "images_per_second", "learning_rate", "beta"),
    *("loss", "reconstruction_loss", "kl_loss", "neg_elbo", "active_units"),
    *("val_loss", "val_reconstruction_loss", "val_kl_loss", "val_neg_elbo"),
    "val_active_units",
]


def row(epoch: int) -> dict[str, float]:
    """An epoch's values, every one another number."""
    values = {name: epoch + place / 7 for place, name in enumerate(NAMES)}
    return {**values, "epoch": epoch}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three epochs."""
    path = tmp_path / "metrics.csv"
    for epoch in (1, 2, 3):
        append_row(path, row(epoch))
    return path


def test_columns_are_the_promised_ones() -> None:
    assert list(COLUMNS) == NAMES


def test_file_has_one_header_and_a_row_an_epoch(file: Path) -> None:
    with file.open(newline="") as text:
        header, *rows = csv.reader(text)
    assert header == NAMES
    assert [line[0] for line in rows] == ["1", "2", "3"]


def test_rows_come_back_as_they_were_written(file: Path) -> None:
    assert read_rows(file) == [row(1), row(2), row(3)]


def test_columns_without_a_value_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "metrics.csv"
    append_row(file, {"epoch": 1, "loss": 2.5})
    assert read_rows(file) == [{"epoch": 1.0, "loss": 2.5}]


def test_what_an_objective_adds_has_columns_after_the_promised_ones(
    tmp_path: Path,
) -> None:
    file = tmp_path / "metrics.csv"
    rows = [{**row(n), "neg_iwae": n + 0.25, "val_neg_iwae": n + 0.5} for n in (1, 2)]
    for values in rows:
        append_row(file, values)
    header = file.read_text().splitlines()[0].split(",")
    assert header == [*NAMES, "neg_iwae", "val_neg_iwae"]
    assert read_rows(file) == rows


def test_another_bound_without_validation_has_one_column(tmp_path: Path) -> None:
    append_row(tmp_path / "metrics.csv", {"epoch": 1, "neg_iwae": 2.5})
    header = (tmp_path / "metrics.csv").read_text().splitlines()[0].split(",")
    assert header == [*NAMES, "neg_iwae"]


def test_missing_file_has_no_rows(tmp_path: Path) -> None:
    assert read_rows(tmp_path / "metrics.csv") == []


def test_row_cut_short_anywhere_is_dropped(file: Path) -> None:
    whole = file.read_bytes()
    last = whole[: whole.rindex(b"\n")].rindex(b"\n") + 1
    # the row is complete once its line ends
    for end in range(last, len(whole)):
        file.write_bytes(whole[:end])
        assert read_rows(file) == [row(1), row(2)], whole[last:end]


def test_header_cut_short_has_no_rows(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:20])
    assert read_rows(file) == []


def test_rows_after_an_epoch_are_dropped(file: Path) -> None:
    keep_epochs(file, 2)
    assert read_rows(file) == [row(1), row(2)]


def test_dropping_no_row_changes_nothing(file: Path) -> None:
    keep_epochs(file, 7)
    assert read_rows(file) == [row(1), row(2), row(3)]


@pytest.mark.parametrize("cut", [3, 10, 30, 60])
def test_half_written_row_is_dropped_with_those_after_an_epoch(
    cut: int, file: Path
) -> None:
    file.write_bytes(file.read_bytes()[:-cut])
    keep_epochs(file, 3)
    assert read_rows(file) == [row(1), row(2)]


@pytest.mark.parametrize("epochs", [2, 0])
def test_rows_go_on_after_dropping_some(epochs: int, file: Path) -> None:
    keep_epochs(file, epochs)
    append_row(file, row(epochs + 1))
    assert read_rows(file) == [row(epoch) for epoch in range(1, epochs + 2)]
    assert file.read_text().count("epoch,") == 1


def test_dropping_rows_of_a_missing_file_makes_none(tmp_path: Path) -> None:
    keep_epochs(tmp_path / "metrics.csv", 2)
    assert not (tmp_path / "metrics.csv").exists()


def test_dropping_rows_of_an_empty_file_leaves_it_empty(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("")
    keep_epochs(tmp_path / "metrics.csv", 2)
    assert (tmp_path / "metrics.csv").read_text() == ""
