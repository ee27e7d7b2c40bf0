"""`write`: a table as the next version of a dataset, when the whole job succeeds."""

from mimir.lib.schemas.parameters import NAME_PATTERN, NAME_RULE
from mimir.lib.schemas.steptype import Columns, Makes, StepType, fields

STEP = StepType(
    name="write",
    title="Write",
    help="Writes a table as a new version of a dataset, when the whole job succeeds.",
    position=3,
    fields=fields(
        {
            "dataset": {
                "type": "string",
                "title": "Dataset",
                "description": "The dataset to write. A new name creates a dataset.",
                "format": "dataset",
                "x-access": "write",
                "pattern": NAME_PATTERN,
                "x-rule": NAME_RULE,
            },
            "from": {
                "type": "string",
                "title": "From step",
                "description": "The table to write: the id of the step that makes it.",
                "format": "table",
                "x-rule": "the id of the step whose table is written",
            },
        },
        required=("dataset", "from"),
    ),
    example={"dataset": "summary", "from": "by_month"},
    makes=Makes.NOTHING,
    columns=Columns.RUN,
)
