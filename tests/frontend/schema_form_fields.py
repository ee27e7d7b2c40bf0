"""Fields of a job type's form, with example choices."""

from typing import Any

from mimir.frontend import schema_form
from mimir.frontend.pages.submit import request_schema
from mimir.frontend.schema_form import Choice, Field, Offers

COLUMNS = [
    {"name": "rides", "type": "BIGINT"},
    {"name": "hour", "type": "INTEGER"},
    {"name": "photo", "type": "BLOB"},
]
OFFERS = Offers(
    names={
        "dataset": [Choice("trips", "trips (v3)")],
        "model": [],
        "twin": [Choice("stations", "stations")],
    },
    newest={"parameters.dataset": 3},
    columns=COLUMNS,
    usable=frozenset({"rides", "hour"}),
    types=[Choice("station", "Station")],
    properties=[Choice("bikes", "Bikes"), Choice("docks", "Docks")],
)


def fields_of(
    job_type: str, texts: dict[str, list[str]], offers: Offers = OFFERS, **more: Any
) -> dict[str, Field]:
    schema = request_schema.request_schema(job_type, texts)
    fields = schema_form.fields(schema, texts, offers, errors=more.pop("errors", {}), **more)
    return {field.name: field for field in schema_form.names_of(fields)}
