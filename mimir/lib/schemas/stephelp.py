"""Help about the step types, made from their specifications, for pages."""

import json
from typing import TypedDict

from mimir.lib.schemas.steps import STEP_TYPES
from mimir.lib.schemas.steptype import StepType


class FieldHelp(TypedDict):
    """One field of a step type."""

    name: str
    required: bool
    description: str


class StepHelp(TypedDict):
    """One step type. `example`: a step's `with` as JSON."""

    name: str
    title: str
    help: str
    fields: list[FieldHelp]
    example: str


def step_help() -> list[StepHelp]:
    """Return help about every step type, in the order of the registry."""
    return [
        {
            "name": step.name,
            "title": step.title,
            "help": step.help,
            "fields": _fields(step),
            "example": json.dumps(step.example, ensure_ascii=False),
        }
        for step in STEP_TYPES.values()
    ]


def _fields(step: StepType) -> list[FieldHelp]:
    required = step.fields["required"]
    return [
        {
            "name": name,
            "required": name in required,
            "description": str(schema.get("description", schema["title"])),
        }
        for name, schema in step.properties.items()
    ]
