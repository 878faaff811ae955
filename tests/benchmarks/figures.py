"""The pictures that the README shows."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

OWN, OTHER = "#1f5fa8", "#b9c4d0"


def draw(results: dict[str, Any], folder: Path) -> None:
    """Draw what has been measured."""
    if "speed" in results:
        _speed(results["speed"]).savefig(folder / "speed.png", dpi=110)
    if "growth" in results:
        _growth(results["growth"]).savefig(folder / "growth.png", dpi=110)


def _speed(models: dict[str, Any]) -> Figure:
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    axes = figure.subplots(1, len(models))
    for axis, (model, found) in zip(axes, models.items(), strict=True):
        rows = found["contenders"]
        names = list(rows)[::-1]
        values = [rows[name]["images_per_second"] for name in names]
        colours = [OWN if name.startswith("vae-cli") else OTHER for name in names]
        bars = axis.barh(names, values, color=colours)
        axis.bar_label(bars, [f"{value:,.0f}" for value in values], padding=3)
        axis.set_title(f"{model} model", loc="left")
        axis.set_xlabel("training images per second, median")
        axis.set_xlim(0, 1.2 * max(values))
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def _growth(axes_found: dict[str, Any]) -> Figure:
    figure = Figure(figsize=(9, 3), layout="constrained")
    axes = figure.subplots(1, len(axes_found))
    for axis, (name, found) in zip(axes, axes_found.items(), strict=True):
        sizes, seconds = found["sizes"], found["seconds"]
        line = [seconds[0] * size / sizes[0] for size in sizes]
        axis.loglog(sizes, line, ":", color="grey", label="straight line")
        axis.loglog(sizes, seconds, "o-", color=OWN, label=found["unit"])
        axis.set_xlabel(name)
        axis.set_xticks(sizes, [f"{size:,}" for size in sizes], minor=False)
        axis.minorticks_off()
        axis.legend(frameon=False, fontsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    return figure
