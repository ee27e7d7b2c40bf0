"""`digital_twin_update`: what differs from the base becomes a revision."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings

from jobs.contract import ArtifactRole, FailureReason
from jobs.models import Artifact, Attempt, Job, JobOutput
from jobs.types.base import (
    OutcomeRefused,
    artifact_of,
    open_artifact,
    refused_input,
    refused_protocol,
)
from mimir.lib.errors import MimirError
from mimir.lib.schemas.twin import (
    BadValue,
    Field,
    checked_key,
    checked_value,
    entity_type,
    fields_of,
)
from projects.models import DatasetVersion, EntityStatus
from projects.twins.read import twin_definition_find
from projects.twins.updates import EntityReport, StaleBase, twin_update_apply

_LINE_BYTES_MAX = 16 * 1024**2
_GONE = {"missing": EntityStatus.MISSING, "removed": EntityStatus.REMOVED}


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the worker reports, checked line by line."""

    twin_id: UUID
    base_revision: int
    reports: list[EntityReport]
    dataset_version: DatasetVersion


def prepare(job: Job, attempt: Attempt, result: dict[str, Any]) -> Prepared:
    """Raises: OutcomeRefused. Values are held against the newest definition; if that is not the base's, the base is stale anyway."""
    base = result.get("base_revision")
    if isinstance(base, bool) or not isinstance(base, int) or not 0 <= base < 2**31:
        raise refused_protocol("base_revision has to be a whole number")
    artifact = artifact_of(attempt, result.get("artifact"), ArtifactRole.TWIN)
    if artifact.size_bytes > settings.ENV.twin_changes_bytes_max:
        limit = settings.ENV.twin_changes_bytes_max
        message = f"It changes more of the twin than one update may: {artifact.size_bytes} bytes of {limit} (TWIN_CHANGES_BYTES_MAX). Split it."
        raise OutcomeRefused(FailureReason.INVALID_INPUT, message)
    definition = twin_definition_find(project=job.project, name=job.parameters["twin"])
    if definition is None:
        raise OutcomeRefused(
            FailureReason.INVALID_INPUT, f"There is no twin {job.parameters['twin']} any more."
        )
    if definition.twin.base_revision != base:
        reports = []  # refused for that under the lock, in words of its own
    else:
        kind = entity_type(definition.definition, job.parameters["type"])
        reports = _reports(artifact, fields_of(kind) if kind else {})
    row = next(row for row in job.inputs if row["kind"] == "dataset")
    return Prepared(definition.twin_id, base, reports, DatasetVersion.objects.get(id=row["id"]))


def apply(job: Job, attempt: Attempt, prepared: Prepared) -> dict[str, Any]:
    """Raises: OutcomeRefused, `stale_base` when the twin has moved on."""
    try:
        updated = twin_update_apply(
            twin_id=prepared.twin_id,
            type=job.parameters["type"],
            base_revision=prepared.base_revision,
            reports=prepared.reports,
            dataset_version=prepared.dataset_version,
            user=job.created_by,
        )
    except StaleBase as stale:
        raise OutcomeRefused(FailureReason.STALE_BASE, stale.message) from stale
    except MimirError as error:
        raise refused_input(error) from error
    counts = {"created": 0, "changed": 0, "removed": 0}
    if updated.revision is not None:
        JobOutput.objects.create(job=job, twin_revision=updated.revision)
        counts = {name: getattr(updated.revision, name) for name in counts}
    return {"twin": job.parameters["twin"], "revision": updated.number, **counts}


def _reports(artifact: Artifact, fields: dict[str, Field]) -> list[EntityReport]:
    """Line by line; keys come in order, so that none comes twice. Raises: OutcomeRefused."""
    reports: list[EntityReport] = []
    last, most = (
        "",
        2 * settings.ENV.twin_entities_max,
    )  # all that are there go, and as many others come
    with open_artifact(artifact) as file:
        while line := file.readline(_LINE_BYTES_MAX):
            report = _report(line, fields)
            if report.key <= last:
                raise refused_protocol("the keys of its changes are not in order")
            last = report.key
            reports.append(report)
            if len(reports) > most:
                message = f"It changes more than {most:,} entities, twice what a twin may have (TWIN_ENTITIES_MAX). Update it from fewer rows."
                raise OutcomeRefused(FailureReason.INVALID_INPUT, message)
    return reports


def _report(line: bytes, fields: dict[str, Field]) -> EntityReport:
    try:
        found = json.loads(line)
        key = checked_key(found["key"])
        if (
            not isinstance(found["key"], str)
            or found.keys() - {"key", "set", "status"}
            or ("set" in found) == ("status" in found)
        ):
            raise refused_protocol("a change names a key and either what is set or its status")
        if "status" in found:
            return EntityReport(key, {}, _GONE[found["status"]])
        values = {
            name: None if value is None else checked_value(fields[name], value)
            for name, value in found["set"].items()
        }
    except BadValue as error:
        raise refused_protocol(f"a change holds a value that its property {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise refused_protocol("a line of its changes is not one") from error
    return EntityReport(key, values)
