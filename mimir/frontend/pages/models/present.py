"""Present model versions: facts, plots, and comparison of two. Pure."""

import json
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from mimir.frontend import formatting
from mimir.frontend.api_types.model_shapes import Model, ModelVersion, ModelVersionDetail
from mimir.frontend.drawing import classification, importance, regression
from mimir.frontend.drawing.scales import figure
from mimir.frontend.pages.models.metric_text import (
    against_version,
    best_of,
    comparable,
    main_of,
    ordered,
    title_of,
    verdict,
)
from mimir.frontend.pages.shell import project_path
from mimir.frontend.template_context import Context
from mimir.lib.schemas.hyperparameters import HYPERPARAMETERS

ALGORITHMS = {
    "linear": "linear regression",
    "logistic": "logistic regression",
    "random_forest": "random forest",
    "hist_gradient_boosting": "histogram gradient boosting",
}
_KINDS = {"number": "number", "category": "text", "time": "time", "boolean": "true or false"}


def algorithm(version: ModelVersion) -> str:
    """Name of the algorithm."""
    return ALGORITHMS.get(version["algorithm"], str(version["algorithm"]))


def prediction_text(version: ModelVersion) -> str:
    """Say what the model predicts."""
    what = "predicts the class" if version["task"] == "classification" else "predicts"
    return f"{what} {formatting.visible(version['target'])}"


def list_row(row: Model) -> Context:
    """Present a model in the list, by its newest version."""
    version = row["version"]
    name = main_of(version)
    return {
        "name": row["name"],
        "version": version,
        "algorithm": algorithm(version),
        "does": prediction_text(version),
        "metric": title_of(name) if name else "",
        "value": figure(version["metrics"][name]) if name else "",
        "verdict": verdict(version),
    }


def version_rows(versions: Sequence[ModelVersion], shown: int) -> list[Context]:
    """Present versions, newest first, each compared with the one before."""
    rows = []
    for version, before in zip(versions, [*versions[1:], None], strict=True):
        name = main_of(version)
        same = before is not None and comparable(version, before)
        change = (
            against_version(name, version["metrics"].get(name), before["metrics"].get(name))
            if before is not None and same
            else None
        )
        rows.append(
            {
                "version": version,
                "algorithm": algorithm(version),
                "metric": title_of(name) if name else "",
                "value": figure(version["metrics"][name]) if name else "",
                "change": change,
                "other_target": before is not None and not same,
                "shown": version["number"] == shown,
            }
        )
    return rows


def details(version: ModelVersionDetail) -> Context:
    """Present signature, training, libraries and hyperparameters."""
    signature = version["signature"]
    features = signature.get("features") or []
    return {
        "features": [
            {
                "name": one["name"],
                "kind": _KINDS.get(one["kind"], one["kind"]),
                "type": str(one["type"]).lower(),
            }
            for one in features
        ],
        "target": signature.get("target") or {},
        "classes": signature.get("classes") or [],
        "training": training_facts(version["training"]),
        "libraries": sorted(version["libraries"].items()),
        "hyperparameters": hyperparameter_rows(version),
    }


def training_facts(training: Mapping[str, object]) -> list[tuple[str, str]]:
    """Describe the training as (label, text); unknown facts are skipped."""
    facts = []
    held = (
        f"{formatting.number(training.get('train_rows'))} for training, "
        f"{formatting.number(training.get('test_rows'))} held out"
    )
    if training.get("train_rows") is not None:
        share = training.get("test_size")
        of_all = f", {share:.0%}".replace("%", "\u00a0%") if isinstance(share, int | float) else ""
        facts.append(("Rows", held + of_all))
    if training.get("dropped_rows"):
        facts.append(
            (
                "Not used",
                f"{formatting.number(training['dropped_rows'])} rows: no target, or other reasons "
                "listed in the job's notices",
            )
        )
    if "stratified" in training:
        by_time = training.get("split") == "time"
        facts.append(
            (
                "Split",
                "time: the latest rows are held out"
                if by_time
                else "random, stratified"
                if training["stratified"]
                else "random",
            )
        )
    if training.get("seed") is not None:
        facts.append(("Seed", str(training["seed"])))
    if isinstance(training.get("features"), int):
        facts.append(("Features", formatting.number(training["features"])))
    if isinstance(training.get("seconds"), int | float):
        facts.append(("Time", formatting.span(training["seconds"])))
    return facts


def hyperparameter_rows(version: ModelVersionDetail) -> list[Context]:
    """Present each hyperparameter with its title and whether it is the default."""
    known = HYPERPARAMETERS.get(version["algorithm"], {}).get("properties", {})
    given = version["hyperparameters"]
    return [
        {
            "name": name,
            "title": known.get(name, {}).get("title", ""),
            "value": "scikit-learn default"
            if name == "max_features" and given[name] is None
            else value_text(given[name]),
            "default": name in known
            and _is_default(name, version["task"], given[name], known[name].get("default")),
        }
        for name in given
    ]


def _is_default(name: str, task: str, value: object, default: object) -> bool:
    """Whether a hyperparameter has its default.

    The default of `max_features` depends on the task.
    """
    if name == "max_features" and value is not None:
        return bool(value == ("sqrt" if task == "classification" else 1.0))
    return bool(value == default)


def value_text(value: object) -> str:
    """Format a JSON value."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return formatting.number(value)
    return (
        f"{value:.6g}"
        if isinstance(value, float)
        else str(value)
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False)
    )


def plots(version: ModelVersionDetail) -> Context:
    """Draw every plot of a version."""
    data = version["plots"]
    if version["task"] == "regression":
        drawn: Context = {
            "predicted_actual": regression.predicted_actual([("", data)]),
            "residuals": regression.residuals([("", data)]),
        }
    else:
        found = {
            name: classification.chosen(data, name)
            for name in ("roc", "precision_recall", "calibration")
        }
        classes = len(version["signature"].get("classes") or [])
        drawn = {
            "confusion": classification.confusion(data),
            "roc": classification.roc(found["roc"]),
            "precision_recall": classification.precision_recall(found["precision_recall"]),
            "calibration": classification.calibration(found["calibration"]),
            "classes_omitted": classes - len(found["roc"]) if classes > 2 and found["roc"] else 0,
        }
    return {**drawn, "importance": importance.importance([("", version["importance"])])}


def compared_plots(one: ModelVersionDetail, two: ModelVersionDetail, requested: str) -> Context:
    """Overlay the plots of two versions.

    Curves show one class: `requested`, or the most frequent class that both have.
    """
    pair = [(f"version {version['number']}", version) for version in (one, two)]
    drawn: Context = {
        "importance": importance.importance(
            [(name, version["importance"]) for name, version in pair]
        )
    }
    if one["task"] != two["task"]:
        return {**drawn, "classes": [], "curves": []}
    data = [(name, version["plots"]) for name, version in pair]
    if one["task"] == "regression":
        points, errors = regression.predicted_actual(data), regression.residuals(data)
        return {
            **drawn,
            "predicted_actual": points,
            "residuals": errors,
            "classes": [],
            "curves": [],
        }
    theirs = set(classification.classes_of(two["plots"]))
    classes = [name for name in classification.classes_of(one["plots"]) if name in theirs]
    shown = requested if requested in classes else classes[0] if classes else ""
    return {**drawn, "classes": classes, "class": shown, "curves": _compared_curves(data, shown)}


def _compared_curves(data: Sequence[tuple[str, Mapping[str, object]]], shown: str) -> list[Context]:
    """Draw the curves of one class, with a line for each version.

    A curve that one of the versions lacks is skipped.
    """
    curves = []
    for key, title, draw in (
        ("roc", "ROC", classification.roc),
        ("precision_recall", "Precision-recall", classification.precision_recall),
        ("calibration", "Calibration", classification.calibration),
    ):
        entries = [
            (label, entry)
            for label, plot in data
            if (entry := classification.entry_of(plot, key, shown)) is not None
        ]
        chart = draw(entries) if len(entries) == len(data) else None
        if chart:
            curves.append({"title": title, "chart": chart})
    return curves


def compared(one: ModelVersionDetail, two: ModelVersionDetail) -> list[Context]:
    """Compare two versions in rows, differences first: {"title", "cells", "best", "differs"}."""
    rows = [_metric_row(name, one, two) for name in ordered(one["metrics"], two["metrics"])]
    if one["baseline"] or two["baseline"]:
        rows += [
            _metric_row(name, one, two, of="baseline")
            for name in ordered(one["baseline"], two["baseline"])
        ]
    rows += [
        _row(title, [facts.get(title, "") for facts in both])
        for both in [[_facts(one), _facts(two)]]
        for title in dict.fromkeys([*both[0], *both[1]])
    ]
    return [row for row in rows if row["differs"]] + [row for row in rows if not row["differs"]]


def _metric_row(
    name: str, one: ModelVersionDetail, two: ModelVersionDetail, of: str = "metrics"
) -> Context:
    values = [
        (version["metrics"] if of == "metrics" else version["baseline"]).get(name)
        for version in (one, two)
    ]
    title = title_of(name) if of == "metrics" else f"{title_of(name)} of the baseline"
    row = _row(title, [figure(value) if value is not None else "" for value in values])
    if of == "metrics" and comparable(one, two):
        row["best"] = best_of(name, values)
        row["change"] = against_version(name, values[1], values[0])
    return {**row, "differs": values[0] != values[1]}


def _row(title: str, cells: Sequence[str]) -> Context:
    return {
        "title": title,
        "cells": list(cells),
        "best": None,
        "change": None,
        "differs": cells[0] != cells[1],
    }


def _facts(version: ModelVersionDetail) -> dict[str, str]:
    """Other facts to compare, by title."""
    data = version["training_data"]
    features = version["signature"].get("features") or []
    facts = {
        "Task": version["task"],
        "Target": version["target"],
        "Algorithm": algorithm(version),
        "Data": f"{data['name']} v{data['version']}",
        "Features used": ", ".join(one["name"] for one in features),
        **{row["title"] or row["name"]: row["value"] for row in hyperparameter_rows(version)},
        **dict(training_facts(version["training"])),
        **{f"{name} (library)": str(value) for name, value in sorted(version["libraries"].items())},
        "File size": formatting.size(version["size_bytes"]),
        "Trained by": version["created_by"] or "the system",
    }
    return {title: formatting.visible(value) for title, value in facts.items()}


def predict_url(slug: str, name: str, number: int) -> str:
    """Address of the form that predicts with this version."""
    return f"/{project_path(slug, 'jobs', 'new')}?{urlencode({'type': 'ml_inference', 'model': name, 'version': number})}"  # noqa: E501
