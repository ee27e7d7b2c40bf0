"""`ml_training`: the trained model becomes a model version."""

import math
from typing import Any
from uuid import UUID

from jobs.contract import ArtifactRole
from jobs.models import Attempt, Job, JobOutput
from jobs.types.base import artifact_of, read_json, refused_input, refused_protocol
from mimir.lib.errors import MimirError
from mimir.lib.schemas.hyperparameters import HYPERPARAMETERS
from mimir.lib.schemas.metrics import CLASSIFICATION, REGRESSION, metrics_of
from mimir.lib.schemas.signature import CLASSES_MAX, kind_of
from projects.model_registry.write import model_version_from_job
from projects.models import DatasetVersion

REPORT_BYTES_MAX = 4 * 1024 * 1024
DEPTH_MAX, TEXT_MAX, WHOLE_MAX = 8, 10_000, 2**63
_TEXTS = frozenset({"task", "algorithm", "target"})
_OBJECTS = frozenset(
    {"hyperparameters", "signature", "metrics", "baseline", "plots", "training", "libraries"}
)


def prepare(job: Job, attempt: Attempt, result: dict[str, Any]) -> dict[str, Any]:
    """The model's file and the report about it, checked. Raises: OutcomeRefused."""
    artifact = artifact_of(attempt, result.get("artifact"), ArtifactRole.MODEL)
    report = read_json(
        artifact_of(attempt, result.get("report"), ArtifactRole.MODEL), bytes_max=REPORT_BYTES_MAX
    )
    fault = _report_fault(report, job.parameters)
    if fault:
        raise refused_protocol(f"its report {fault}")
    return {"artifact": artifact, "report": report}


def apply(job: Job, attempt: Attempt, prepared: dict[str, Any]) -> dict[str, Any]:
    """Raises: OutcomeRefused."""
    artifact, report = prepared["artifact"], prepared["report"]
    row = next(row for row in job.inputs if row["kind"] == "dataset")
    try:
        version = model_version_from_job(
            project=job.project,
            name=job.parameters["model"],
            storage_key=artifact.storage_key,
            size_bytes=artifact.size_bytes,
            sha256=artifact.sha256,
            training_data=DatasetVersion.objects.get(id=UUID(row["id"])),
            report=report,
            user=job.created_by,
        )
    except MimirError as error:
        raise refused_input(error) from error
    JobOutput.objects.create(job=job, model_version=version)
    return {
        "model": job.parameters["model"],
        "version": version.number,
        "metrics": report["metrics"],
        "baseline": report["baseline"],
    }


def _report_fault(report: dict[str, Any], parameters: dict[str, Any]) -> str:
    """What of the report no training of ours would say; empty when nothing. It was asked for a target, an algorithm and perhaps a task."""
    if report.keys() != _TEXTS | _OBJECTS:
        return f"has to hold {', '.join(sorted(_TEXTS | _OBJECTS))}"
    for key, value in report.items():
        if not isinstance(value, str if key in _TEXTS else dict):
            return f"has a {key} of another kind"
        if not _is_plain(value, DEPTH_MAX):
            return f"has a {key} with a number that is not finite, text that cannot be stored, or too many layers"
    if (
        report["task"] not in (REGRESSION, CLASSIFICATION)
        or report["algorithm"] not in HYPERPARAMETERS
    ):
        return "names an unknown task or algorithm"
    asked = {key: parameters[key] for key in ("target", "task", "algorithm") if key in parameters}
    if any(report[key] != value for key, value in asked.items()):
        return f"is about another {' or '.join(asked)} than the job's"
    return _figures_fault(report) or _signature_fault(report)


def _figures_fault(report: dict[str, Any]) -> str:
    known = {metric.name for metric in metrics_of(report["task"])}
    metrics, baseline = report["metrics"], report["baseline"]
    if not metrics or not metrics.keys() <= known or metrics.keys() != baseline.keys():
        return f"has to give the same metrics of the model and of the baseline, among {', '.join(sorted(known))}"
    if not all(_is_number(value) for value in (*metrics.values(), *baseline.values())):
        return "has a metric that is not a number"
    return ""


def _signature_fault(report: dict[str, Any]) -> str:
    """The signature judges every later table, and names the columns of the predictions."""
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
        return "has a signature of another shape"
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
        return "has a signature with a target no model can have"
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
        else f"has to name 2 to {CLASSES_MAX} distinct classes"
    )


def _is_feature(feature: object) -> bool:
    if not isinstance(feature, dict) or feature.keys() != {"name", "kind", "type"}:
        return False
    return (
        all(isinstance(value, str) for value in feature.values())
        and kind_of(feature["type"]) == feature["kind"]
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_plain(value: object, depth: int) -> bool:
    """Whether PostgreSQL and every reader of JSON take it: finite numbers, storable text, few layers."""
    match value:
        case str():
            return len(value) <= TEXT_MAX and _is_storable(value)
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


def _is_storable(text: str) -> bool:
    """PostgreSQL's JSON has no U+0000 and no half of a surrogate pair."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
