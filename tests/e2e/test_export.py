"""`vae-export`: files in their own runtimes, beside what the run itself gives."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import SMALL, Finished, refused, train_here
from vae_cli import load
from vae_cli.data.images import to_float
from vae_cli.export import compare, formats
from vae_cli.randomness import Stream, generator
from vae_cli.run import Run

Command = Callable[..., Finished]
CLOSE = {"rtol": 1e-4, "atol": 1e-5}
FORMATS = ("saved_model", "onnx", "litert", "keras")
OPEN = """
import sys
import numpy as np
inputs = dict(np.load("inputs.npz"))
given = {"encoder": ["image"], "decoder": ["z"], "sampler": ["noise"]}
given = {n: {k: inputs[k] for k in names} for n, names in given.items()}
def saved_model(network):
    import tensorflow as tf
    loaded = tf.saved_model.load(network + ".saved_model")
    tensors = {k: tf.constant(v) for k, v in given[network].items()}
    return loaded.signatures["serving_default"](**tensors)
def onnx(network):
    import onnxruntime
    session = onnxruntime.InferenceSession(network + ".onnx")
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, given[network])))
def litert(network):
    from ai_edge_litert.interpreter import Interpreter
    interpreter = Interpreter(model_path=network + ".tflite")
    return interpreter.get_signature_runner()(**given[network])
def keras(network):
    import keras
    return keras.saving.load_model(network + ".keras")(given[network])
found = {}
for format in (saved_model, onnx, litert, keras):
    for network in given:
        for name, array in format(network).items():
            found[f"{format.__name__}.{network}.{name}"] = np.asarray(array)
assert "vae_cli" not in sys.modules
np.savez("outputs.npz", **found)
"""
"""Opens every file as a program without this package does."""


@pytest.fixture(autouse=True)
def short_timing() -> Iterator[None]:
    """Time as few calls as there can be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compare, "MAX_CALLS", 1)
        yield


@pytest.fixture(scope="module")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of a run in every format; look, don't change."""
    folder = tmp_path_factory.mktemp("exported") / "export"
    load(trained).export(folder)
    return folder


def own_process(code: str, cwd: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def noise_of(run: Run, count: int, seed: int) -> np.ndarray:
    """Return the noise that `run.sample` draws."""
    draws = generator(seed, Stream.PRIOR)
    return draws.standard_normal((count, run.vae.latent_dim)).astype(np.float32)


def session(file: Path) -> Callable[..., dict[str, np.ndarray]]:
    """Return an ONNX file as a function."""
    import onnxruntime

    opened = onnxruntime.InferenceSession(file)
    names = [output.name for output in opened.get_outputs()]
    return lambda **inputs: dict(zip(names, opened.run(names, inputs), strict=True))


def test_files_give_what_the_run_gives_in_processes_without_this_package(
    trained: Path, exported: Path
) -> None:
    run = load(trained)
    test = run.split("test")
    posterior = run.encode(test)
    inputs = {
        "image": to_float(test.images[:]),
        "z": posterior.mean,
        "noise": noise_of(run, 9, 3),
    }
    np.savez(exported / "inputs.npz", **inputs)
    own_process(OPEN, exported)
    wanted = {
        "encoder.mean": posterior.mean,
        "encoder.log_var": posterior.log_var,
        "decoder.image": run.decode(posterior.mean),
        "sampler.image": run.sample(9, seed=3),
    }
    with np.load(exported / "outputs.npz") as outputs:
        assert len(outputs.files) == len(FORMATS) * len(wanted)
        for name in outputs.files:
            expected = wanted[name.partition(".")[2]]
            np.testing.assert_allclose(outputs[name], expected, **CLOSE, err_msg=name)


def test_lines_of_the_page_run_as_they_stand(exported: Path) -> None:
    text = (exported / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == len(FORMATS)
    checks = "\nassert samples.shape == decoded.shape == image.shape, samples.shape"
    runs = "\n".join(f"exec({block + checks!r}, {{}})" for block in blocks)
    own_process(runs + "\nimport sys; assert 'vae_cli' not in sys.modules", exported)


def test_report_holds_difference_size_time_and_runtime_of_each_file(
    exported: Path,
) -> None:
    report = json.loads((exported / "report.json").read_text())
    assert len(report["files"]) == 12
    for row in report["files"]:
        file = exported / row["file"]
        parts = [p for p in [file, *file.rglob("*")] if p.is_file()]
        assert row["bytes"] == sum(part.stat().st_size for part in parts)
        assert 0 <= row["difference"] <= row["tolerance"] == 1e-4
        assert row["difference"] == max(row["differences"].values())
        assert set(row["milliseconds_an_image"]) == {"1", "64"}
        assert min(row["milliseconds_an_image"].values()) > 0
    runtimes = {row["format"]: row["runtime"] for row in report["files"]}
    assert set(runtimes) == set(FORMATS)
    assert re.fullmatch(r"onnxruntime \d+\.\d+\.\d+", runtimes["onnx"])
    page = (exported / "README.md").read_text()
    assert all(f"| {row['file']} |" in page for row in report["files"])


def test_data_range_takes_and_gives_the_values_of_the_files(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    done = command(
        "export", f"run={trained}", f"output={tmp_path}", "format=[onnx]",
        "pixels=data",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    files = [tmp_path / f"{n}-data.onnx" for n in ("decoder", "encoder", "sampler")]
    names = [*files, tmp_path / "report.json", tmp_path / "README.md"]
    assert done.stdout.splitlines() == list(map(str, names))
    run = load(trained)
    image = run.split("test").images[:]
    assert image.dtype == np.uint8
    encoded = session(files[1])(image=image)
    np.testing.assert_allclose(encoded["mean"], run.encode(image).mean, **CLOSE)
    generated = run.generate(num_images=6, seed=2)
    drawn = session(files[2])(noise=noise_of(run, 6, 2))["image"]
    assert drawn.dtype == np.uint8
    assert np.abs(drawn.astype(int) - generated.stored()).max() <= 1
    decoded = session(files[0])(z=generated.z)["image"]
    np.testing.assert_array_equal(decoded, drawn)


def test_number_of_images_a_call_is_fixed_where_asked(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    import onnxruntime

    done = command(
        "export", f"run={trained}", f"output={tmp_path}", "format=[onnx]",
        "networks=[decoder]", "batch_size=3",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    file = tmp_path / "decoder-batch3.onnx"
    opened = onnxruntime.InferenceSession(file)
    assert opened.get_inputs()[0].shape == [3, 3]
    assert opened.get_outputs()[0].shape == [3, 12, 12, 1]
    (row,) = json.loads((tmp_path / "report.json").read_text())["files"]
    assert list(row["milliseconds_an_image"]) == ["3"]


def test_file_that_differs_is_an_error_and_leaves_nothing(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    output = tmp_path / "new" / "export"
    done = command(
        "export", f"run={trained}", f"output={output}", "format=[keras,onnx]",
        "networks=[decoder]", "tolerance=1e-12",
    )  # fmt: skip
    refused(done, "of the decoder differs", "tolerance=1e-12", "no file is kept")
    assert not output.exists()


def test_failed_export_leaves_the_earlier_one_as_it_was(
    command: Command, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("export", f"run={trained}", f"output={tmp_path}", "networks=[encoder]")
    assert command(*words, "format=[keras]").status == 0
    before = {f.name: f.read_bytes() for f in tmp_path.iterdir()}
    done = command(*words, "format=[keras,onnx]", "tolerance=1e-13")
    refused(done, "more than tolerance")
    assert {f.name: f.read_bytes() for f in tmp_path.iterdir()} == before
    # another format beside it: both are in the report
    done = command(*words, "format=[onnx]")
    assert done.status == 0, done.stderr
    assert "is replaced" not in done.stderr
    done = command(*words, "format=[onnx]", "checkpoint=last")
    report = json.loads((tmp_path / "report.json").read_text())
    names = ["encoder-last.onnx", "encoder.keras", "encoder.onnx"]
    assert [row["file"] for row in report["files"]] == names
    done = command(*words, "format=[keras]")
    assert f"{tmp_path / 'encoder.keras'} exists and is replaced" in done.stderr
    assert not list(tmp_path.glob(".*"))
    (tmp_path / "report.json").write_text('{"files": [{"file": "../x"}]}')
    refused(command(*words, "format=[keras]"), "is not a report of vae-export")


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("format=[tflite]",), ("format=tflite", "litert")),
        (("format=[]",), ("must name at least one of saved_model",)),
        (("format=[onnx]", "quantize=int8"), ("quantize=int8 needs format=litert",)),
        (("networks=[prior]",), ("encoder, decoder, sampler",)),
        (("tolerance=0",), ("tolerance",)),
        (("batch_size=0",), ("batch_size",)),
    ],
)
def test_what_makes_no_sense_is_refused(
    command: Command, trained: Path, options: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    refused(command("export", f"run={trained}", *options), *parts)
    assert not (trained / "export").exists()


def test_runs_own_files_are_not_replaced(command: Command, trained: Path) -> None:
    done = command("export", f"run={trained}", f"output={trained / 'model'}")
    refused(done, "lies among the run's own files")


def test_format_without_its_package_is_refused_at_once(
    command: Command, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    done = command("export", f"run={trained}", f"output={tmp_path / 'e'}")
    refused(done, "onnx", "pip install 'vae-cli[export]'", "format=[saved_model,keras]")
    assert not (tmp_path / "e").exists()


VARIANTS = {
    "mixture, two levels, label": (
        "prior=mog", "prior.components=3", "hierarchy=two_level", "latent_dim=4",
        "hierarchy.hidden_units=[8]", "conditioning=label",
    ),
    "pseudo-inputs, noise": (
        "prior=vamp", "prior.components=5", "corruption=gaussian_noise",
        "likelihood=gaussian", "dataset.dequantize=uniform",
    ),
    "inpainting": (
        "conditioning=observed", "conditioning.hidden_units=[8]", "corruption=half",
        "corruption.loss_on=missing",
    ),
    "prior by label, mixture of logistics": (
        "conditioning=label", "conditioning.learned_prior=true",
        "likelihood=discretized_logistic", "likelihood.mixture=3",
    ),
    "residual": (
        "architecture=residual_conv", "architecture.filters=[4,6]",
        "architecture.blocks=1", "architecture.dense_units=8",
        "architecture.normalization=batch", "likelihood=continuous_bernoulli",
    ),
}  # fmt: skip
"""Models that each have what the others lack."""


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_every_kind_of_model_goes_into_every_format(name: str, tmp_path: Path) -> None:
    base = [o for o in SMALL if not (name == "residual" and "architecture" in o)]
    folder = train_here(tmp_path / "run", *base, "epochs=1", *VARIANTS[name])
    run = load(folder)
    report = run.export()
    assert len(report.files) == 12
    assert report.folder == folder / "export"
    run.export(pixels="data", format=["onnx"])
    if run.vae.observed_network:
        _check_inpainting(run)
        return
    noise, given = noise_of(run, 8, 1), {}
    options = {}
    if run.vae.num_labels:
        options["label"] = int(run.vae.labels[1])
        given["label"] = np.full(8, options["label"], np.int32)
    if run.config.prior.name != "standard":
        choice = generator(1, Stream.PRIOR, 1).random(8)
        given["choice"] = (choice * 2**24).astype(np.int32)
    # other numbers are those of the files' own range
    drawn = session(folder / "export" / "sampler-data.onnx")(noise=noise, **given)
    wanted = run.generate(num_images=8, seed=1, **options).stored()
    assert np.abs(drawn["image"].astype(int) - wanted).max() <= 1


def _check_inpainting(run: Run) -> None:
    """The sampler takes pixels and mask; hidden pixels have no effect."""
    sampler = session(run.folder.path / "export" / "sampler.onnx")
    split = run.split("test")
    observed = to_float(split.images[:])
    mask = np.ones((*observed.shape[:3], 1), np.float32)
    mask[:, 6:] = 0  # the lower half is missing
    noise = np.zeros((len(observed), run.vae.latent_dim), np.float32)
    image = sampler(observed=observed, mask=mask, noise=noise)["image"]
    # without noise it is the reconstruction, with observed pixels as they came
    np.testing.assert_allclose(image, run.reconstruct(split), **CLOSE)
    other = sampler(observed=observed * mask, mask=mask, noise=noise)["image"]
    np.testing.assert_array_equal(other, image)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A conditional run with a mixture prior, whose weights outweigh all else."""
    folder = tmp_path_factory.mktemp("wide") / "run"
    options = (
        "architecture.hidden_units=[300]", "latent_dim=8", "conditioning=label",
        "prior=mog", "prior.components=4", "epochs=3",
    )  # fmt: skip
    return train_here(folder, *SMALL, *options)


@pytest.mark.slow
@pytest.mark.parametrize(("quantize", "fraction"), [("float16", 0.6), ("int8", 0.4)])
def test_rounded_weights_make_smaller_files_that_are_close(
    wide: Path, tmp_path: Path, quantize: str, fraction: float
) -> None:
    run = load(wide)
    files = {}
    for kind in ("none", quantize):
        report = run.export(tmp_path, format=["litert"], quantize=kind)
        files |= {(f.network, f.quantize): f for f in report.files}
    assert len(files) == 6
    for network in ("encoder", "decoder", "sampler"):
        rounded, exact = files[network, quantize], files[network, "none"]
        assert rounded.bytes < fraction * exact.bytes
        assert rounded.file == f"{network}-{quantize}.tflite"
        assert max(rounded.root_mean_squares.values()) <= rounded.tolerance
        assert rounded.difference > 3 * exact.difference  # it is rounded
