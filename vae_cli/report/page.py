"""The report page: key numbers with their protocol, figures, config, references.

Everything comes from the run folder. The page needs no other file, no script and no
network: pictures are data URIs, and its content security policy allows nothing else.
"""

from collections.abc import Sequence
from pathlib import Path

from vae_cli import __version__
from vae_cli.report import details
from vae_cli.report.contents import RunContents
from vae_cli.report.html import Html, breakable, code, element, folded, joined, table
from vae_cli.report.pictures import Pictures, figure
from vae_cli.report.results import (
    anomalies,
    evaluation_tables,
    headlines,
    restorations,
)
from vae_cli.runs.folder import RunFolder

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
FOLDERS = (
    "figures", "evaluation", "samples", "reconstructions", "anomaly", "inspection",
)  # fmt: skip
"""Folders whose pictures are shown."""


def report_page(run: RunFolder) -> str:
    """Return the report of a run as HTML.

    Args:
        run: the run folder; all files except `config.yaml` may be missing.

    Raises:
        RunError: it is not a run folder, or its config can't be read.
    """
    contents = RunContents(run)
    pictures = Pictures(run, FOLDERS)
    sections = [
        (title, content) for title, content in _sections(contents, pictures) if content
    ]
    links = (
        element("li", element("a", title, href=f"#{_anchor(title)}"))
        for title, _ in sections
    )
    body = joined(
        element(
            "header",
            element("h1", breakable(contents.name)),
            element("p", contents.sentence, class_="lead"),
            element("p", contents.when),
        ),
        element("nav", element("ul", *links), aria_label="Contents"),
        element(
            "main",
            *(
                element("section", element("h2", title), content, id=_anchor(title))
                for title, content in sections
            ),
        ),
        element("footer", element("p", f"Written by vae-cli {__version__}.")),
    )
    style = (Path(__file__).with_name("style.css")).read_text(encoding="utf-8")
    head = joined(
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{contents.name}: report"),
        element("style", Html(style)),
    )
    page = element("html", element("head", head), element("body", body), lang="en")
    return f"<!DOCTYPE html>\n{page}"


def _sections(contents: RunContents, pictures: Pictures) -> Sequence[tuple[str, Html]]:
    """Return titles and contents in order; a content may be empty."""
    run, reports = contents.run, contents.reports
    curves = contents.curves()
    if curves is not None:  # the SVG replaces the file
        shown = pictures.found["figures"]
        shown[:] = [p for p in shown if Path(p.name).stem != "curves"]
    return (
        ("Key numbers", _tiles(headlines(reports, contents.metrics))),
        (
            "Training",
            joined(figure(curves) if curves else "", details.training(contents)),
        ),
        ("Figures", pictures.html("figures")),
        (
            "Evaluation",
            joined(evaluation_tables(reports), pictures.html("evaluation")),
        ),
        ("Generated images", pictures.html("samples")),
        (
            "Reconstructions",
            joined(restorations(run), pictures.html("reconstructions")),
        ),
        ("Anomaly scores", joined(anomalies(run), pictures.html("anomaly"))),
        ("Data", joined(details.data(contents), pictures.html("inspection"))),
        ("Configuration", details.configuration(contents)),
        ("Environment", details.environment(contents)),
        ("How to reproduce it", details.reproduction(contents)),
        ("How to cite", _citations(contents)),
        ("Files not shown", _left_out(pictures)),
    )


def _tiles(numbers: Sequence[tuple[str, str, str]]) -> Html:
    if not numbers:
        return element(
            "p", "This run has no test bound yet: it hasn't finished, or has no test "
            "images. vae-evaluate measures it."
        )  # fmt: skip
    tiles = (
        element(
            "div",
            element("dt", name),
            element("dd", value, class_="value"),
            element("dd", how, class_="how"),
        )
        for name, value, how in numbers
    )
    return element("dl", *tiles, class_="tiles")


def _citations(contents: RunContents) -> Html:
    entries = contents.citations()
    uses = "; ".join(why for why, _ in entries[1:])
    return joined(
        element("p", f"The software, and the sources of the methods and data: {uses}."),
        code("\n\n".join(entry for _, entry in entries)),
    )


def _left_out(pictures: Pictures) -> Html:
    if not pictures.left_out:
        return Html()
    return folded(
        f"{len(pictures.left_out)} files",
        table(("file", "why"), pictures.left_out),
    )


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")
