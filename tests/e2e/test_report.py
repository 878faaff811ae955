"""`vae-report`: one page that holds everything and loads nothing."""

import base64
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vae_cli
from tests.conftest import Finished, refused
from vae_cli.report import pictures

Command = Callable[..., Finished]
VOID = {"img", "meta"}


class Page(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.source = file.read_text(encoding="utf-8")
        self.feed(self.source)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open += [] if tag in VOID else [tag]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data

    def all(self, name: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    others = shutil.ignore_patterns(
        "evaluation", "anomaly", "reconstructions", "samples"
    )
    return Path(shutil.copytree(trained, tmp_path / "run", ignore=others))


def page_of(command: Command, run: Path) -> Page:
    done = command("report", f"run='{run}'")
    assert done.status == 0, done.stderr
    assert done.stdout == f"{run}/report.html\n"
    return Page(run / "report.html")


def test_page_shows_figures_numbers_config_and_sources(
    command: Command, run: Path
) -> None:
    done = command("evaluate", f"run={run}", "importance_samples=3", "num_images=20")
    assert done.status == 0, done.stderr
    report = json.loads((run / "evaluation" / "test.json").read_text())
    page = page_of(command, run)
    assert f"{report['neg_elbo']:.2f} (s.e. {report['neg_elbo_se']:.2f})" in page.text
    assert ", 3 samples; 20 test images" in page.text
    shown = " ".join(image["alt"] for image in page.all("img"))
    for part in ("Terms of the loss", "reconstructions", "Posterior means", "Scores"):
        assert part in shown
    assert "dataset=synthetic" in page.text  # what trains it again
    version, text = vae_cli.__version__, " ".join(page.text.split())
    assert f"With vae-cli {version} installed, the same run" in text
    assert "pip install" not in text
    assert "kingma2014auto" in page.text and "burda2016importance" in page.text
    assert json.loads((run / "environment.json").read_text())["platform"] in page.text


def test_page_loads_nothing_and_runs_nothing(command: Command, run: Path) -> None:
    page = page_of(command, run)
    for _, attributes in page.tags:
        for name in ("src", "href"):
            if name in attributes:
                assert attributes[name].startswith(("data:image/", "#"))
        assert not any(name.startswith("on") for name in attributes)
    assert not page.all("script") and not page.all("link") and not page.all("iframe")
    assert "url(" not in page.source and "@import" not in page.source
    (policy,) = (m for m in page.all("meta") if "http-equiv" in m)
    assert policy["content"].startswith("default-src 'none'")


def test_page_can_be_read_by_everyone(command: Command, run: Path) -> None:
    page = page_of(command, run)
    assert page.all("html") == [{"lang": "en"}]
    assert all(image["alt"] for image in page.all("img"))
    levels = [int(t[1]) for t, _ in page.tags if t in ("h1", "h2", "h3", "h4")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    anchors = {s["id"] for s in page.all("section")}
    assert {a["href"][1:] for a in page.all("a")} == anchors


def test_pictures_are_those_of_the_folder(command: Command, run: Path) -> None:
    page = page_of(command, run)
    contents = {
        base64.b64decode(image["src"].partition(",")[2]) for image in page.all("img")
    }
    for name in ("samples", "reconstructions", "latent"):
        assert (run / "figures" / f"{name}.png").read_bytes() in contents


def test_what_strangers_named_is_text(
    command: Command, run: Path, tmp_path: Path
) -> None:
    name = "<img src=x onerror=alert(1)>"
    run = run.rename(tmp_path / "<b>&run")
    data = json.loads((run / "data.json").read_text())
    data["spec"]["class_names"] = [name] * data["spec"]["num_classes"]
    data["fingerprint"][name + "sha256"] = name
    (run / "data.json").write_text(json.dumps(data))
    shutil.copy(run / "figures" / "latent.png", run / "figures" / f"{name}.png")
    (run / "figures" / "evil.svg").write_text("<svg><script>alert(1)</script></svg>")
    page = page_of(command, run)
    assert name in page.text and "<b>&run" in page.text
    assert not page.all("script") and not page.all("b")
    assert all(image["src"].startswith("data:") for image in page.all("img"))


def test_run_that_was_cut_short_has_a_page(command: Command, run: Path) -> None:
    for name in ("metrics.json", "environment.json", "data.json"):
        (run / name).unlink()
    shutil.rmtree(run / "figures")
    shutil.rmtree(run / "checkpoints")
    page = page_of(command, run)
    assert "no test bound yet" in page.text
    assert "Terms of the loss" in page.all("img")[0]["alt"]


@pytest.mark.parametrize("content", ["{", "[]", '{"split": 3}', '{"protocol": {}}'])
def test_damaged_results_are_left_out(
    command: Command, run: Path, content: str
) -> None:
    for folder in ("evaluation", "anomaly", "reconstructions"):
        (run / folder).mkdir()
        (run / folder / "test.json").write_text(content)
    (run / "figures" / "broken.png").write_bytes(b"PNG")
    (run / "figures" / "curves.pdf").write_bytes(b"%PDF")
    (run / "metrics.json").write_text('{"test": {"neg_elbo": "x"}}')
    page = page_of(command, run)
    assert "test.json can't be shown" in page.text
    assert "figures/broken.png" in page.text and "figures/curves.pdf" in page.text


def test_large_pictures_are_made_smaller(
    command: Command, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2000, 1700, 3), np.uint8)
    Image.fromarray(noise).save(run / "figures" / "large.png")
    monkeypatch.setattr(pictures, "LARGE", 10**6)
    page = page_of(command, run)
    sizes = [
        Image.open(io.BytesIO(base64.b64decode(image["src"].partition(",")[2]))).size
        for image in page.all("img")
        if "svg" not in image["src"][:20]
    ]
    assert max(map(max, sizes)) == pictures.MAX_SIDE


def test_sweep_is_refused_and_its_runs_are_named(command: Command, run: Path) -> None:
    refused(command("report", f"run={run.parent}"), "this takes one", f"run={run}")


@pytest.mark.parametrize(
    ("output", "message"),
    [("a.pdf", "must end in .html"), ("{run}/model/a.html", "the run's own files")],
)
def test_other_outputs_are_refused(
    command: Command, run: Path, output: str, message: str
) -> None:
    place = output.format(run=run)
    refused(command("report", f"run={run}", f"output={place}"), message)


def test_report_starts_no_tensorflow(run: Path) -> None:
    program = (
        "import sys, vae_cli; from vae_cli.report.page import report_page;"
        "from vae_cli.runs.folder import RunFolder; from pathlib import Path;"
        "report_page(RunFolder(Path(sys.argv[1])));"
        "assert not {'tensorflow', 'keras'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program, str(run)], check=True)
