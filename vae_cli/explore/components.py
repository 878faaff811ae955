"""Components of the page with JavaScript of their own, in `static/`."""

from typing import Any

from nicegui import ui

from vae_cli.explore.explorer import STRIP, Explorer

PALETTE = (
    "#1f77b4", "#e8760a", "#2a9134", "#d62728", "#8a5bbd", "#8c564b", "#d655ac",
    "#6f6f6f", "#a5a518", "#12a5b5",
)  # fmt: skip


def colours(count: int) -> list[str]:
    """Return one CSS colour per class."""
    if count <= len(PALETTE):
        return list(PALETTE[: max(count, 1)])
    return [
        f"hsl({360 * i / count:.0f} 65% {45 + 12 * (i % 2)}%)" for i in range(count)
    ]


class Scatter(ui.element, component="static/scatter.js"):
    """Codes of images as points.

    Emits `decode` {x, y, move} and `path` {from, to}.

    Args:
        explorer: the run.
        images: URL of the folder with its images.
    """

    def __init__(self, explorer: Explorer, images: str) -> None:
        super().__init__()
        split = explorer.split
        classes, legend = [0] * len(split), []
        if split.labels is not None and split.label_names is not None:
            numbers = sorted(set(split.labels.tolist()))
            names = dict(zip(split.labels.tolist(), split.label_names, strict=True))
            legend = [str(names[number]) for number in numbers]
            place = {number: i for i, number in enumerate(numbers)}
            classes = [place[number] for number in split.labels.tolist()]
        self._props |= {
            "xy": [round(float(v), 4) for v in explorer.points.reshape(-1)],
            "classes": classes,
            "legend": legend,
            "colours": colours(len(legend)),
            "axes": list(explorer.plane.names),
            "images": images,
            "split": explorer.split_name,
            "equal": len(explorer.plane.axes) == 2,
            "label": (
                f"Latent space, {len(split):,} {explorer.split_name} images. Arrow "
                "keys move the point that is decoded; plus, minus and 0 zoom; i on "
                "one image and again on another interpolates between them."
            ),
        }

    def set_marker(self, x: float, y: float) -> None:
        """Mark the point that is decoded."""
        self.run_method("setMarker", x, y)

    def set_path(self, start: int, end: int) -> None:
        """Draw the line between two images."""
        self.run_method("setPath", start, end)


class Picture(ui.element, component="static/picture.js"):
    """A picture that follows the user's moves.

    Args:
        label: alternative text.
    """

    def __init__(self, label: str) -> None:
        super().__init__()
        self._props |= {"label": label, "caption": ""}

    def show(self, url: str, move: int = 0) -> None:
        """Show a picture; `move` is the number of the user's move that caused it."""
        self.run_method("show", url, move)


class Range(ui.element, component="static/range.js"):
    """One labelled slider; emits `move` with its value.

    Args:
        name: unique in the page.
        label: text beside it.
        low: smallest value.
        high: largest value.
        step: between values.
        start: first value.
    """

    def __init__(
        self, name: str, label: str, low: float, high: float, step: float, start: float
    ) -> None:
        super().__init__()
        self._props |= {"id": name, "label": label, "low": low, "high": high}
        self._props |= {"step": step, "start": start}


class Drop(ui.upload, component="static/drop.js"):
    """A place to drop files on; NiceGUI's own has no label for screen readers.

    Args:
        name: unique in the page.
        accept: suffixes, separated by commas.
        **how: further arguments of `ui.upload`.
    """

    def __init__(self, name: str, accept: str, **how: Any) -> None:
        super().__init__(multiple=True, auto_upload=True, **how)
        self._props |= {"id": name, "accept": accept}

    def say(self, state: str) -> None:
        """Show the state of the upload."""
        self.run_method("say", state)


class Sliders(ui.element, component="static/sliders.js"):
    """A slider and a strip for each latent dimension, ordered by KL.

    Emits `move` {dim, value, move}.

    Args:
        explorer: the run.
        first: number of dimensions to show at first.
        name: prefix of the controls' ids, unique in the page.
    """

    def __init__(self, explorer: Explorer, first: int, name: str) -> None:
        super().__init__()
        self._explorer = explorer
        self.shown: list[int] = []
        self._props["id"] = name
        self.show_first(first)

    def show_first(self, count: int) -> None:
        """Show this many dimensions, those with the largest KL."""
        own = self._explorer
        self.shown = own.order[:count].tolist()
        largest = max(float(own.kl.max()), 1e-9)
        self._props["dims"] = [self._row(dim, largest) for dim in self.shown]
        self.update()

    def set_code(self, code: Any) -> None:
        """Move the sliders to a code."""
        self.run_method("setCode", [round(float(v), 4) for v in code])

    def set_strip(self, dim: int, url: str) -> None:
        """Show the strip of a dimension."""
        self.run_method("setStrip", dim, url)

    def _row(self, dim: int, largest: float) -> dict[str, Any]:
        own = self._explorer
        low, high = (round(float(v), 1) for v in own.ranges[dim])
        return {
            "dim": dim,
            "name": own.dimension_name(dim),
            "kl": f"{own.kl[dim]:.2f}",
            "percent": round(100 * float(own.kl[dim]) / largest),
            "low": low,
            "high": high,
            "steps": STRIP,
        }
