"""`--help`: examples first, then groups and keys, written from the dataclasses."""

import textwrap
import typing
from dataclasses import Field, fields
from pathlib import Path

import yaml

from vae_cli.config.commands import COMMANDS, PRESETS
from vae_cli.config.load import is_group, is_section
from vae_cli.paths import configs_dir
from vae_cli.registry import OPTIONS

EXAMPLES = {
    "train": (
        ("vae-train", "a convolutional VAE on MNIST, 30 epochs"),
        ("vae-train experiment=quickstart", "recognisable digits in a minute"),
        (
            "vae-train latent_dim=16 beta=4 kl_annealing=cyclical",
            "a beta-VAE with cyclical annealing",
        ),
        ("vae-train architecture=dense likelihood=gaussian", "other parts"),
        ("vae-train dataset=npz dataset.path=images.npz", "your own images"),
        ("vae-train -m latent_dim=2,8 beta=1,4", "four runs in one sweep folder"),
        ("vae-train resume=latest", "go on where a run stopped"),
        ("vae-train --cfg job", "print the config, run nothing"),
    ),
    "generate": (
        ("vae-generate", "samples from the prior of the latest run"),
        ("vae-generate mode=manifold rows=15 columns=15", "the latent plane, decoded"),
        ("vae-generate mode=traversal", "one row a latent dimension"),
        (
            "vae-generate mode=interpolation gif=morph.gif",
            "from one test image to another",
        ),
        (
            "vae-generate run=outputs/my-run num_images=1000 npz=samples.npz",
            "images as an array",
        ),
    ),
    "plot_latent": (
        ("vae-plot-latent", "test images of the latest run in latent space"),
        ("vae-plot-latent method=tsne num_points=2000", "t-SNE of many dimensions"),
        ("vae-plot-latent run=outputs/my-run npz=codes.npz", "the codes as arrays"),
    ),
    "evaluate": (
        ("vae-evaluate", "test images of the latest run, 500 samples each"),
        (
            "vae-evaluate importance_samples=5000",
            "as the literature estimates log p(x)",
        ),
        ("vae-evaluate split=validation num_images=1000", "a quick look"),
        ("vae-evaluate samples=10000", "and how good drawn images are"),
        ("vae-evaluate run=outputs/a,outputs/b", "a table of runs"),
        (
            "vae-evaluate run=outputs/2026-01-31/10-00-00-sweep",
            "a sweep: mean and deviation over seeds",
        ),
    ),
    "reconstruct": (
        ("vae-reconstruct", "as the latest run was trained: clean, seen, restored"),
        ("vae-reconstruct corruption=gaussian_noise", "denoise test images"),
        ("vae-reconstruct corruption=half", "fill in the lower half, several ways"),
        ("vae-reconstruct images=photos", "pictures of your own, from a folder"),
        ("vae-reconstruct label=3", "the same style as another class"),
        (
            "vae-reconstruct task=interpolate pair=[4,7]",
            "a path from one test image to another",
        ),
    ),
    "anomaly": (
        ("vae-anomaly", "test images of the latest run: scores, threshold, figures"),
        ("vae-anomaly normal=[0,1,2,3,4]", "all other classes are anomalies"),
        ("vae-anomaly images=photos", "pictures of your own, from a folder"),
        ("vae-anomaly score=unexplained", "sort and flag by another score"),
        (
            "vae-anomaly normal=[0] score=by_validation_auroc",
            "by the score of best AUROC on labelled validation anomalies",
        ),
        (
            "vae-anomaly run=outputs/2026-01-31/10-00-00-sweep",
            "a sweep: one table of AUROC",
        ),
    ),
}
"""Command -> (what to type, what it does)."""


def command_help(command: str) -> str:
    """Return the help text of a command: the name of its primary config file."""
    schema = COMMANDS[command]
    values = yaml.safe_load((configs_dir() / f"{command}.yaml").read_text())
    lines = [str(schema.__doc__).splitlines()[0], "", "Examples"]
    width = max(len(typed) for typed, _ in EXAMPLES[command])
    lines += [f"  {typed:<{width}}  {what}" for typed, what in EXAMPLES[command]]
    hints = typing.get_type_hints(schema)
    groups = [f.name for f in fields(schema) if is_group(hints[f.name])]
    if groups:
        lines += ["", "Groups (group=option; `vae list <group>` tells more)"]
        for group in (*groups, *(PRESETS if command == "train" else ())):
            lines.append(f"  {group + '=':<24}{', '.join(options(group))}")
    lines += ["", "Keys (key=value)"]
    for spec in fields(schema):
        if is_section(hints[spec.name]):
            for inner in fields(hints[spec.name]):
                default = values[spec.name][inner.name]
                lines += _entry(f"{spec.name}.{inner.name}", inner, default)
        elif spec.name not in groups:
            lines += _entry(spec.name, spec, values.get(spec.name))
    for group in groups:
        for (key, _), (spec, names) in _group_keys(group).items():
            only = "" if len(names) == len(OPTIONS[group]) else f"{', '.join(names)}: "
            lines += _entry(f"{group}.{key}", spec, None, only)
    lines += [
        "",
        "Hydra's flags work too: -m (sweep), --cfg job, --config-dir, --hydra-help.",
        "Exit status: 0 done, 1 failed or refused, 2 wrong usage, 130 interrupted.",
    ]
    return "\n".join(lines) + "\n"


def options(group: str) -> list[str]:
    """Return the options of a config group: its YAML files."""
    return sorted(file.stem for file in (configs_dir() / group).glob("*.yaml"))


def summary(file: Path) -> str:
    """Return a config file's opening comment in one line."""
    comment = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            comment.append(line.lstrip("# ").strip())
    return " ".join(comment)


def _group_keys(group: str) -> dict[tuple[str, str], tuple[Field, list[str]]]:
    """Return (key, meaning) -> (field, options that have it), `name` left out."""
    found: dict[tuple[str, str], tuple[Field, list[str]]] = {}
    for name, schema in OPTIONS[group].items():
        for spec in fields(schema):
            if spec.name != "name":
                meaning = (spec.name, spec.metadata["doc"])
                found.setdefault(meaning, (spec, []))[1].append(name)
    return found


def _entry(key: str, spec: Field, default: object, only: str = "") -> list[str]:
    doc = only + spec.metadata["doc"]
    if spec.metadata["choices"] and not set(spec.metadata["choices"]) <= set(
        doc.replace(":", " ").replace(",", " ").split()
    ):
        doc += f" ({', '.join(spec.metadata['choices'])})"
    shown = f"{key}={_text(default)}" if default is not None else key
    wrapped = textwrap.wrap(doc, 50)
    if len(shown) > 32:
        return [f"  {shown}", *(f"{'':36}{line}" for line in wrapped)]
    return [
        f"  {shown if index == 0 else '':<34}{line}"
        for index, line in enumerate(wrapped)
    ]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
