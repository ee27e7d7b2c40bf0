"""Query expressions over jobs, used by indexes and queries."""

from collections.abc import Mapping

from django.db.models import BigIntegerField, F, Func, TextField, Value
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Cast, Coalesce, Collate, Reverse
from django.db.models.lookups import GreaterThan, IsNull

# Types whose titles the SQL function `jobs_search_text` derives. Titles of other types are stored
# by lifecycle/submit.py.
SQL_TITLES = frozenset({"pipeline_execution", "ml_training", "ml_inference", "digital_twin_update"})

# Parameters with the name of a job's producer. The first one that is set counts.
PRODUCER_KEYS = ("pipeline", "output", "model", "twin")


def choices(enum: type) -> list[tuple[str, str]]:
    return [(member.value, member.value) for member in enum]  # type: ignore[attr-defined]


def producer() -> Coalesce:
    """Return the expression for the name that, together with the type, identifies a producer.

    It is the name of a pipeline, or of the dataset, model or twin of which the job makes a version.
    """
    return Coalesce(*(KeyTextTransform(name, "parameters") for name in PRODUCER_KEYS))


def producer_name(parameters: Mapping[str, object]) -> str:
    """Return the value of `producer` for a job's parameters; empty without one."""
    names = (parameters.get(key) for key in PRODUCER_KEYS)
    return next((str(name) for name in names if name is not None), "")


def requested(amount: str) -> Cast:
    """Return the expression for an amount of the job's requests, as a number."""
    return Cast(KeyTextTransform(amount, KeyTransform("requests", "resources")), BigIntegerField())


def queue_key() -> tuple[str | Cast | GreaterThan | IsNull, ...]:
    """Return the expressions of the queue's index: equal requests, then age.

    `admission.queue_rows` reads the index by the same expressions.
    """
    return (
        "project",
        "type",
        "priority",
        "cluster",
        "region",
        *(requested(amount) for amount in ("cpu_millicores", "memory_bytes", "gpus")),
        GreaterThan(F("exclusive_key"), Value("")),
        IsNull(F("not_before"), False),
        "queued_at",
        "id",
    )


def line_key() -> tuple[str | Cast, ...]:
    """Return the expressions of the index `job_queue_lines`: project, priority, age, requests.

    A line is the waiting jobs of one project and priority.

    `admission.line_rows` reads the index by the same expressions.
    """
    amounts = (requested(amount) for amount in ("cpu_millicores", "memory_bytes", "gpus"))
    return ("project", "priority", "queued_at", "id", *amounts)


def title_parts() -> Func:
    """Return the expression for upper-cased 1- to 3-grams of the titles of a `JobSearch`.

    Indexed for substring search.
    """
    return Func(F("titles"), function="jobs_text_parts")


def id_from_its_end() -> Collate:
    """Return the expression for the reversed job id of a `JobSearch`, for suffix search."""
    return Collate(Reverse(Cast("job_id", TextField())), "C")
