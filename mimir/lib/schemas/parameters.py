"""Building blocks for the parameter schemas of job types (`jobs/types/<type>/spec.py`).

A parameter schema is JSON Schema (2020-12), shared by the API, its OpenAPI document and the form.
Additional keywords for forms:

- `title`, `description`: label and hint of a field
- `format`: the list of choices to offer: `dataset`, `model`, `pipeline`, `twin`, `twin-type`,
  `column`, `columns`, `version`, `property-columns`
- `x-of`: the field that holds the dataset, model, twin or choice that this field depends on
- `x-variants`: schemas by the value of the `x-of` field
- `x-advanced`: shown in the collapsed part of the form
- `x-none`, `x-null`: label of the empty choice
- `x-choices`: values to offer; `x-example`: placeholder; `x-unit`: unit beside the field
- `x-rule`: description of the allowed values in error messages
"""

from mimir.lib.schemas.schema_types import JsonSchema

NAME_RULE = (
    "a name of 1 to 200 letters, digits, dots, dashes and underscores,"
    " beginning with a letter or a digit"
)
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}\Z"
COLUMN: JsonSchema = {
    "type": "string",
    "pattern": r"^[^\x00]{1,1000}\Z",
    "x-rule": "the name of a column",
}
VERSION: JsonSchema = {
    "type": "integer",
    "title": "Version",
    "minimum": 1,
    "maximum": 2**31 - 1,
    "format": "version",
    "description": "Empty: the newest version at submit time.",
    "x-rule": "a whole number from 1, or leave it empty for the newest version",
}


def existing_name(kind: str, title: str, description: str = "") -> JsonSchema:
    """Return the schema of a name that must exist in the project."""
    rule = f"the name of a {kind} of this project"
    schema: JsonSchema = {
        "type": "string",
        "title": title,
        "format": kind,
        "pattern": r"^[^\x00]{1,200}\Z",
        "x-rule": rule,
    }
    if description:
        schema["description"] = description
    return schema


def new_name(title: str, description: str) -> JsonSchema:
    """Return the schema of a name under which the job writes a version."""
    return {
        "type": "string",
        "title": title,
        "description": description,
        "pattern": NAME_PATTERN,
        "x-rule": NAME_RULE,
    }


def object_schema(required: tuple[str, ...], properties: dict[str, JsonSchema]) -> JsonSchema:
    """Return the schema of an object without other properties."""
    return {
        "type": "object",
        "required": list(required),
        "properties": properties,
        "additionalProperties": False,
    }
