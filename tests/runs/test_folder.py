import contextlib
import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.helpers import sized
from vae_cli.config.compose import composed
from vae_cli.data_spec import DataSpec
from vae_cli.errors import RunError, UsageError
from vae_cli.runs.data import check_same_data
from vae_cli.runs.files import write_json, write_text
from vae_cli.runs.find import find_runs, open_run
from vae_cli.runs.folder import RunFolder, new_run
from vae_cli.runs.metrics_file import append_row
from vae_cli.runs.resume import check_files, resumed_config

HOLD = """
import sys
from pathlib import Path
from vae_cli.runs.folder import RunFolder

with RunFolder(Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""
"""Holds a folder's lock until its input closes."""


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A finished run of two epochs, without weights."""
    folder = RunFolder(tmp_path / "outputs" / "run")
    folder.create()
    folder.save_config(composed("train", ["epochs=2"]))
    folder.write_status("finished", 2)
    return folder


@contextlib.contextmanager
def held(folder: RunFolder) -> Iterator[subprocess.Popen[str]]:
    """Let another process train in a folder."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        try:
            yield child
        finally:
            child.kill()


def started(root: Path, name: str, state: str, moved: int) -> RunFolder:
    """A run whose status was written at a given second."""
    folder = RunFolder(root / name)
    folder.create()
    folder.save_config(composed("train", ["epochs=2"]))
    folder.write_status(state, 1)
    (folder.checkpoints / "best.weights.h5").touch()
    os.utime(folder.status_file, (moved, moved))
    return folder


def test_new_folder_has_a_place_for_everything(tmp_path: Path) -> None:
    RunFolder(tmp_path / "a" / "run").create()
    assert {path.name for path in (tmp_path / "a" / "run").iterdir()} == {
        *("checkpoints", "model", "figures", "train.log")
    }


def test_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    RunFolder(tmp_path / "run").create()
    assert (tmp_path / "run" / "checkpoints").is_dir()


def test_folder_with_files_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError) as refused:
        RunFolder(tmp_path).create()
    assert str(refused.value) == (
        f"run_dir={tmp_path} holds files already; runs never share or overwrite a "
        "folder.\n"
        "  choose a new folder\n"
        f"  or continue that run: vae-train resume={tmp_path}"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("place", ["file", "file/run"])
def test_place_that_can_not_be_a_folder_is_refused(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="can't be written") as refused:
        RunFolder(tmp_path / place).create()
    assert "run_dir=" in str(refused.value)


def test_name_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    # TensorFlow could not write there: said before anything is trained
    with pytest.raises(RunError, match="its name is not UTF-8") as refused:
        RunFolder(tmp_path / "r\udcff").create()
    assert "r\\udcff" in str(refused.value)
    run = started(tmp_path, "run", "interrupted", 100)
    moved = run.path.rename(tmp_path / "r\udcff")
    with pytest.raises(RunError, match="its name is not UTF-8"):
        check_files(RunFolder(moved))


def test_run_dir_decides_where_a_run_goes(tmp_path: Path) -> None:
    here = tmp_path / "here"
    assert new_run(composed("train", [f"run_dir={here}"])).path == here
    assert here.is_dir()


def test_runs_that_start_in_the_same_second_get_folders_of_their_own(
    tmp_path: Path,
) -> None:
    config = composed("train", [f"output_root={tmp_path}"])
    paths = {new_run(config).path for _ in range(5)}
    assert len(paths) == 5


@pytest.mark.parametrize(
    ("override", "end"), [("seed=0", "mnist-conv-z2"), ("name=mine", "mine")]
)
def test_run_is_named_by_day_time_and_settings(
    tmp_path: Path, override: str, end: str
) -> None:
    path = new_run(sized(override, f"output_root={tmp_path}")).path
    pattern = rf"{tmp_path}/\d{{4}}-\d\d-\d\d/\d\d-\d\d-\d\d-{end}"
    assert re.fullmatch(pattern, path.as_posix())


def test_named_run_is_opened(run: RunFolder) -> None:
    assert open_run(str(run.path), "elsewhere").path == run.path


def test_named_run_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError) as refused:
        open_run(str(tmp_path / "nowhere"), str(tmp_path))
    assert refused.value.args[0] == f"run={tmp_path / 'nowhere'} does not exist."


def test_latest_is_the_run_that_moved_last(tmp_path: Path) -> None:
    for name, moved in (("a", 300), ("c", 100), ("b/deep", 500), ("d", 400)):
        started(tmp_path, name, "finished", moved)
    order = [str(run.path.relative_to(tmp_path)) for run in find_runs(tmp_path)]
    assert order == ["c", "a", "d", "b/deep"]
    assert open_run("latest", str(tmp_path)).path == tmp_path / "b" / "deep"


@pytest.mark.parametrize("damage", ["no weights", "config", "no config"])
def test_latest_passes_over_runs_that_can_not_be_opened_and_says_so_once(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = started(tmp_path, "good", "finished", 100)
    bad = [started(tmp_path, name, "failed", 200) for name in ("b", "c")]
    for run in bad:
        if damage == "no weights":
            (run.checkpoints / "best.weights.h5").unlink()
        elif damage == "config":
            run.config_file.write_text("[" * 100)
        else:
            run.config_file.unlink()
    assert open_run("latest", str(tmp_path)).path == good.path
    warnings = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    (warning,) = warnings
    assert f"passes over {bad[1]}, {bad[0]}" in warning


def test_latest_of_runs_without_weights_is_refused(tmp_path: Path) -> None:
    run = started(tmp_path, "run", "failed", 100)
    (run.checkpoints / "best.weights.h5").unlink()
    with pytest.raises(RunError, match="found no run with weights") as refused:
        open_run("latest", str(tmp_path))
    assert str(run) in str(refused.value)


def test_resume_latest_passes_over_a_config_that_can_not_be_read(
    tmp_path: Path,
) -> None:
    started(tmp_path, "cut", "failed", 200)
    started(tmp_path, "bad", "failed", 300).config_file.write_text("[" * 100)
    assert resume("latest", tmp_path)[0].path.name == "cut"


@pytest.mark.parametrize("root", ["", "nowhere"])
def test_latest_of_no_runs_says_how_to_train_one(root: str, tmp_path: Path) -> None:
    with pytest.raises(RunError) as refused:
        open_run("latest", str(tmp_path / root))
    assert "found no run below" in str(refused.value)
    assert "vae-train experiment=quickstart" in str(refused.value)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["experiment=beta_vae", "early_stopping.patience=5", "optimizer.clip_norm=1"],
        ["architecture=dense", "likelihood=gaussian", "optimizer=adamw"],
        ["dataset=synthetic", "kl_annealing=cyclical", "optimizer.epsilon=1e-12"],
        ["dataset=npz", "dataset.path='a: b # c.npz'", "seed=4294967295"],
        ["learning_rate_schedule=step", "name='on'", "output_root='1e3'"],
        ["name='null'", "run_dir='2026-01-01'", "dataset.max_images_per_split=7"],
        ["prior=vamp", "hierarchy=two_level", "objective=iwae", "latent_dim=4"],
        ["prior=mog", "architecture=gated_dense"],
        ["architecture=residual_conv", "hierarchy=two_level"],
    ],
    ids=" ".join,
)
def test_config_comes_back_as_it_was_saved(
    overrides: list[str], tmp_path: Path
) -> None:
    config, folder = composed("train", overrides), RunFolder(tmp_path)
    folder.save_config(config)
    loaded = folder.load_config()
    assert loaded == config
    assert type(loaded.dataset) is type(config.dataset)
    assert dataclasses.asdict(loaded) == yaml.safe_load(folder.config_file.read_text())


def test_config_of_an_older_version_loads_with_the_standard_parts(
    run: RunFolder,
) -> None:
    saved = composed("train", ["architecture=dense", "latent_dim=3"])
    run.save_config(saved)
    plain = yaml.safe_load(run.config_file.read_text())
    for key in ("prior", "hierarchy", "objective"):
        del plain[key]
    del plain["architecture"]["gated"]
    run.config_file.write_text(yaml.safe_dump(plain))
    config = run.load_config()
    assert config == saved
    assert (config.prior.name, config.hierarchy.name) == ("standard", "none")
    assert config.objective.name == "elbo"
    assert config.architecture.gated is False


def test_folder_without_config_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError) as refused:
        RunFolder(tmp_path).load_config()
    assert refused.value.args[0] == (
        f"run={tmp_path} is not a run folder: it has no config.yaml."
    )


@pytest.mark.parametrize(
    "text",
    [
        b"a: &x [1]\nb: [*x, *x]\n",
        b"a: [",
        b"",
        b"- 1\n",
        b"latent_dim: 0\n",
        b"\xff\xfe\x00",
        b"a: b: c\n",
    ],
)
def test_config_that_can_not_be_read_is_named(text: bytes, run: RunFolder) -> None:
    run.config_file.write_bytes(text)
    with pytest.raises(RunError) as refused:
        run.load_config()
    assert str(refused.value).startswith(str(run.config_file))


def test_edited_config_is_refused_with_every_problem(run: RunFolder) -> None:
    values = yaml.safe_load(run.config_file.read_text())
    run.config_file.write_text(yaml.safe_dump({**values, "beta": -1, "epochs": "x"}))
    with pytest.raises(RunError) as refused:
        run.load_config()
    assert str(refused.value) == (
        f"{run.config_file}: 2 problems:\n- beta=-1 must be at least 0\n"
        "- epochs=x must be an integer, got text"
    )


@pytest.mark.parametrize("key", ["name", "injected"])
def test_config_that_names_code_is_refused_and_not_run(
    key: str, run: RunFolder, tmp_path: Path
) -> None:
    marker = tmp_path / "executed"
    values = yaml.safe_load(run.config_file.read_text())
    values.pop(key, None)
    run.config_file.write_text(
        yaml.safe_dump(values)
        + f"{key}: !!python/object/apply:os.mkdir ['{marker.as_posix()}']\n"
    )
    with pytest.raises(RunError) as refused:
        run.load_config()
    assert str(run.config_file) in str(refused.value)
    assert not marker.exists()


def test_interpolation_in_a_saved_config_stays_text(run: RunFolder) -> None:
    values = yaml.safe_load(run.config_file.read_text())
    values["name"] = "${oc.env:HOME}"
    run.config_file.write_text(yaml.safe_dump(values))
    assert run.load_config().name == "${oc.env:HOME}"


@pytest.mark.parametrize("text", ["", "{", "null", "3", '"ab"', "\ud800"])
@pytest.mark.parametrize("file", ["status.json", "data.json"])
def test_json_that_can_not_be_read_is_named(
    file: str, text: str, run: RunFolder
) -> None:
    (run.path / file).write_bytes(text.encode("utf-8", "surrogatepass"))
    read = {"status.json": run.status, "data.json": run.load_spec}[file]
    with pytest.raises(RunError) as refused:
        read()
    assert f"{file} can't be read" in str(refused.value)


@pytest.mark.parametrize("file", ["status.json", "data.json"])
def test_json_that_is_missing_is_named(file: str, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    read = {"status.json": folder.status, "data.json": folder.load_spec}[file]
    with pytest.raises(RunError, match=re.escape(f"{file} can't be read")):
        read()


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"spec": None},
        {"spec": {"image_shape": [2, 2], "binary": True, "num_classes": None}},
        {"spec": {"image_shape": [2, 2, "x"], "binary": True, "num_classes": None}},
        {"spec": {"image_shape": [2, 2, 1], "binary": True}},
    ],
)
def test_data_record_that_is_not_ours_is_named(values: object, run: RunFolder) -> None:
    write_json(run.data_file, values)
    with pytest.raises(RunError, match="is not a data record") as refused:
        run.load_spec()
    assert str(run.data_file) in str(refused.value)


@pytest.mark.parametrize("text", ["{}", "[]", '{"epoch": 1}', '{"state": "running"}'])
def test_status_that_is_not_ours_is_named(text: str, run: RunFolder) -> None:
    run.status_file.write_text(text)
    with pytest.raises(RunError, match=re.escape("status.json")):
        run.status()


def test_data_record_comes_back_as_it_was_written(run: RunFolder) -> None:
    spec = DataSpec((28, 20, 3), True, 10, np.zeros((28, 20, 3), np.float32))
    write_json(run.data_file, {"spec": spec.to_json()})
    assert run.load_spec() == spec
    assert run.load_spec().pixel_mean is None


@pytest.mark.parametrize("state", ["finished", "interrupted", "failed"])
def test_status_comes_back_as_it_was_written(state: str, run: RunFolder) -> None:
    run.write_status(state, 3, "why")
    assert run.status() == {"state": state, "epoch": 3, "error": "why"}


def test_running_run_of_a_living_process_reads_as_running(run: RunFolder) -> None:
    run.write_status("running", 1)
    with held(run):
        assert run.status()["state"] == "running"


def test_running_run_of_a_killed_process_reads_as_interrupted(run: RunFolder) -> None:
    run.write_status("running", 1)
    with held(run) as child:
        child.kill()
        child.wait()
        assert run.status() == {"state": "interrupted", "epoch": 1, "error": None}


def test_running_run_that_never_took_its_lock_reads_as_interrupted(
    run: RunFolder,
) -> None:
    run.write_status("running", 0)
    assert not (run.path / ".lock").exists()
    assert run.status()["state"] == "interrupted"


def test_folder_that_another_process_holds_is_refused(run: RunFolder) -> None:
    with held(run), pytest.raises(RunError) as refused, run.locked():
        pass
    assert refused.value.args == (
        f"{run.path} is being trained by another process.",
        "wait for it, or stop it, then resume",
    )


def test_lock_is_free_after_its_holder(run: RunFolder) -> None:
    with run.locked():
        assert run.in_use()
    assert not run.in_use()
    with run.locked():
        assert run.in_use()


def test_asking_whether_a_run_is_in_use_takes_no_lock(run: RunFolder) -> None:
    with run.locked():
        pass
    assert not run.in_use()
    with held(run):
        assert run.in_use()


def test_failed_write_leaves_the_old_file_whole(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    write_json(file, {"epoch": 1})
    with pytest.raises(RunError, match=r"status.json is not written: a.0 is nan"):
        write_json(file, {"epoch": 2, "a": [float("nan")]})
    file.with_name(f".status.json.{os.getpid()}.partial").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        write_text(file, "{}")
    assert json.loads(file.read_text()) == {"epoch": 1}


def test_text_that_no_encoding_has_is_written_as_an_escape(tmp_path: Path) -> None:
    write_text(tmp_path / "names.csv", "\udcff.png\n")
    assert (tmp_path / "names.csv").read_text() == "\\udcff.png\n"


def test_written_file_leaves_no_other_behind(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"epoch": 1})
    write_json(tmp_path / "a.json", {"epoch": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def resume(which: str, root: Path, *more: str) -> tuple[RunFolder, int]:
    """What `vae-train resume=...` goes on with: the run and its number of epochs."""
    overrides = [f"resume='{which}'", f"output_root='{root}'", *more]
    folder, config = resumed_config(composed("train", overrides), overrides)
    return folder, config.epochs


def test_resumed_run_goes_on_with_its_own_config(tmp_path: Path) -> None:
    run = started(tmp_path, "run", "interrupted", 100)
    assert (resume(str(run.path), tmp_path)[1]) == 2


def test_resumed_run_takes_more_epochs(run: RunFolder, tmp_path: Path) -> None:
    assert resume(str(run.path), tmp_path, "epochs=9")[1] == 9


def test_resume_latest_passes_over_finished_runs(tmp_path: Path) -> None:
    started(tmp_path, "old", "interrupted", 100)
    started(tmp_path, "cut", "failed", 200)
    started(tmp_path, "done", "finished", 300)
    assert resume("latest", tmp_path)[0].path.name == "cut"


def test_resume_latest_with_more_epochs_takes_a_finished_run(tmp_path: Path) -> None:
    started(tmp_path, "cut", "failed", 200)
    started(tmp_path, "done", "finished", 300)
    folder, epochs = resume("latest", tmp_path, "epochs=5")
    assert (folder.path.name, epochs) == ("done", 5)


def importance_weighted(run: RunFolder, elbos: list[int], bounds: list[int]) -> None:
    """Record three epochs of a run that stops after two without a better bound."""
    options = ["epochs=3", "early_stopping.patience=2", "objective=iwae"]
    run.save_config(composed("train", options))
    for epoch, (elbo, bound) in enumerate(zip(elbos, bounds, strict=True), 1):
        values = {"epoch": epoch, "val_neg_elbo": elbo, "val_neg_iwae": bound}
        append_row(run.metrics_csv, {**values, "neg_iwae": bound})


def test_run_whose_own_bound_got_better_has_not_stopped_early(run: RunFolder) -> None:
    importance_weighted(run, elbos=[150, 151, 152], bounds=[149, 148, 147])
    assert resume(str(run.path), run.path.parent, "epochs=9")[1] == 9


def test_run_whose_own_bound_got_no_better_has_stopped_early(run: RunFolder) -> None:
    importance_weighted(run, elbos=[152, 151, 150], bounds=[147, 148, 149])
    with pytest.raises(RunError, match="has stopped early: 2 epochs") as error:
        resume(str(run.path), run.path.parent, "epochs=9")
    assert "val_neg_iwae" in str(error.value)


@pytest.mark.parametrize(
    ("which", "more", "message"),
    [
        ("{run}", ["epochs=1"], "epochs=1 is less than the run's 2"),
        ("{run}", [], "run is finished."),
        ("latest", [], "every run below {root}/ is finished or in use."),
    ],
)
def test_resume_that_makes_no_sense_is_refused(
    which: str, more: list[str], message: str, run: RunFolder
) -> None:
    root = run.path.parent
    with pytest.raises(RunError) as refused:
        resume(which.format(run=run.path), root, *more)
    assert message.format(root=root) in str(refused.value)


@pytest.mark.parametrize("word", ["beta=3", "++beta=3", "~experiment"])
def test_resume_beside_another_override_is_wrong_usage(
    word: str, run: RunFolder
) -> None:
    with pytest.raises(UsageError, match="resume= takes no other override"):
        resume(str(run.path), run.path.parent, word)


def test_resume_with_other_images_is_refused(run: RunFolder) -> None:
    write_json(run.data_file, {"fingerprint": {"train": "abc"}})
    check_same_data(run, {"train": "abc"})
    check_same_data(run, {"train": "abc", "recorded by a later version": 1})
    with pytest.raises(RunError, match="its data, which have changed since"):
        check_same_data(run, {"train": "xyz"})
