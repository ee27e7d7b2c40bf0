"""Spec of `pipeline_execution`."""

from jobs.contract import Priority
from jobs.core.resources import GIB, Amounts, Profile
from jobs.types.spec import JobTypeSpec
from mimir.lib.schemas.parameters import VERSION, existing_name, object_schema

PARAMETERS = object_schema(
    ("pipeline",),
    {"pipeline": existing_name("pipeline", "Pipeline"), "version": {**VERSION, "x-of": "pipeline"}},
)


SPEC = JobTypeSpec(
    name="pipeline_execution",
    order=1,
    title="Pipeline",
    icon="pipeline_execution",
    summary="Read, transform, write data",
    heading="Pipeline to run",
    button="Run pipeline",
    job_title="Pipeline {pipeline}",
    producer_title="{pipeline}",
    subject="pipeline",
    output=None,
    parameters=PARAMETERS,
    profile=Profile(Amounts(1000, 2 * GIB), Amounts(2000, 4 * GIB)),
    default_priority=Priority.NORMAL,
    reads=(
        "pipeline",
        "dataset",
    ),
    produces=("dataset",),
)
