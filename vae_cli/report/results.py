"""Results of commands as tables: evaluations, restorations, anomaly scores."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from vae_cli.config.objective import BOUNDS
from vae_cli.config.run import SPLITS
from vae_cli.errors import VaeCliError
from vae_cli.evaluation.names import method_name
from vae_cli.report.html import Html, element, joined, table
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.measures import measures, protocol_sentence, with_error
from vae_cli.runs.reading import read_json

TITLES = {
    "mse": "MSE",
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "mse_missing": "MSE of missing pixels",
    "auroc": "AUROC",
    "aupr": "AUPR",
    "fpr_at_95_recall": "false positives at 95 % recall",
    "flagged": "fraction flagged",
}
"""Key of a report -> name."""
MAX_FILES = 12
"""Most reports of one command."""
HEADLINES = (
    "nll", "cross_entropy_bound", "bits_per_dim", "bits_per_dim_bound", "neg_elbo",
    "active_units", "psnr", "frechet_distance",
)  # fmt: skip
"""Measures at the top of the page, by priority."""
MOST = 4
"""Most numbers at the top of the page."""

ERRORS = (VaeCliError, LookupError, TypeError, ValueError, AttributeError)
"""What reading a file of another version, or an edited file, may raise."""


def evaluations(run: RunFolder) -> dict[str, dict[str, Any]]:
    """Return the complete reports of `vae-evaluate` by split, test first."""
    found = {}
    for split in reversed(SPLITS):
        try:
            report = read_json(run.evaluation / f"{split}.json")
            if measures(report) and protocol_sentence(report):
                found[split] = report
        except ERRORS:
            continue
    return found


def headlines(
    reports: dict[str, dict[str, Any]], metrics: dict[str, Any]
) -> list[tuple[str, str, str]]:
    """Return name, value and protocol of the most important numbers.

    Args:
        reports: see `evaluations`; the first one counts.
        metrics: `metrics.json`, for a run that has no report.
    """
    if reports:
        split, report = next(iter(reports.items()))
        of = f"{report['num_images']:,} {split} images"
        found = [
            (f"{split} {name}", value, f"{unit}; {of}")
            for name, value, unit in measures(report, HEADLINES)
        ]
        return found[:MOST]
    test = metrics.get("test")
    if test and {"neg_elbo", "active_units", "num_images"} <= test.keys():
        of = f"at the end of training; {test['num_images']:,} test images"
        return [
            ("test neg. ELBO", with_error(test, "neg_elbo"), f"nats per image, {of}"),
            ("codes used", f"{test['codebook_use']:.0%}", of)
            if test["active_units"] is None
            else ("active units", with_error(test, "active_units"), of),
        ]
    for key, value in metrics.items():
        if key.startswith("best_neg") and isinstance(value, float):
            bound = BOUNDS.get(key.removeprefix("best_"), "neg. ELBO")
            return [
                (f"validation {bound}", f"{value:.2f}", "nats per image, best epoch")
            ]
    return []


def evaluation_tables(reports: dict[str, dict[str, Any]]) -> Html:
    """Return a table of all measures for each evaluation."""
    return joined(
        *(
            joined(
                element("h3", f"{split} images".capitalize()),
                element("p", protocol_sentence(report)),
                table(("measure", "value", "unit, protocol"), measures(report)),
            )
            for split, report in reports.items()
        )
    )


def restorations(run: RunFolder) -> Html:
    """Return the results of `vae-reconstruct`."""
    return _reports(run.reconstructions, _restoration)


def anomalies(run: RunFolder) -> Html:
    """Return the results of `vae-anomaly`."""
    return _reports(run.path / "anomaly", _anomaly)


def _reports(folder: Path, shown: Callable[[dict[str, Any]], Html]) -> Html:
    parts = []
    for file in sorted(folder.glob("*.json"))[:MAX_FILES]:
        parts.append(element("h3", file.stem))
        try:
            parts.append(shown(read_json(file)))
        except ERRORS as error:
            parts.append(element("p", f"{file.name} can't be shown: {error}"))
    return joined(*parts)


def _restoration(report: dict[str, Any]) -> Html:
    how = report["corruption"]
    options = ", ".join(f"{k} {v}" for k, v in how.items() if k != "name")
    words = [
        f"{report['num_images']:,} {report['images']} images",
        "no corruption"
        if how["name"] == "none"
        else f"corruption {how['name']}" + (f" ({options})" if options else ""),
        f"noise seed {report['seed']}",
    ]
    if report.get("effective_samples") is not None:
        words.append(
            f"{report['posterior_samples']:,} posterior samples (effective sample size "
            f"{report['effective_samples']:.1f}), {report['gibbs_steps']:,} Gibbs steps"
        )
    if report.get("decoded_as") is not None:
        words.append(f"decoded as {report['decoded_as']}")
    errors = report.get("errors") or {}
    keys = list(dict.fromkeys(key for values in errors.values() for key in values))
    rows = [
        (method_name(name, how["name"]), *(_number(values.get(key)) for key in keys))
        for name, values in errors.items()
    ]
    text = element("p", "; ".join(words) + ".")
    titles = [TITLES.get(key, key.replace("_", " ")) for key in keys]
    return joined(text, table(("method", *titles), rows)) if rows else text


def _anomaly(report: dict[str, Any]) -> Html:
    words = [f"{report['num_images']:,} images of {report['images']}"]
    if report.get("normal_classes") is not None:
        words.append(f"normal classes {', '.join(map(str, report['normal_classes']))}")
    if report.get("num_anomalous") is not None:
        words.append(f"{report['num_anomalous']:,} anomalous")
    words += [
        f"score {report['score']}, {report['chosen_by']}",
        f"threshold: {report['threshold_from']}",
        f"{report['posterior_samples']:,} posterior samples",
        f"noise seed {report['seed']}",
    ]
    columns = ("auroc", "aupr", "fpr_at_95_recall", "threshold", "flagged")
    scores = report["scores"]
    keys = [k for k in columns if any(v.get(k) is not None for v in scores.values())]
    rows = [
        (name, *(_number(values.get(key)) for key in keys))
        for name, values in scores.items()
    ]
    titles = [TITLES.get(key, key.replace("_", " ")) for key in keys]
    return joined(element("p", "; ".join(words) + "."), table(("score", *titles), rows))


def _number(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)
