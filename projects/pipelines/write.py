"""Check and save pipelines. Each changed definition is a new version that never changes."""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

from mimir.api.etags import Preconditions, check_etag
from mimir.lib.errors import Invalid, TooLarge
from mimir.lib.schemas.field_errors import FieldError
from mimir.lib.schemas.pipeline_types import StepGraph
from mimir.lib.schemas.steps import STEP_TYPES
from mimir.lib.schemas.steptype import Columns
from projects.core.access import demand_active
from projects.core.connection import connection_release
from projects.core.names import check_name
from projects.models import Pipeline, PipelineVersion, Project
from projects.parsing import definition_check
from projects.parsing.messages import StepCheck, empty_graph
from projects.parsing.slots import Owner
from projects.pipelines.definition_data import definition_data
from projects.storage import artifacts

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_NAMED_MAX = 5


@dataclass(frozen=True, slots=True)
class PipelineCheck:
    """Result of a check.

    `faults` forbid saving; with `data_faults` a job would fail. `steps` has the result of each step
    (see `definition_check.Checked`), `summary` the same in a few sentences.
    """

    faults: list[FieldError]
    data_faults: list[FieldError] = field(default_factory=list)
    steps: list[StepCheck] = field(default_factory=list)
    graph: StepGraph = field(default_factory=empty_graph)
    summary: str = ""


@dataclass(frozen=True, slots=True)
class PipelineSaved:
    """Result of saving. `created` is false if the definition equals the newest version."""

    version: PipelineVersion
    created: bool
    check: PipelineCheck


def pipeline_check(*, project: Project, definition: object, user: "User | None") -> PipelineCheck:
    """Check a definition, and its references to the project's data, in a parsing child.

    Raises: TooLarge, Busy.
    """
    _check_size(definition)
    reads, writes = definition_data(project=project, definition=definition)
    connection_release()
    checked = definition_check.check(
        definition,
        reads=reads,
        writes=writes,
        scratch_dir=artifacts.scratch_dir(),
        owner=Owner(str(user.pk) if user else "", str(project.id)),
    )
    faults, data_faults, steps = (
        list(checked.faults),
        list(checked.data_faults),
        list(checked.steps),
    )
    return PipelineCheck(faults, data_faults, steps, checked.graph, _summary(faults, steps))


def pipeline_etag(number: int) -> str:
    """Return an ETag that changes with every version."""
    return f'"{number}"'


def pipeline_save(
    *,
    project: Project,
    name: str,
    definition: object,
    user: "User | None",
    etags: Preconditions | None = None,
) -> PipelineSaved:
    """Save the next version of pipeline `name`, which is created if it is new.

    The newest definition again creates no version. `etags`, if given, must contain the newest
    version's, so that two editors cannot overwrite each other.

    Raises: Invalid with `definition.<path>` of each fault, TooLarge, Busy, ProjectArchived,
    PreconditionFailed.
    """
    check_name(name)
    demand_active(project)
    check = pipeline_check(project=project, definition=definition, user=user)
    if check.faults:
        detail = {_under_definition(fault.path): fault.message for fault in check.faults}
        count = len(check.faults)
        raise Invalid(
            f"The definition has {count} fault{'s' if count > 1 else ''}.",
            code="invalid_definition",
            detail=detail,
        )
    with transaction.atomic():
        Pipeline.objects.bulk_create([Pipeline(project=project, name=name)], ignore_conflicts=True)
        pipeline = Pipeline.objects.select_for_update().get(project=project, name=name)
        check_etag(pipeline_etag(pipeline.latest_number) if pipeline.latest_number else None, etags)
        newest = (
            pipeline.versions.filter(number=pipeline.latest_number)
            .select_related("pipeline", "created_by")
            .first()
        )
        if newest is not None and _text(newest.definition) == _text(definition):
            return PipelineSaved(newest, created=False, check=check)
        pipeline.latest_number += 1
        pipeline.save(update_fields=["latest_number"])
        version = PipelineVersion.objects.create(
            pipeline=pipeline, number=pipeline.latest_number, definition=definition, created_by=user
        )
        return PipelineSaved(version, created=True, check=check)


def _text(definition: object) -> str:
    """Return a canonical text of a definition, to compare two of them.

    The order of keys does not matter; 1, 1.0 and true differ.
    """
    return json.dumps(definition, sort_keys=True)


def _under_definition(path: str) -> str:
    return f"definition.{path}" if path else "definition"


def _check_size(definition: object) -> None:
    limit: int = settings.ENV.definition_bytes_max
    if len(json.dumps(definition)) > limit:
        raise TooLarge(
            f"The definition is larger than {limit} bytes.",
            detail={"definition": f"at most {limit} bytes"},
        )


def _summary(faults: list[FieldError], steps: list[StepCheck]) -> str:
    """Return a few sentences about the checked and the unchecked parts."""
    if faults:
        return (
            "Checked: the structure of the definition and the syntax of its SQL."
            " Not checked until the errors are fixed: datasets, columns."
        )
    columns = [STEP_TYPES[step["uses"]].columns for step in steps]
    checked = [
        kind for kind, step in zip(columns, steps, strict=True) if step["status"] != "not_checked"
    ]
    bound, read = checked.count(Columns.QUERY), checked.count(Columns.DATASET)
    parts = ["the structure of the definition"]
    if Columns.QUERY in columns:
        parts.append("the syntax of its SQL")
    if read:
        parts.append(f"{_plural(read, 'dataset that is read', 'datasets that are read')}")
    if bound:
        parts.append(f"tables, columns and types in the SQL of {_plural(bound, 'step', 'steps')}")
    sentences = [f"Checked: {', '.join(parts)}. The values in the data are not checked."]
    left = [step for step in steps if step["status"] == "not_checked"]
    if left:
        named = "; ".join(f"{step['id']} ({step['message']})" for step in left[:_NAMED_MAX])
        more = f"; and {len(left) - _NAMED_MAX} more" if len(left) > _NAMED_MAX else ""
        sentences.append(f"Not checked: {named}{more}.")
    return " ".join(sentences)


def _plural(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
