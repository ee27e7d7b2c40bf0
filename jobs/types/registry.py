"""Job types of this release, found as the packages next to this module."""

from collections import defaultdict
from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import jobs.types
from jobs.core.resources import Profile
from jobs.types.spec import JobTypeSpec
from mimir.lib.schemas import jsonschema
from mimir.lib.schemas.field_errors import FieldError


def _find_specs() -> dict[str, JobTypeSpec]:
    """Import the spec of every package.

    Raises: RuntimeError if a spec and its package have different names.
    """
    found: list[JobTypeSpec] = []
    for module in iter_modules(jobs.types.__path__):
        if module.ispkg:
            spec: JobTypeSpec = import_module(f"jobs.types.{module.name}.spec").SPEC
            if spec.name != module.name:
                raise RuntimeError(f"jobs/types/{module.name} describes the type {spec.name!r}")
            found.append(spec)
    return {spec.name: spec for spec in sorted(found, key=lambda spec: (spec.order, spec.name))}


SPECS: Mapping[str, JobTypeSpec] = _find_specs()


def job_type_names() -> list[str]:
    """Return the names of all types, in the order of lists and forms."""
    return list(SPECS)


def builtin_profiles() -> dict[str, Profile]:
    """Return the resources of each type before RESOURCE_PROFILES is applied."""
    return {name: spec.profile for name, spec in SPECS.items()}


def derived_title(
    job_type: str, parameters: Mapping[str, object], *, of_producer: bool = False
) -> str:
    """Return the title of a job without a name, derived from its text parameters.

    `of_producer`: return the title of all runs with the same result. The title of a type unknown to
    this release is the name of the type.
    """
    spec = SPECS.get(job_type)
    if spec is None:
        return job_type
    texts = {name: value for name, value in parameters.items() if isinstance(value, str)}
    title = (of_producer and spec.producer_title) or spec.job_title
    return title.format_map(defaultdict(str, texts))


def check_parameters(job_type: str, parameters: Any) -> list[FieldError]:
    """Return the errors in a request's parameters, with paths that begin with `parameters`.

    Needs no database. The type's `inputs.resolve` checks the objects that the parameters name (a
    dataset, its columns).
    """
    spec = SPECS[job_type]
    return jsonschema.check(spec.parameters, parameters, "parameters") or spec.check(parameters)
