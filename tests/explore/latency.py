"""Milliseconds from a move to its picture, in a real browser, run by run.

    python -m tests.explore.latency <run> [<run> ...]

A slider is dragged for eight seconds at 40 moves a second, and 60 points are clicked;
the times are the browser's own, from the event to the picture's `load`. Moves that a
later one overtakes get no picture and are counted as dropped.
"""

import sys

import numpy as np

from tests.explore.browser import Watched, chromium, click_points, drag_slider, served

VIEW = {"width": 1280, "height": 800}
SECONDS, RATE, CLICKS = 8.0, 40, 60


def measured(run: str) -> dict[str, tuple[int, float, float]]:
    """Return how many pictures came, median and 95 % quantile, of drags and clicks."""
    found = {}
    with served(run) as address, chromium() as browser:
        watched = Watched(browser.new_page(viewport=VIEW), address)
        for name, act in (
            ("slider", lambda: drag_slider(watched, SECONDS, RATE)),
            ("click", lambda: click_points(watched, CLICKS)),
        ):
            act()
            watched.moves()  # the first round warms up
            act()
            times = watched.moves()
            middle, slow = np.percentile(times, [50, 95])
            found[name] = len(times), float(middle), float(slow)
    return found


def main() -> None:
    print(f"{'run':<24} {'move':<8} {'pictures':>8} {'median ms':>10} {'95 % ms':>8}")
    for run in sys.argv[1:]:
        for name, (count, middle, slow) in measured(run).items():
            print(f"{run[-24:]:<24} {name:<8} {count:>8} {middle:>10.1f} {slow:>8.1f}")


if __name__ == "__main__":
    main()
