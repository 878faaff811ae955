"""A notebook's worth of Python in a process of its own, beside what commands write."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.conftest import SMALL, vae

NOTEBOOK = """
import logging, signal, sys

import numpy as np

import vae_cli as vae

assert "tensorflow" not in sys.modules

def settings():
    root, ours = logging.getLogger(), logging.getLogger("vae_cli")
    signals = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    return [[list(x.handlers), x.level, x.propagate] for x in (root, ours)], signals

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
    tmp_path: Path,
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

    def written(*words: str) -> dict[str, np.ndarray]:
        finished = vae(*words, "run=run", cwd=tmp_path)
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
