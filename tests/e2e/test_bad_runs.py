"""Every damaged run folder and bad request: one message and no traceback."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml
from PIL import Image

from tests.conftest import SMALL, Finished, refused

Command = Callable[..., Finished]


@pytest.fixture
def damaged(trained: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


def change(file: Path, *keys: str, value: object) -> None:
    """Replace a value within a JSON file."""
    values = inner = json.loads(file.read_text())
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    file.write_text(json.dumps(values))


def fill_weights(run: Path, value: float) -> None:
    """Set every weight of the best checkpoint."""
    with h5py.File(run / "checkpoints" / "best.weights.h5", "r+") as file:
        arrays: list[h5py.Dataset] = []
        file.visititems(
            lambda _, item: arrays.append(item) if hasattr(item, "dtype") else None
        )
        for array in arrays:
            if array.dtype.kind == "f":
                array[...] = value


@pytest.mark.parametrize(
    "shape",
    [784, [1e30] * 3, [0, 12, 1], [-12, 12, 1], [2**16, 2**16, 1], [12, 12, 1.5]],
    ids=str,
)
@pytest.mark.parametrize("name", ["generate", "evaluate"])
def test_image_shape_that_no_image_has_is_refused(
    command: Command, damaged: Path, name: str, shape: object
) -> None:
    change(damaged / "data.json", "spec", "image_shape", value=shape)
    done = command(name, f"run={damaged}")
    refused(done, f"{damaged / 'data.json'} is not a data record: image_shape")


@pytest.mark.parametrize(
    "shape", [[12, 12, 3], [28, 28, 1], [1, 1, 1], [4096] * 2 + [1]]
)
def test_image_shape_of_another_model_is_refused_before_it_is_built(
    command: Command, damaged: Path, shape: list[int]
) -> None:
    change(damaged / "data.json", "spec", "image_shape", value=shape)
    done = command("generate", f"run={damaged}")
    refused(done, "best.weights.h5 doesn't fit", "config.yaml and data.json")


@pytest.mark.parametrize(
    "name", ["evaluate", "reconstruct", "anomaly", "encode", "plot-latent"]
)
def test_image_shape_other_than_the_images_is_refused(
    command: Command, damaged: Path, name: str
) -> None:
    # which the convolutions' weights fit
    change(damaged / "data.json", "spec", "image_shape", value=[11, 11, 1])
    done = command(name, f"run={damaged}")
    refused(done, "data.json doesn't fit the run's images", "(11, 11, 1)")


@pytest.mark.parametrize("value", [1e38, -1e38, float("nan")])
@pytest.mark.parametrize("name", ["evaluate", "anomaly", "encode", "plot-latent"])
def test_weights_beyond_all_figures_are_named_before_files_are_written(
    command: Command, damaged: Path, name: str, value: float
) -> None:
    fill_weights(damaged, value)
    before = {path for path in damaged.rglob("*") if path.is_file()}
    done = command(name, f"run={damaged}")
    refused(done, "NaN", "checkpoint=last")
    assert {path for path in damaged.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("metrics.csv", "epoch,loss\n1,2\n"),
        ("metrics.csv", "epoch,loss\ninf,2\n1e300,2\n"),
        ("metrics.csv", None),
        ("metrics.json", None),
        ("status.json", None),
        ("train.log", None),
        ("data.json", '{"spec": ' + "[" * 100_000),
        ("environment.json", '{"spec": ' + "[" * 100_000),
        ("environment.json", '{"resumed": null}'),
        ("environment.json", '{"resumed": "text"}'),
        ("checkpoints/training_state.npz", ""),
        ("checkpoints/training_state.npz", "text"),
        ("tensorboard", ""),
        ("tensorboard/train", ""),
        ("tensorboard/images", ""),
        ("figures", ""),
    ],
    ids=lambda value: str(value)[:25],
)
def test_file_that_a_resumed_run_can_not_use_is_named_before_it_trains(
    command: Command, damaged: Path, file: str, text: str | None
) -> None:
    path = damaged / file
    if text is None:
        path.unlink()
        path.mkdir()
    else:
        if path.is_dir():
            shutil.rmtree(path)
        path.write_text(text)
    done = command("train", f"resume={damaged}", "epochs=7")
    refused(done, str(path))
    assert "epoch 7" not in done.stderr


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("metrics.json", '{"test": "text"}'),
        ("metrics.json", '{"test": [1]}'),
        ("metrics.json", '{"test": {"neg_elbo": [1]}}'),
        ("metrics.json", '{"test": {"neg_elbo": ' + "9" * 400 + "}}"),
        ("metrics.json", '{"test": {"neg_elbo": ' + "9" * 5000 + "}}"),
        ("metrics.json", '{"test": ' + "[" * 100_000),
        ("metrics.json", None),
        ("metrics.csv", "epoch,val_neg_elbo\ninf,1\n1e300,1\n"),
        ("metrics.csv", "epoch,val_neg_elbo\n1,inf\n2,nan\n"),
        ("metrics.csv", "epoch,epoch\n1,inf\n"),
        ("metrics.csv", None),
        ("config.yaml", "[" * 60_000),
        ("config.yaml", "a: 1\n" * 4_000_000),
        ("config.yaml", "latent_dim: " + "9" * 5000),
        ("config.yaml", 'name: "\\uD800"'),
        ("config.yaml", "? [a]\n: 1\n"),
        ("config.yaml", None),
        ("status.json", '{"state": [], "epoch": 1}'),
        ("status.json", '{"state": "finished", "epoch": true}'),
        ("status.json", '{"state": ' + "[" * 100_000),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_run_never_spoils_the_table(
    command: Command, trained: Path, damaged: Path, file: str, text: str | None
) -> None:
    shutil.copytree(trained, damaged.with_name("good"))
    (damaged / file).unlink()
    if text is None:
        (damaged / file).mkdir()
    else:
        (damaged / file).write_text(text)
    done = command("runs", str(damaged.parent))
    assert done.status == 0, done.stderr
    lines = {line.split()[-1]: line.split() for line in done.stdout.splitlines()}
    assert lines[str(damaged.with_name("good"))][0] == "finished"
    assert str(damaged) in lines


def test_text_of_a_run_folder_is_printed_and_not_obeyed(
    command: Command, damaged: Path
) -> None:
    config = damaged / "config.yaml"
    config.write_text(config.read_text() + '"\\e[2J\\u202E": 1\n')
    hostile = Path(damaged.rename(damaged.with_name("\x1b]0;title\x07")))
    done = command("generate", f"run='{hostile}'")
    refused(done, "\\x1b[2J\\u202e is not a key", "\\x1b]0;title\\x07")
    done = command("runs", str(hostile.parent))
    assert "unreadable" in done.stdout
    assert "\\x1b]0;title\\x07" in done.stdout
    assert not {"\x1b", "\x07"} & set(done.stdout + done.stderr)


def test_truncated_weights_are_named(command: Command, damaged: Path) -> None:
    file = damaged / "checkpoints" / "best.weights.h5"
    file.write_bytes(file.read_bytes()[:2000])
    done = command("generate", f"run={damaged}")
    refused(done, str(file), "truncated", "checkpoint=last")


def test_weights_of_another_model_are_named(command: Command, damaged: Path) -> None:
    config = damaged / "config.yaml"
    config.write_text(config.read_text().replace("latent_dim: 3", "latent_dim: 5"))
    refused(command("generate", f"run={damaged}"), "doesn't fit", str(config))


def test_weights_with_too_few_layers_are_named(command: Command, damaged: Path) -> None:
    config = damaged / "config.yaml"
    config.write_text(config.read_text().replace("  - 4\n", "  - 4\n  - 4\n"))
    refused(command("generate", f"run={damaged}"), "doesn't fit", str(config))


@pytest.mark.parametrize("name", ["config.yaml", "data.json"])
def test_missing_file_is_named(command: Command, damaged: Path, name: str) -> None:
    (damaged / name).unlink()
    refused(command("generate", f"run={damaged}"), str(damaged), name)


def test_half_written_data_record_is_named(command: Command, damaged: Path) -> None:
    (damaged / "data.json").write_text('{"spec": {"image_sh')
    refused(command("generate", f"run={damaged}"), "data.json", "resume=")


def test_missing_checkpoint_says_how_to_get_one(
    command: Command, damaged: Path
) -> None:
    (damaged / "checkpoints" / "best.weights.h5").unlink()
    refused(command("generate", f"run={damaged}"), "best.weights.h5", "resume=")


def test_damaged_training_state_is_named(command: Command, damaged: Path) -> None:
    state = damaged / "checkpoints" / "training_state.npz"
    state.write_bytes(state.read_bytes()[:3000])
    done = command("train", f"resume={damaged}", "epochs=9")
    refused(done, str(state))


def test_unwritable_output_is_named(command: Command, trained: Path) -> None:
    output = trained / "figures" / "latent.png" / "grid.png"
    done = command("generate", f"run={trained}", f"output={output}")
    refused(done, "can't be written", "output=<file>")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("mode=manifold", "dims=[0,3]"), "outside the run's 3 latent dimensions"),
        (("mode=manifold", "dims=[1,1]"), "two different dimensions"),
        (("gif=x.gif",), "needs mode=interpolation"),
        (("mode=traversal", "num_images=3"), "needs mode=prior"),
        (("temperature=-1",), "temperature=-1 must be at least 0"),
    ],
)
def test_request_that_does_not_fit_is_refused(
    command: Command, trained: Path, arguments: tuple[str, ...], part: str
) -> None:
    refused(command("generate", f"run={trained}", *arguments), part)


def test_resume_with_other_images_is_refused(command: Command, tmp_path: Path) -> None:
    def write(seed: int) -> None:
        rng = np.random.default_rng(seed)
        images = rng.integers(0, 256, (40, 8, 8), dtype=np.uint8)
        np.savez(tmp_path / "own.npz", x_train=images)

    write(0)
    run = tmp_path / "run"
    done = command(
        "train", "dataset=npz", f"dataset.path={tmp_path / 'own.npz'}", "epochs=1",
        "dataset.validation_size=10", "architecture.filters=[2]", f"run_dir={run}",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    write(1)
    refused(command("train", f"resume={run}", "epochs=2"), "data, which have changed")


def test_bad_pixels_leave_no_folder(command: Command, tmp_path: Path) -> None:
    images = np.full((20, 8, 8), 0.5)
    images[3, 0, 0] = np.nan
    np.savez(tmp_path / "nan.npz", x_train=images)
    run = tmp_path / "run"
    done = command(
        "train", "dataset=npz", f"dataset.path={tmp_path / 'nan.npz'}",
        f"run_dir={run}",
    )  # fmt: skip
    refused(done, "NaN", "1 of 20 images")
    assert not run.exists()


def test_run_folder_that_holds_files_is_not_overwritten(
    command: Command, trained: Path
) -> None:
    before = (trained / "metrics.csv").read_bytes()
    done = command("train", *SMALL, f"run_dir={trained}")
    refused(done, "never share or overwrite", f"resume={trained}")
    assert (trained / "metrics.csv").read_bytes() == before


@pytest.mark.parametrize(
    "name", [".lock", ".reserve", "train.log", "checkpoints/training_state.partial"]
)
def test_links_and_pipes_in_a_run_are_neither_followed_nor_waited_for(
    name: str, command: Command, damaged: Path, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (damaged / name).unlink(missing_ok=True)
    (damaged / name).symlink_to(precious)
    resume = ("train", f"resume={damaged}", "epochs=9")
    refused(command(*resume), f"{damaged / name} is a link")
    (damaged / name).unlink()
    os.mkfifo(damaged / name)
    refused(command(*resume), str(damaged / name))
    assert precious.read_text() == "precious"


def test_figure_takes_the_place_of_a_link_or_a_pipe(
    command: Command, damaged: Path, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    figure = damaged / "samples" / "prior.png"
    figure.parent.mkdir(exist_ok=True)
    for make in (lambda: figure.symlink_to(precious), lambda: os.mkfifo(figure)):
        figure.unlink(missing_ok=True)
        make()
        done = command("generate", f"run={damaged}")
        assert done.status == 0, done.stderr
        with Image.open(figure) as picture:
            assert picture.format == "PNG"
    assert precious.read_text() == "precious"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("variable_0", "text"),
        ("seconds", None),
        ("best_epoch", 7),
        ("epoch", 10**30),
        ("step", -1),
    ],
)
def test_training_state_that_no_run_has_is_refused(
    name: str, value: Any, command: Command, damaged: Path
) -> None:
    file = damaged / "checkpoints" / "training_state.npz"
    with np.load(file) as saved:
        arrays = dict(saved)
    if name == "variable_0":
        arrays[name] = np.full(arrays[name].shape, value)
    else:
        progress = json.loads(str(arrays["progress"]))
        arrays["progress"] = np.array(json.dumps({**progress, name: value}))
    np.savez(file, **arrays)
    done = command("train", f"resume={damaged}", "epochs=9")
    refused(done, str(file))


def test_path_that_can_not_exist_is_not_looked_for(
    command: Command, damaged: Path
) -> None:
    values = yaml.safe_load((damaged / "config.yaml").read_text())
    values["dataset"] = {
        "name": "npz", "path": "/a" * 25_000, "validation_size": 9,
        "binarize": "none", "seed": 0, "classes": None, "memory_mb": 100,
        "channels_first": False,
    }  # fmt: skip
    (damaged / "config.yaml").write_text(yaml.safe_dump(values))
    began = time.monotonic()
    done = command("evaluate", f"run={damaged}")
    assert done.status == 1
    assert "Traceback" not in done.stderr
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("generate", ["mode=manifold", "dims=[0,1]", "columns=1000000"], "columns"),
        ("generate", ["num_images=1" + "0" * 400], "num_images"),
        ("generate", ["num_images=1" + "0" * 5000], "num_images"),
        ("generate", ["temperature=1e300"], "temperature"),
        ("generate", ["rows=300", "columns=300", "output=big.webp"], "WEBP holds"),
        ("reconstruct", ["task=interpolate", "columns=100000000000"], "columns"),
        ("evaluate", ["batch_size=10000000000000000000"], "batch_size"),
        ("plot-latent", ["num_points=1" + "0" * 400], "num_points"),
        ("train", ["beta=1e300"], "beta"),
        ("train", ["optimizer.learning_rate=1e300"], "optimizer.learning_rate"),
        ("train", ["kl_annealing=linear", "kl_annealing.duration=1e-300"], "duration"),
        ("train", ["name='a\nb'"], "name="),
        ("train", ["run_dir=bad\udcff"], "UTF-8"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_value_beyond_all_use_is_refused_by_its_key(
    name: str, words: list[str], message: str, command: Command, trained: Path
) -> None:
    start = [*SMALL] if name == "train" else [f"run={trained}"]
    done = command(name, *start, *words)
    assert done.status == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert message in done.stderr
    assert len(done.stderr) < 2000


def test_huge_figure_widens_no_other_line_of_the_table(
    command: Command, damaged: Path
) -> None:
    change(damaged / "metrics.json", "test", "neg_elbo", value=1e308)
    done = command("runs", str(damaged.parent))
    assert max(map(len, done.stdout.splitlines())) < 250
