"""Pipelines are checked and saved; each save is a version of its own and never changes."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from mimir.api.etags import Preconditions, check_etag
from mimir.lib.errors import Invalid, TooLarge
from mimir.lib.schemas.faults import Fault
from projects import storage
from projects.access import demand_active
from projects.connection import connection_release
from projects.models import Pipeline, PipelineVersion, Project
from projects.names import check_name
from projects.parsing import definitions
from projects.parsing.slots import Owner

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass(frozen=True, slots=True)
class PipelineCheck:
    """What is wrong with a definition, each with its path in it, and its graph: empty while something is wrong."""

    faults: list[Fault]
    graph: dict[str, Any]


def pipeline_check(*, project: Project, definition: Any, user: "User") -> PipelineCheck:
    """Check a definition without saving it, in a parsing child. Raises: TooLarge, Busy."""
    _check_size(definition)
    connection_release()
    checked = definitions.check(definition, scratch_dir=storage.scratch_dir(), owner=Owner(str(user.pk), str(project.id)))
    return PipelineCheck(faults=list(checked.faults), graph=checked.graph)


def pipeline_etag(number: int) -> str:
    """Changes with every save."""
    return f'"{number}"'


def pipeline_save(
    *,
    project: Project,
    name: str,
    definition: Any,
    user: "User",
    etags: Preconditions | None = None,
) -> PipelineVersion:
    """The next version of pipeline `name`, which is made when it is new. The same definition again is a version again.

    `etags`, when given, has to hold the present newest version's: two people who edit do not pass each other by.
    Raises: Invalid with `definition.<path>` of each fault, TooLarge, ProjectArchived, PreconditionFailed.
    """
    check_name(name)
    demand_active(project)
    faults = pipeline_check(project=project, definition=definition, user=user).faults
    if faults:
        detail = {_under_definition(fault.path): fault.message for fault in faults}
        raise Invalid(f"The definition has {len(faults)} fault{'s' if len(faults) > 1 else ''}.", code="invalid_definition", detail=detail)
    with transaction.atomic():
        Pipeline.objects.bulk_create([Pipeline(project=project, name=name)], ignore_conflicts=True)
        pipeline = Pipeline.objects.select_for_update().get(project=project, name=name)
        check_etag(pipeline_etag(pipeline.latest_number) if pipeline.latest_number else None, etags)
        pipeline.latest_number += 1
        pipeline.save(update_fields=["latest_number"])
        return PipelineVersion.objects.create(
            pipeline=pipeline, number=pipeline.latest_number, definition=definition, created_by=user
        )


def _under_definition(path: str) -> str:
    return f"definition.{path}" if path else "definition"


def _check_size(definition: Any) -> None:
    limit: int = settings.ENV.definition_bytes_max
    if len(json.dumps(definition)) > limit:
        raise TooLarge(f"The definition is larger than {limit} bytes.", detail={"definition": f"at most {limit} bytes"})
