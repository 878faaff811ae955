"""A notebook's worth of Python in a process of its own, beside what commands write."""

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import vae_cli
from tests.conftest import SMALL, Finished
from vae_cli.errors import VaeCliError
from vae_cli.run import Run

NOTEBOOK = """
import logging, random, signal, sys

import numpy as np

import vae_cli as vae

assert "tensorflow" not in sys.modules

def settings():
    root, ours = logging.getLogger(), logging.getLogger("vae_cli")
    signals = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    generators = hash((random.getstate(), str(np.random.get_state())))
    loggers = (root, ours, logging.getLogger("tensorflow"))
    handlers = [
        [[h for h in x.handlers if type(h) is not logging.NullHandler], x.level]
        for x in loggers[:2]
    ]
    return handlers, loggers[2].level, signals, generators

before = settings()
run = vae.train(*sys.argv[1:], latent_dim=3, epochs=2, run_dir="run")
assert vae.load("run").config == run.config
test = run.split("test")
images = test.images[:]
posterior = run.encode(images)
assert posterior.mean.shape == posterior.log_var.shape == (len(images), 3)
one = run.encode(images[0])
np.testing.assert_allclose(one.mean, posterior.mean[:1], atol=1e-5)
floats = run.encode(images.astype(np.float32) / 255)
np.testing.assert_array_equal(floats.mean, posterior.mean)
report = run.evaluate("test", importance_samples=20)
scores = run.anomaly_scores(split="test", posterior_samples=5)
half = vae.compose("corruption=half").corruption
restored = run.restore(run.corrupt(corruption=half))
own = run.restore(images[:4], corruption="half", posterior_samples=5)
assert own.images == "array" and own.num_images == 4
assert run.anomaly_scores(images[:4]).num_images == 4
for figure in (
    run.plot_evaluation(report),
    run.plot_restoration(restored),
    *run.plot_anomalies(scores),
):
    assert type(figure).__name__ == "Figure"
plot = run.plot_latent("test", num_points=30)
assert type(plot.figure).__name__ == "Figure"
np.savez(
    "found.npz",
    mean=posterior.mean,
    samples=run.sample(7, seed=3),
    decoded=run.decode(posterior.mean[:4]),
    reconstructed=run.reconstruct(images[:4]),
    neg_elbo=report.neg_elbo,
    nll=report.nll if report.nll is not None else report.cross_entropy_bound,
    anomaly=scores.scored_images.scores["neg_elbo"],
    threshold=scores.scores["neg_elbo"]["threshold"],
    plane=run.generate("manifold", dims=[0, 1], rows=3, columns=3).images,
    **{f"half_{name}": x for name, x in restored.arrays().items()},
)
assert settings() == before
"""


def test_python_finds_what_the_commands_write_and_prints_nothing(
    command: Callable[..., Finished], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK, *SMALL],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", "")
    found = np.load(tmp_path / "found.npz")
    monkeypatch.chdir(tmp_path)

    def written(*words: str) -> dict[str, np.ndarray]:
        finished = command(*words, "run=run")
        assert finished.status == 0, finished.stderr
        file = tmp_path / "written.npz"
        return dict(np.load(file)) if file.exists() else {}

    codes = written("plot-latent", "num_points=null", "save_npz=written.npz")
    np.testing.assert_array_equal(codes["mean"], found["mean"])
    drawn = written("generate", "num_images=7", "seed=3", "save_npz=written.npz")
    np.testing.assert_array_equal(drawn["images"], found["samples"])
    plane = ("mode=manifold", "dims=[0,1]", "rows=3", "columns=3")
    drawn = written("generate", *plane, "save_npz=written.npz")
    np.testing.assert_array_equal(drawn["images"], found["plane"])
    half = written("reconstruct", "corruption=half", "save_npz=written.npz")
    for name, array in half.items():
        np.testing.assert_array_equal(array, found[f"half_{name}"])
    written("evaluate", "importance_samples=20")
    report = json.loads((tmp_path / "run/evaluation/test.json").read_text())
    assert report["neg_elbo"] == found["neg_elbo"]
    assert found["nll"] in (report["nll"], report["cross_entropy_bound"])
    written("anomaly", "posterior_samples=5")
    (file,) = (tmp_path / "run" / "anomaly").glob("*.json")
    threshold = json.loads(file.read_text())["scores"]["neg_elbo"]["threshold"]
    assert threshold == found["threshold"]


@pytest.fixture(scope="module")
def run(trained: Path) -> Run:
    return vae_cli.load(trained)


IMAGE = np.zeros((12, 12, 1), np.uint8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda run: run.sample(0), "num_images=0 must be at least 1"),
        (lambda run: run.sample(2.5), "must be an integer"),
        (lambda run: run.sample(2, temperature=-1), "temperature=-1 must be at least"),
        (lambda run: run.generate("photo"), "mode=photo is not available"),
        (lambda run: run.generate("manifold", dims=[0, 0]), "two different"),
        (lambda run: run.generate(colour=1), "colour is not a key"),
        (lambda run: run.evaluate("tset"), "split=tset is not available"),
        (lambda run: run.evaluate(num_images=-1), "num_images=-1 must be at least 1"),
        (lambda run: run.split("tset"), "split=tset is not available"),
        (lambda run: run.split(num_images=-1), "num_images=-1 must be at least 1"),
        (lambda run: run.plot_latent(method="umap"), "method=umap is not available"),
        (lambda run: run.anomaly_scores(quantile=2), "quantile=2 must be below 1"),
        (lambda run: run.restore(posterior_samples=0), "posterior_samples=0 must be"),
        (lambda run: run.corrupt(corruption="mist"), "corruption=mist"),
        (lambda run: run.restore(columns=3), "columns is no argument here"),
        (lambda run: run.restore(run.corrupt(), num_images=3), "num_images is no"),
        (lambda run: run.anomaly_scores(scor="kl"), "did you mean score?"),
        (lambda run: vae_cli.train("beta=1 epochs=2"), "holds several overrides"),
        (lambda run: run.encode([[1], [1, 2]]), "no array"),
        (lambda run: run.encode("x" * 5000), "does not exist"),
        (lambda run: run.encode(IMAGE, label=1), "needs a model with"),
        (lambda run: run.decode(np.zeros((2, 9))), "z has the shape [2, 9]"),
        (lambda run: run.decode(np.full((1, 3), np.nan)), "NaN or infinite"),
        (lambda run: run.decode(np.zeros((2, 3)), label=[1.5, 2]), "one class number"),
        (lambda run: vae_cli.load("x" * 5000), "does not exist"),
        (lambda run: vae_cli.train(3), "3 is not an override"),
    ],
)
def test_arguments_are_refused_as_on_the_command_line(run: Run, call, message) -> None:
    with pytest.raises(VaeCliError) as refused:
        call(run)
    assert message in str(refused.value)


def test_models_built_in_several_threads_have_the_weights_of_one(run: Run) -> None:
    other = vae_cli.compose("architecture=dense", seed=9, latent_dim=2)

    def build(config):
        from vae_cli.models.factory import build_model

        return [np.asarray(v) for v in build_model(config, run.spec).variables]

    expected = build(run.config)
    with ThreadPoolExecutor(4) as pool:
        configs = [run.config, other] * 2
        found = list(pool.map(build, configs))
    for weights in found[::2]:
        for a, b in zip(weights, expected, strict=True):
            np.testing.assert_array_equal(a, b)
