"""The description of a job type. Pure: no Django, no I/O."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from jobs.contract import Priority
from jobs.core.resources import Profile
from mimir.lib.schemas.field_errors import FieldError

Kind = Literal["dataset", "model", "pipeline", "twin"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def _no_faults(_parameters: Mapping[str, Any]) -> list[FieldError]:
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTypeSpec:
    """Everything about a job type that needs no database.

    `parameters` is a JSON Schema (2020-12) with the form keywords of
    `mimir.lib.schemas.parameters`. `check` finds faults between fields that a schema cannot
    express; it is called only with parameters that fit the schema.
    """

    name: str  # in the API, in rows, in metrics; also the names of the type's packages
    order: int  # position in forms, filters and the API's list
    title: str  # "Training"
    icon: str  # a symbol of static/img/icons.svg
    summary: str  # what jobs of the type do, for a list of types
    heading: str  # heading of the parameters in a form
    button: str  # label of the form's submit button
    job_title: str  # title of a job without a name; braces hold a parameter's name
    producer_title: str = ""  # title of all runs with the same result, if not `job_title`
    subject: Kind | None  # the parameter that names what a job is about, for its page
    output: str | None  # the parameter that names what a job writes a new version of
    parameters: dict[str, Any]
    check: Callable[[Mapping[str, Any]], list[FieldError]] = _no_faults
    profile: Profile  # resources unless the job or RESOURCE_PROFILES says otherwise
    default_priority: Priority
    reads: tuple[Kind, ...]
    produces: tuple[Kind, ...]  # of which a successful job writes new versions
