"""Validation of the untrusted report that a training worker sends with its model."""

import math
from collections.abc import Mapping
from typing import Any

from mimir.lib.json_values import is_number, is_storable
from mimir.lib.schemas.hyperparameters import HYPERPARAMETERS
from mimir.lib.schemas.metrics import CLASSIFICATION, REGRESSION, metrics_of
from mimir.lib.schemas.signature import CLASSES_MAX, kind_of

DEPTH_MAX, TEXT_MAX, WHOLE_MAX = 8, 10_000, 2**63
_TEXTS = frozenset({"task", "algorithm", "target"})
_OBJECTS = frozenset(
    {"hyperparameters", "signature", "metrics", "baseline", "plots", "training", "libraries"}
)


def report_fault(report: Mapping[str, Any], parameters: Mapping[str, Any]) -> str:
    """Return the first reason to refuse the report; empty if it is valid.

    `parameters`: the job's. The report must repeat their target, task and algorithm.
    """
    if report.keys() != _TEXTS | _OBJECTS:
        return f"must hold {', '.join(sorted(_TEXTS | _OBJECTS))}"
    for key, value in report.items():
        if not isinstance(value, str if key in _TEXTS else dict):
            return f"has a {key} of the wrong type"
        if not _is_plain(value, DEPTH_MAX):
            return (
                f"has a {key} with a number that is not finite, text that cannot be stored,"
                " or too many levels"
            )
    if (
        report["task"] not in (REGRESSION, CLASSIFICATION)
        or report["algorithm"] not in HYPERPARAMETERS
    ):
        return "names an unknown task or algorithm"
    wanted = {key: parameters[key] for key in ("target", "task", "algorithm") if key in parameters}
    if any(report[key] != value for key, value in wanted.items()):
        return f"has another {' or '.join(wanted)} than the job's"
    return _metrics_fault(report) or _signature_fault(report)


def _metrics_fault(report: Mapping[str, Any]) -> str:
    """Return the error in `metrics` and `baseline`; empty if there is none."""
    known = {metric.name for metric in metrics_of(report["task"])}
    metrics, baseline = report["metrics"], report["baseline"]
    if not metrics or not metrics.keys() <= known or metrics.keys() != baseline.keys():
        return (
            "must give the same metrics for the model and the baseline,"
            f" among {', '.join(sorted(known))}"
        )
    if not all(is_number(value) for value in (*metrics.values(), *baseline.values())):
        return "has a metric that is not a number"
    return ""


def _signature_fault(report: Mapping[str, Any]) -> str:
    """Return the error in the signature; empty if there is none.

    Predictions compare every table with the signature.
    """
    signature = report["signature"]
    features, target, classes = (
        signature.get("features"),
        signature.get("target"),
        signature.get("classes"),
    )
    if (
        not signature.keys() <= {"features", "target", "task", "classes"}
        or signature.get("task") != report["task"]
    ):
        return "has a signature with unexpected fields"
    if (
        not isinstance(features, list)
        or not features
        or not all(_is_feature(feature) for feature in features)
    ):
        return "has a signature whose features are not a list of {name, kind, type}"
    if (
        not isinstance(target, dict)
        or target.keys() != {"name", "type"}
        or target["name"] != report["target"]
    ):
        return "has a signature with another target"
    if not isinstance(target["type"], str) or kind_of(target["type"]) is None:
        return "has a signature with an unsupported type of target"
    if report["task"] == REGRESSION:
        return "" if classes is None else "has classes although it is a regression"
    texts = (
        isinstance(classes, list)
        and 2 <= len(classes) <= CLASSES_MAX
        and all(isinstance(name, str) for name in classes)
    )
    return (
        ""
        if texts and len(set(classes)) == len(classes)
        else f"must name 2 to {CLASSES_MAX} distinct classes"
    )


def _is_feature(feature: object) -> bool:
    if not isinstance(feature, dict) or feature.keys() != {"name", "kind", "type"}:
        return False
    return (
        all(isinstance(value, str) for value in feature.values())
        and kind_of(feature["type"]) == feature["kind"]
    )


def _is_plain(value: object, depth: int) -> bool:
    """Return whether PostgreSQL and every JSON reader accept the value.

    That is: finite numbers, storable text, at most `depth` levels.
    """
    match value:
        case str():
            return len(value) <= TEXT_MAX and is_storable(value)
        case bool() | None:
            return True
        case int():
            return abs(value) < WHOLE_MAX
        case float():
            return math.isfinite(value)
        case list():
            return depth > 0 and all(_is_plain(item, depth - 1) for item in value)
        case dict():
            return depth > 0 and all(
                _is_plain(key, 0) and _is_plain(item, depth - 1) for key, item in value.items()
            )
    return False
