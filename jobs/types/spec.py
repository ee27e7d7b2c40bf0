"""Description of a job type. Pure: no Django, no I/O."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from jobs.contract import Priority
from jobs.core.resources import Profile
from mimir.lib.schemas.field_errors import FieldError
from mimir.lib.schemas.schema_types import JsonSchema

Kind = Literal["dataset", "model", "pipeline", "twin"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def _no_faults(_parameters: Mapping[str, object]) -> list[FieldError]:
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTypeSpec:
    """Facts about a job type that need no database.

    `parameters` is a JSON Schema (2020-12) with the form keywords of
    `mimir.lib.schemas.parameters`. `check` finds errors between fields, which a schema cannot
    express. It is called only with parameters that match the schema.
    """

    name: str  # in the API, in rows, in metrics; also the name of the type's packages
    order: int  # position in forms, filters and the API's list
    title: str  # "Training"
    icon: str  # a symbol of static/img/icons.svg
    summary: str  # purpose of the type, for a list of types
    heading: str  # heading of the parameters in a form
    button: str  # label of the form's submit button
    job_title: str  # title of a job without a name; braces hold a parameter's name
    producer_title: str = ""  # title of all runs with the same result, if not `job_title`
    subject: Kind | None  # parameter with the name of the job's subject, for that object's page
    output: str | None  # parameter with the name of the object that gets a new version
    parameters: JsonSchema
    check: Callable[[Mapping[str, object]], list[FieldError]] = _no_faults
    profile: Profile  # resources without a request and without RESOURCE_PROFILES
    default_priority: Priority
    reads: tuple[Kind, ...]
    produces: tuple[Kind, ...]  # kinds of which a successful job writes new versions
