"""Spec of `digital_twin_update`."""

from jobs.contract import Priority
from jobs.core.resources import GIB, Amounts, Profile
from jobs.types.spec import JobTypeSpec
from mimir.lib.schemas.parameters import COLUMN, VERSION, existing_name, object_schema

PARAMETERS = object_schema(
    ("twin", "dataset", "type", "key"),
    {
        "twin": existing_name("twin", "Twin"),
        "dataset": existing_name(
            "dataset", "Dataset", "One row per entity, or several with Latest by."
        ),
        "version": {**VERSION, "x-of": "dataset"},
        "type": {
            "type": "string",
            "title": "Entity type",
            "minLength": 1,
            "maxLength": 100,
            "format": "twin-type",
            "x-of": "twin",
            "x-rule": "an entity type of the twin's definition",
        },
        "key": {
            **COLUMN,
            "title": "Key column",
            "format": "column",
            "x-of": "dataset",
            "description": "Column with the key of each row's entity.",
        },
        "properties": {
            "type": "object",
            "title": "Properties",
            "additionalProperties": COLUMN,
            "minProperties": 1,
            "maxProperties": 1000,
            "format": "property-columns",
            "x-of": "twin",
            "description": "Column of each property or relation. Empty: columns with the name of a"
            " property.",
        },
        "latest_by": {
            **COLUMN,
            "title": "Latest by",
            "format": "column",
            "x-of": "dataset",
            "x-none": "one row for each entity",
            "description": "If several rows have the same key, the row with the largest value"
            " in this column is used. For example a time.",
        },
        "missing": {
            "type": "string",
            "title": "Entities without a row",
            "enum": ["keep", "mark", "delete"],
            "default": "keep",
            "description": "keep: no change. mark: shown as missing. delete: removed, with"
            " their history kept.",
        },
    },
)


SPEC = JobTypeSpec(
    name="digital_twin_update",
    order=4,
    title="Twin update",
    icon="digital_twin_update",
    summary="Update a twin from data",
    heading="Twin and data",
    button="Run twin update",
    job_title="Update {twin} from {dataset}",
    subject="twin",
    output=None,
    parameters=PARAMETERS,
    profile=Profile(Amounts(2000, 4 * GIB), Amounts(4000, 8 * GIB)),
    default_priority=Priority.NORMAL,
    reads=(
        "twin",
        "dataset",
    ),
    produces=("twin",),
)
