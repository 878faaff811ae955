"""The sections about training, data, config, environment and reproduction."""

from typing import Any

from vae_cli.config.objective import BOUNDS
from vae_cli.report.contents import RunContents
from vae_cli.report.html import Html, code, element, folded, joined, table
from vae_cli.runs.changes import changes, command_line
from vae_cli.runs.differences import flattened
from vae_cli.text import shortened

CLASSES = 30
"""Most class names to list."""


def training(contents: RunContents) -> Html:
    """Return a table of the results of training; empty if there are none."""
    rows = [
        (name, _text(contents.metrics.get(key)))
        for key, name in (
            ("best_epoch", "best epoch"),
            *(
                (f"best_{bound}", f"its validation {name}, nats per image")
                for bound, name in BOUNDS.items()
            ),
            ("train_seconds", "seconds of training"),
            ("images_per_second", "images per second, median of epochs"),
        )
        if key in contents.metrics
    ]
    test = contents.metrics.get("test")
    for key, name in (
        ("neg_elbo", "test neg. ELBO, nats per image"),
        ("reconstruction_loss", "its reconstruction loss"),
        ("kl_loss", "its KL term"),
        ("active_units", "active units"),
        ("num_images", "test images"),
    ):
        if isinstance(test, dict) and key in test:
            rows.append((name, _text(test[key])))
    return table(("", "value"), rows, "At the end of training") if rows else Html()


def data(contents: RunContents) -> Html:
    """Return sentences about the images, and their digests."""
    counts = ", ".join(f"{count:,} {name}" for name, count in contents.sizes.items())
    dataset = contents.config.dataset
    parts = [f"Data set {dataset.name}: {counts or 'an unknown number of'} images"]
    spec = contents.spec
    if spec is not None:
        height, width, channels = spec.image_shape
        noun = "channel" if channels == 1 else "channels"
        parts[0] += f" of {height} x {width} pixels, {channels} {noun}."
        values = "all 0 or 1" if spec.binary else str(spec.pixels)
        parts.append(f"Pixels in the model: {values}.")
        if spec.labels:
            names = shortened(
                [spec.class_name(label) for label in spec.labels], CLASSES
            )
            parts.append(f"{len(spec.labels):,} classes: {', '.join(names)}.")
    prepared = [
        f"{key.replace('_', ' ')} {value}"
        for key in ("binarize", "dequantize", "image_size", "resize", "augment")
        if (value := getattr(dataset, key, None)) not in (None, "none", [])
    ]
    if prepared:
        parts.append(f"Preparation: {', '.join(prepared)}.")
    digests = flattened(contents.fingerprint)
    rows = [(k, _text(v)) for k, v in digests.items() if k.endswith("sha256")]
    text = element("p", " ".join(parts))
    if not rows:
        return text
    shown = table(("array", "SHA-256"), rows)
    return joined(text, folded("Digests of images, labels and splits", shown))


def configuration(contents: RunContents) -> Html:
    """Return the keys that differ from the defaults, and all of them."""
    rows = [
        (
            element("code", change.key),
            _text(change.value),
            _text(change.default),
            change.about,
        )
        for change in changes(contents.config)
    ]
    text = contents.run.config_file.read_text(encoding="utf-8", errors="replace")
    differing = table(("key", "value", "default", "meaning"), rows)
    return joined(
        element("p", "The keys that differ from the defaults of vae-train."),
        differing if rows else element("p", "Nothing."),
        folded("All of config.yaml", code(text)),
    )


def environment(contents: RunContents) -> Html:
    """Return versions and machine, and later resumes."""
    if not contents.environment:
        return Html()
    shown = [("", contents.environment)]
    resumed = contents.environment.get("resumed")
    for number, later in enumerate(resumed if isinstance(resumed, list) else [], 1):
        shown.append((f"Resume {number}", later if isinstance(later, dict) else {}))
    parts = []
    for title, values in shown:
        known = {k: v for k, v in values.items() if k not in ("resumed", "command")}
        flat = {k: v for k, v in flattened(known).items() if v not in (None, [], {})}
        rows = [(key.removeprefix("packages."), _text(v)) for key, v in flat.items()]
        content = table(("", "version or value"), rows)
        parts.append(folded(title, content) if title else content)
    return joined(*parts)


def reproduction(contents: RunContents) -> Html:
    """Return the command that trained the run, and one that reproduces it."""
    parts = []
    if isinstance(contents.environment.get("command"), str):
        parts += [
            element("p", "The run was trained with:"),
            code(contents.environment["command"]),
        ]
    version = contents.package("vae-cli")
    git = contents.environment.get("git")
    if isinstance(git, dict) and git.get("commit"):
        changed = ", with uncommitted changes" if git.get("dirty") else ""
        parts.append(
            element("p", f"Git commit at that time: {git['commit']}{changed}.")
        )
    plugins = contents.environment.get("plugins")
    if plugins:
        parts.append(element("p", f"It needs plugins: {_text(plugins)}."))
    parts += [
        element(
            "p",
            f"With {f'vae-cli {version}'.rstrip()} installed, the same run, with every "
            "value that differs from the defaults:",
        ),
        code(command_line(contents.config)),
        element(
            "p",
            f"With deterministic={str(contents.config.deterministic).lower()} and seed "
            f"{contents.config.seed}, a second run gives "
            + ("bitwise the same results on the same machine and versions."
               if contents.config.deterministic
               else "the same results up to rounding: threads share each batch."),
        ),
    ]  # fmt: skip
    return joined(*parts)


def _text(value: Any) -> str:
    """Return a value as text: numbers rounded, lists without quotes."""
    if isinstance(value, bool) or value is None:
        return "null" if value is None else str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, dict):
        return ", ".join(f"{k} {_text(v)}" for k, v in value.items())
    return str(value)
