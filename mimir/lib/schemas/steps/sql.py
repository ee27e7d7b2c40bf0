"""`sql`: one SELECT over the tables of other steps.

Its syntax is checked by `mimir.lib.schemas.pipeline`: DuckDB's parser never runs in a server.
"""

from mimir.lib.schemas.steptype import Columns, Makes, StepType, fields

STEP = StepType(
    name="sql",
    title="SQL",
    help="Runs one SELECT over the tables of other steps. The result is a table.",
    position=2,
    fields=fields(
        {
            "query": {
                "type": "string",
                "title": "Query",
                "description": "One SELECT. Tables are named by the ids of the steps.",
                "format": "sql",
                "pattern": r"\S",
                "x-rule": "one SELECT over the tables of other steps",
            }
        },
        required=("query",),
    ),
    example={"query": "SELECT count(*) AS days FROM weather"},
    makes=Makes.STEP_TABLE,
    columns=Columns.QUERY,
)
