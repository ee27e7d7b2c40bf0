"""`command`: a program of the user, with the tables of earlier steps as files."""

from collections.abc import Iterator

from mimir.lib.schemas.field_errors import FieldError
from mimir.lib.schemas.steptype import (
    TABLE_PATTERN,
    TABLE_RULE,
    Columns,
    Makes,
    Options,
    StepType,
    fields,
)

ARGUMENTS_MAX = 1000
ARGUMENT_BYTES_MAX = 128 * 1024  # Linux's limit for one argument
TABLES_MAX = 50
_ARGUMENT_RULE = f"text of at most {ARGUMENT_BYTES_MAX} bytes without a NUL character"


def _check(options: Options, path: str) -> Iterator[FieldError]:
    for index, argument in enumerate(options["argv"]):
        if len(argument.encode(errors="replace")) > ARGUMENT_BYTES_MAX:
            yield FieldError(f"{path}.argv[{index}]", f"must be {_ARGUMENT_RULE}")
    if options["argv"][0] == "":
        yield FieldError(f"{path}.argv[0]", "must name a program")


STEP = StepType(
    name="command",
    title="Command",
    help="Runs a program. It finds the tables of the steps that it depends on as"
    " inputs/<table>.parquet. Files that it writes to outputs/ become artifacts.",
    position=4,
    fields=fields(
        {
            "argv": {
                "type": "array",
                "title": "Command",
                "description": "The program and its arguments.",
                "format": "argv",
                "minItems": 1,
                "maxItems": ARGUMENTS_MAX,
                "items": {
                    "type": "string",
                    "pattern": r"^[^\x00]*\Z",
                    "x-rule": _ARGUMENT_RULE,
                },
                "x-rule": f"a list of 1 to {ARGUMENTS_MAX} texts: the program and its arguments",
            },
            "tables": {
                "type": "array",
                "title": "Tables",
                "description": "Names of the tables that the program writes, each as"
                " outputs/<name>.parquet or outputs/<name>.csv.",
                "format": "new-tables",
                "maxItems": TABLES_MAX,
                "items": {"type": "string", "pattern": TABLE_PATTERN, "x-rule": TABLE_RULE},
                "x-rule": f"a list of at most {TABLES_MAX} table names",
            },
        },
        required=("argv",),
    ),
    example={"argv": ["python3", "clean.py"], "tables": ["clean"]},
    makes=Makes.DECLARED,
    columns=Columns.RUN,
    check=_check,
    after_all=True,
    unchecked="runs a program: its effect is known only in a run",
)
