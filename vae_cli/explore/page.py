"""The page: two tabs, and one or two runs side by side."""

from nicegui import ui

from vae_cli.explore.explorer import Explorer
from vae_cli.explore.own_pictures import OwnPictures
from vae_cli.explore.panel import Panel
from vae_cli.explore.parts import heading, quiet
from vae_cli.explore.results import (
    Table,
    evaluations,
    facts,
    figures,
    losses,
    pdf_figures,
)

CURVES = {
    "loss, training": "#1f77b4",
    "neg. ELBO, training": "#8a5bbd",
    "neg. ELBO, validation": "#e8760a",
}
"""Colours of the curves."""


def build(explorers: list[Explorer], notices: list[str]) -> list[Panel]:
    """Build the page for one visitor.

    Args:
        explorers: one or two runs.
        notices: sentences to show above them.

    Returns:
        the panels, to be started when the browser is connected.
    """
    two = " two" if len(explorers) > 1 else ""
    dark = ui.dark_mode(None)
    ui.colors(primary="#1d5fbf")
    names = " and ".join(explorer.run.name for explorer in explorers)
    with ui.header().classes("ve-header").props("reveal=false"):
        heading("vae explore", 1)
        ui.label(names).classes("ve-quiet ellipsis ve-grow")
        with ui.tabs().props("dense no-caps inline-label") as tabs:
            explore = ui.tab("Explore")
            results = ui.tab("Results")
        switch = ui.button(icon="dark_mode", on_click=lambda: _switch(dark), color=None)
        switch.props('flat dense round aria-label="Dark or light"')
    with ui.tab_panels(tabs, value=explore, animated=False, keep_alive=True).classes(
        "w-full"
    ):
        with ui.tab_panel(explore):
            for notice in notices:
                ui.label(notice).classes("ve-notice").props("role=status")
            with ui.element("div").classes(f"ve-page{two}"):
                panels = [
                    Panel(explorer, number, bool(two))
                    for number, explorer in enumerate(explorers)
                ]
                taking = [panel for panel in panels if not panel.explorer.inpaints]
                if two and taking:
                    OwnPictures(taking)
            if taking and not two:
                with panels[0].bottom:
                    OwnPictures(taking)
        with ui.tab_panel(results), ui.element("div").classes(f"ve-page{two}"):
            for number, explorer in enumerate(explorers):
                _results(explorer, number, bool(two))
    return panels


def _switch(dark: ui.dark_mode) -> None:
    """Toggle dark mode; the first click leaves the system's setting."""
    dark.set_value(not dark.value)


def _results(explorer: Explorer, number: int, title: bool) -> None:
    """Show losses, facts, evaluations and figures of the run folder."""
    run = explorer.run
    with ui.element("section").classes("ve-results") as section:
        section.props["aria-label"] = f"Results of {run.name}"
        heading(run.name, 2, hidden=not title)
        curves = losses(run)
        if curves:
            with ui.element("div").classes("ve-card"):
                heading(f"Losses of {run.name}, nats per image")
                ui.echart(_chart(curves)).classes("ve-chart").props(
                    'role="img" aria-label="Losses by epoch"'
                )
        with ui.element("div").classes("ve-card"):
            heading("The run")
            _table(Table("", [(name, value, "") for name, value in facts(run)]))
        tables = evaluations(run)
        for table in tables:
            with ui.element("div").classes("ve-card"):
                heading(table.title)
                _table(table)
        if not any("vae-evaluate" in table.title for table in tables):
            with ui.element("div").classes("ve-card"):
                heading("Evaluation")
                quiet(f"Not evaluated yet: vae-evaluate run={run.folder}")
        pictures, others = figures(run), pdf_figures(run)
        if pictures or others:
            with ui.element("div").classes("ve-card ve-wide"):
                heading("Figures")
                with ui.element("div").classes("ve-figures"):
                    for place, name in enumerate(pictures):
                        _figure(f"runs/{number}/figures/{place}", name)
                if others:
                    quiet(f"PDF files, in {run.folder}: {', '.join(others)}")


def _figure(address: str, name: str) -> None:
    with ui.element("figure"):
        with ui.element("a") as link:
            link.props.update(href=address, target="_blank")
            image = ui.element("img")
            image.props.update(src=address, alt=name, loading="lazy")
        with ui.element("figcaption"):
            ui.label(name)


def _table(table: Table) -> None:
    """Show a table of names, values and units."""
    with ui.element("table").classes("ve-table"), ui.element("tbody"):
        for name, value, unit in table.rows:
            with ui.element("tr"):
                with ui.element("th").props("scope=row"):
                    ui.label(name)
                with ui.element("td").classes("number" if unit else ""):
                    ui.label(value)
                if unit:
                    with ui.element("td"):
                        ui.label(unit).classes("ve-quiet")


def _chart(curves: dict[str, list[tuple[float, float]]]) -> dict:
    """Return the options of a line chart, its legend above it: a line per curve."""
    epochs = [epoch for points in curves.values() for epoch, _ in points]
    first, last = min(epochs), max(epochs)
    if first == last:  # a single epoch, in the middle
        first, last = first - 1, last + 1
    quiet_ink = {"color": "#8893a1"}
    axis = {"type": "value", "axisLabel": quiet_ink, "nameTextStyle": quiet_ink,
            "splitLine": {"lineStyle": {"color": "#8893a140"}}}  # fmt: skip
    return {
        "animation": False,
        "grid": {"left": 60, "right": 20, "top": 12 + 20 * len(curves), "bottom": 40},
        "legend": {"top": 0, "left": 54, "orient": "vertical", "itemGap": 6,
                   "textStyle": quiet_ink},
        "tooltip": {"trigger": "axis"},
        "xAxis": {**axis, "name": "epoch", "min": first, "max": last,
                  "minInterval": 1, "nameLocation": "middle", "nameGap": 24},
        "yAxis": {**axis, "scale": True},
        "series": [
            {"type": "line", "name": name, "data": points, "symbolSize": 4,
             "color": CURVES[name]}
            for name, points in curves.items()
        ],
    }  # fmt: skip
