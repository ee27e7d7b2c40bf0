"""Outcome of `digital_twin_update`: the changes to the base become a revision."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from rest_framework import serializers

from jobs.contract import ArtifactRole, FailureReason
from jobs.models import Artifact, Attempt, Job, JobOutput
from jobs.types.outcome import (
    JobResult,
    OutcomeRefused,
    artifact_of,
    open_artifact,
    refused_input,
    refused_protocol,
)
from mimir.lib.errors import MimirError
from mimir.lib.json_types import JsonObject
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


class DigitalTwinUpdateResult(serializers.Serializer[Any]):
    """Public result of a job."""

    twin = serializers.CharField()
    revision = serializers.IntegerField(help_text="The newest when nothing changed.")
    created = serializers.IntegerField(help_text="Entities.")
    changed = serializers.IntegerField()
    removed = serializers.IntegerField()


RESULT = DigitalTwinUpdateResult


@dataclass(frozen=True, slots=True)
class TwinUpdate:
    """Checked changes of one update."""

    twin_id: UUID
    base_revision: int
    reports: list[EntityReport]
    dataset_version: DatasetVersion


def prepare(job: Job, attempt: Attempt, result: JsonObject) -> TwinUpdate:
    """Return the checked changes. Raises: OutcomeRefused.

    Values are checked against the newest definition. If that is not the definition of the base,
    the base is stale and `apply` refuses it.
    """
    base = result.get("base_revision")
    if isinstance(base, bool) or not isinstance(base, int) or not 0 <= base < 2**31:
        raise refused_protocol("base_revision must be a whole number")
    artifact = artifact_of(attempt, result.get("artifact"), ArtifactRole.TWIN)
    if artifact.size_bytes > settings.ENV.twin_changes_bytes_max:
        limit = settings.ENV.twin_changes_bytes_max
        raise OutcomeRefused(
            FailureReason.INVALID_INPUT,
            f"The update is too large: {artifact.size_bytes} bytes of changes, at most {limit}"
            " (TWIN_CHANGES_BYTES_MAX). Split it.",
        )
    definition = twin_definition_find(project=job.project, name=job.parameters["twin"])
    if definition is None:
        raise OutcomeRefused(
            FailureReason.INVALID_INPUT, f"There is no twin {job.parameters['twin']} any more."
        )
    if definition.twin.base_revision != base:
        reports = []  # `apply` refuses the stale base under the lock
    else:
        kind = entity_type(definition.definition, job.parameters["type"])
        reports = _reports(artifact, fields_of(kind) if kind else {})
    row = next(row for row in job.inputs if row["kind"] == "dataset")
    return TwinUpdate(definition.twin_id, base, reports, DatasetVersion.objects.get(id=row["id"]))


def apply(job: Job, attempt: Attempt, prepared: TwinUpdate) -> JobResult:
    """Write the revision.

    Raises: OutcomeRefused, with `stale_base` if the twin has a newer revision.
    """
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
    revision = updated.revision
    if revision is not None:
        JobOutput.objects.create(job=job, twin_revision=revision)
    return {
        "twin": job.parameters["twin"],
        "revision": updated.number,
        "created": revision.created if revision is not None else 0,
        "changed": revision.changed if revision is not None else 0,
        "removed": revision.removed if revision is not None else 0,
    }


def _reports(artifact: Artifact, fields: dict[str, Field]) -> list[EntityReport]:
    """Read the changes line by line, in ascending order of keys. Raises: OutcomeRefused."""
    reports: list[EntityReport] = []
    last = ""
    count_max = 2 * settings.ENV.twin_entities_max  # all entities removed, and as many created
    with open_artifact(artifact) as file:
        while line := file.readline(_LINE_BYTES_MAX):
            report = _report(line, fields)
            if report.key <= last:
                raise refused_protocol("the keys of its changes are not in order")
            last = report.key
            reports.append(report)
            if len(reports) > count_max:
                raise OutcomeRefused(
                    FailureReason.INVALID_INPUT,
                    f"The update changes more than {count_max:,} entities, twice the limit of a"
                    " twin (TWIN_ENTITIES_MAX). Update it from fewer rows.",
                )
    return reports


def _report(line: bytes, fields: dict[str, Field]) -> EntityReport:
    """Parse the change in one line. Raises: OutcomeRefused."""
    try:
        found = json.loads(line)
        key = checked_key(found["key"])
        if (
            not isinstance(found["key"], str)
            or found.keys() - {"key", "set", "status"}
            or ("set" in found) == ("status" in found)
        ):
            raise refused_protocol("a change must have a key and either `set` or `status`")
        if "status" in found:
            return EntityReport(key, {}, _GONE[found["status"]])
        values = {
            name: None if value is None else checked_value(fields[name], value)
            for name, value in found["set"].items()
        }
    except BadValue as error:
        raise refused_protocol(f"a change holds a value that its property {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise refused_protocol("a line of its changes cannot be read") from error
    return EntityReport(key, values)
