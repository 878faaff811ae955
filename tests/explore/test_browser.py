"""The page in a real browser: what a user does, and what is seen then."""

import base64
import io
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import SMALL, train_here
from tests.explore.browser import (
    Watched,
    chromium,
    click_points,
    drag_slider,
    needs_chromium,
    served,
)
from vae_cli import load
from vae_cli.explore.pictures import png

pytestmark = [pytest.mark.slow, needs_chromium]

VIEW = {"width": 1280, "height": 800}
MEDIAN = 50
"""Milliseconds from a slider's move to its picture, of a small model."""

DROP = """files => {
  const data = new DataTransfer();
  for (const [name, content] of Object.entries(files)) {
    const bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0));
    data.items.add(new File([bytes], name, { type: "image/png" }));
  }
  const how = { dataTransfer: data, bubbles: true, cancelable: true };
  for (const type of ["dragenter", "dragover", "drop"]) {
    document.querySelector(".ve-drop").dispatchEvent(new DragEvent(type, how));
  }
}"""
"""Drops files, name -> Base64, as a file manager would."""
FOCUSED = """() => {
  const e = document.activeElement;
  const label = e.id && document.querySelector(`label[for="${e.id}"]`);
  return e.getAttribute("aria-label") || (label && label.textContent) || e.textContent;
}"""
"""The name of what has the focus."""

LONG_LEGENDS = """() => {
  for (const legend of document.querySelectorAll(".ve-legend")) {
    const button = legend.querySelector("button");
    legend.replaceChildren(...Array.from({ length: 9 }, (_, i) => {
      const copy = button.cloneNode(true);
      copy.append(` Smileys and Emotion ${i}`);
      return copy;
    }));
  }
}"""
"""Gives every legend nine classes with long names."""
CUT = """() => [...document.querySelectorAll(".ve-card, .ve-card *")].filter(e => {
  const style = getComputedStyle(e);
  const clips = style.display !== "inline" && style.overflow !== "visible";
  const apart = "canvas, img, input, .ve-plot, .ve-hidden, .q-btn *, .q-field *";
  return !e.matches(apart) && e.checkVisibility() && (
    e.getBoundingClientRect().right > innerWidth ||
    clips && e.scrollHeight > e.clientHeight + 1
  );
}).map(e => e.outerHTML.slice(0, 90))"""
"""What doesn't fit the width of the page, or is clipped by its card."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(trained: Path) -> Iterator[str]:
    with served(trained) as address:
        yield address


@pytest.fixture
def watched(browser: Any, address: str) -> Iterator[Watched]:
    page = browser.new_page(viewport=VIEW)
    watched = Watched(page, address)
    yield watched
    page.close()
    assert not watched.complaints


def pixels(source: str) -> np.ndarray:
    content = base64.b64decode(source.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content)), int)


def code(watched: Watched) -> np.ndarray:
    """Return the code that the sliders stand for."""
    inputs = watched.page.locator(".ve-slider input")
    values = {
        int(one.get_attribute("id").rpartition("-")[2]): float(one.input_value())
        for one in inputs.all()
    }
    return np.array([values[dim] for dim in sorted(values)], np.float32)


def shows(watched: Watched, run: Path) -> None:
    """Check that the picture is what the run decodes of the sliders' code."""
    own = np.asarray(Image.open(io.BytesIO(png(load(run).decode(code(watched))[0]))))
    # sliders have four decimals
    assert np.abs(pixels(watched.source()) - own).max() <= 2


def plot(watched: Watched) -> dict[str, float]:
    return watched.page.locator(".ve-plot canvas").last.bounding_box()


def test_click_anywhere_decodes_that_point(watched: Watched, trained: Path) -> None:
    shows(watched, trained)  # at zero
    for across, down in ((0.2, 0.3), (0.9, 0.8)):
        before, box = watched.source(), plot(watched)
        left, top = box["x"] + across * box["width"], box["y"] + down * box["height"]
        watched.page.mouse.click(left, top)
        watched.changed(before)
        watched.settle()
        shows(watched, trained)


def test_slider_changes_the_picture_by_mouse_and_by_keyboard(
    watched: Watched, trained: Path
) -> None:
    before = watched.source()
    box = watched.page.locator(".ve-slider input").first.bounding_box()
    watched.page.mouse.click(box["x"] + 5, box["y"] + box["height"] / 2)
    watched.changed(before)
    first = watched.page.locator(".ve-slider input").first
    for key in ("ArrowRight", "PageUp", "End"):
        before, value = watched.source(), float(first.input_value())
        first.press(key)
        watched.changed(before)
        assert float(first.input_value()) > value
    watched.settle()
    shows(watched, trained)


def test_strip_of_a_dimension_follows_the_others(watched: Watched) -> None:
    strips = watched.page.locator(".ve-ends img")
    assert strips.count() == 3
    before = [strip.get_attribute("src") for strip in strips.all()]
    watched.page.locator(".ve-slider input").first.press("End")
    watched.settle()
    after = [strip.get_attribute("src") for strip in strips.all()]
    assert after[0] == before[0]
    assert after[1] != before[1] and after[2] != before[2]


def test_drag_from_one_image_to_another_interpolates_and_saves_a_gif(
    watched: Watched,
) -> None:
    page, box = watched.page, plot(watched)
    before = watched.source("img[alt^='Path']")
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.4)
    page.mouse.down()
    for step in range(1, 6):
        page.mouse.move(
            box["x"] + box["width"] * (0.2 + 0.1 * step), box["y"] + box["height"] / 2
        )
    page.mouse.up()
    watched.changed(before, "img[alt^='Path']")
    ends = [
        int(page.get_by_label(name).input_value())
        for name in ("From image", "To image")
    ]
    assert ends[0] != ends[1]
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as GIF").click()
    assert download.value.suggested_filename == f"run-{ends[0]}-to-{ends[1]}.gif"
    with Image.open(download.value.path()) as gif:
        assert gif.n_frames == 46


def test_hovering_shows_the_image(watched: Watched, trained: Path) -> None:
    page, box = watched.page, plot(watched)
    hover = page.locator(".ve-hover")
    for across in np.linspace(0.2, 0.8, 40):
        page.mouse.move(
            box["x"] + across * box["width"], box["y"] + box["height"] * 0.5
        )
        if hover.is_visible():
            break
    assert hover.is_visible()
    index = int(hover.inner_text().split()[1].rstrip(":"))
    loaded = "i => document.querySelector('.ve-hover img').src.endsWith(`/${i}.png`)"
    watched.until(loaded, index)
    content = page.request.get(
        page.evaluate("document.querySelector('.ve-hover img').src")
    ).body()
    assert content == png(load(trained).split("test").pictures()[index])


def test_wheel_and_buttons_zoom(watched: Watched) -> None:
    page, box = watched.page, plot(watched)
    drawn = "document.querySelector('.ve-plot canvas').toDataURL()"
    before = page.evaluate(drawn)
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.wheel(0, -300)
    watched.until(f"before => {drawn} !== before", before)
    page.get_by_role("button", name="Show all").click()
    watched.until(f"before => {drawn} === before", before)


def test_dropped_pictures_are_scored_and_damaged_ones_reported(
    watched: Watched, trained: Path, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (12, 12), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise <b>.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_bytes(b"no picture, either")
    files = {
        file.name: base64.b64encode(file.read_bytes()).decode()
        for file in tmp_path.iterdir()
    }
    watched.page.evaluate(DROP, files)
    scored = watched.page.locator(".ve-scored:not(.ve-refused)")
    scored.wait_for(timeout=30_000)
    assert scored.locator("h3").inner_text() == "noise <b>.png"
    (codes,) = load(trained).codes(noise, scores=True, posterior_samples=20)
    assert f"neg. ELBO {codes.scores['neg_elbo'][0]:,.1f}" in scored.inner_text()
    assert "higher than that of 100% of test images" in scored.inner_text()
    refused = watched.page.locator(".ve-refused")
    refused.nth(1).wait_for(timeout=20_000)
    texts = sorted(refused.all_inner_texts())
    assert "bad.png" in texts[0] and "notes.txt is not a picture" in texts[1]
    before = watched.source()
    scored.get_by_role("button", name="Use its code").click()
    watched.changed(before)
    assert scored.count() == 1


def test_temperature_changes_the_samples(watched: Watched) -> None:
    before = watched.source("img[alt$='of the prior']")
    watched.page.get_by_role("slider", name="Temperature").press("ArrowLeft")
    watched.changed(before, "img[alt$='of the prior']")
    watched.settle()
    before = watched.source("img[alt$='of the prior']")
    watched.page.get_by_role("button", name="Draw new samples").click()
    watched.changed(before, "img[alt$='of the prior']")


def test_second_tab_shows_losses_figures_and_evaluation(watched: Watched) -> None:
    page = watched.page
    page.get_by_role("tab", name="Results").click()
    page.get_by_role("heading", name="Figures").wait_for()
    assert page.locator(".ve-chart canvas").count() == 1
    assert "neg. ELBO" in page.locator(".ve-table").all_inner_texts()[1]
    images = page.locator(".ve-figures img")
    assert images.count() >= 4
    for image in images.all():
        image.scroll_into_view_if_needed()
        handle = image.element_handle()
        page.wait_for_function("i => i.complete && i.naturalWidth > 0", arg=handle)


def test_nothing_is_cut_on_a_narrow_screen(browser: Any, address: str) -> None:
    page = browser.new_page(viewport={"width": 420, "height": 800})
    watched = Watched(page, address)
    page.evaluate(LONG_LEGENDS)
    assert page.evaluate(CUT) == []
    first = page.locator(".ve-card:visible").first.bounding_box()
    page.get_by_role("tab", name="Results").click()
    page.get_by_role("heading", name="Evaluation").wait_for()
    page.wait_for_timeout(500)
    assert page.evaluate(CUT) == []
    boxes = [card.bounding_box() for card in page.locator(".ve-card:visible").all()]
    assert {(box["x"], box["width"]) for box in boxes} == {(first["x"], first["width"])}
    assert boxes[0]["y"] == first["y"]
    page.close()
    assert not watched.complaints


def test_script_in_an_svg_figure_does_not_run_and_ctrl_c_ends_at_once(
    browser: Any, trained: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    (run / "figures" / "a.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
        '<rect id="r" width="9" height="9"/>'
        "<script>document.getElementById('r').id = 'ran'</script></svg>"
    )
    with served(run) as address:
        page = browser.new_page(viewport=VIEW)
        Watched(page, address)
        page.get_by_role("tab", name="Results").click()
        image = page.get_by_alt_text("figures/a.svg")
        image.scroll_into_view_if_needed()
        handle = image.element_handle()
        page.wait_for_function("i => i.complete && i.naturalWidth > 0", arg=handle)
        alone = browser.new_page()
        alone.goto(address + image.get_attribute("src"))
        assert alone.locator("#r").count() == 1
        alone.close()
        page.close()
        begun = time.perf_counter()
    assert time.perf_counter() - begun < 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_of_both_tabs(browser: Any, address: str, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(viewport=VIEW, color_scheme=scheme)
    watched = Watched(page, address)
    for tab in ("Explore", "Results"):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(700)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    page.close()
    assert not watched.complaints


def test_every_control_is_reached_by_tab_and_the_point_moves_by_arrows(
    watched: Watched, trained: Path
) -> None:
    page = watched.page
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        name = page.evaluate(FOCUSED)
        reached.append(name.strip())
        if name.startswith("Latent space"):
            before = watched.source()
            page.keyboard.press("Shift+ArrowRight")
            watched.changed(before)
    for wanted in (
        "Latent space", "Zoom in", "Show all", "Use its code", "Back to zero", "z[0]",
        "z[2]", "From image", "To image", "Interpolate", "Save as GIF", "Temperature",
        "Draw new samples", "Drop pictures here",
    ):  # fmt: skip
        assert any(name.startswith(wanted) for name in reached), (wanted, reached)
    watched.settle()
    shows(watched, trained)


def test_picture_follows_a_move_at_once(watched: Watched) -> None:
    drag_slider(watched)
    watched.moves()
    drag_slider(watched)
    times = watched.moves()
    assert len(times) > 20
    assert np.median(times) < MEDIAN, np.percentile(times, [50, 95])
    click_points(watched, 15)
    assert len(watched.moves()) > 10


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("explored")
    options = {
        "conditional": ("latent_dim=12", "conditioning=label"),
        "inpainting": (
            "conditioning=observed", "conditioning.hidden_units=[8]", "corruption=half",
        ),
    }  # fmt: skip
    return {
        name: train_here(root / name, *SMALL, "epochs=1", *words)
        for name, words in options.items()
    }


def test_two_runs_stand_side_by_side_and_only_one_has_classes(
    browser: Any, others: dict[str, Path], trained: Path
) -> None:
    with served(f"{others['conditional']},{trained}") as address:
        page = browser.new_page(viewport=VIEW)
        watched = Watched(page, address)
        left, right = (page.get_by_role("region", name=n, exact=True)
                       for n in ("conditional", "run"))  # fmt: skip
        assert left.bounding_box()["x"] < right.bounding_box()["x"]
        assert right.get_by_role("group", name="Class to decode as").count() == 0
        buttons = left.get_by_role("group", name="Class to decode as").get_by_role(
            "button"
        )
        assert buttons.count() == load(others["conditional"]).vae.num_labels
        page.evaluate(LONG_LEGENDS)
        assert page.evaluate(CUT) == []
        sources = [p.locator(".ve-picture img") for p in (left, right)]
        before = [source.get_attribute("src") for source in sources]
        buttons.last.click()
        watched.changed(before[0])
        assert sources[1].get_attribute("src") == before[1]
        assert left.locator(".ve-slider").count() == 8
        left.get_by_role("button", name="Show all 12").click()
        left.locator(".ve-slider").nth(11).wait_for()
        page.close()
        assert not watched.complaints


def test_inpainting_run_has_observed_pixels_and_takes_no_pictures(
    browser: Any, others: dict[str, Path]
) -> None:
    with served(others["inpainting"]) as address:
        page = browser.new_page(viewport=VIEW)
        watched = Watched(page, address)
        assert page.locator("img[alt='observed']").count() == 1
        assert page.locator(".ve-drop").count() == 0
        before = watched.source("img[alt='observed']")
        box = plot(watched)
        page.mouse.click(box["x"] + 60, box["y"] + 60)
        watched.settle()
        page.get_by_role("button", name="Use its code").click()
        watched.changed(before, "img[alt='observed']")
        page.close()
        assert not watched.complaints
