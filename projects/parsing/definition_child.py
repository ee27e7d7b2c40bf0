"""Check of a pipeline definition in the parsing child, which parses and binds its SQL."""

from pathlib import Path
from typing import Any, cast

from mimir.lib.schemas.field_errors import FieldError
from mimir.lib.schemas.pipeline import check_definition, graph
from mimir.lib.schemas.pipeline_types import PipelineDefinition
from mimir.lib.schemas.sqlparser import BadQuery, parse_query
from mimir.lib.schemas.steps import queries
from projects.parsing.binding import bind
from projects.parsing.messages import DefinitionRequest, DefinitionResult, FaultInfo


def checked(scratch: Path, request: DefinitionRequest) -> DefinitionResult:
    """Return the faults of a definition, the faults of its data, and its graph.

    A definition with `faults` cannot be saved. It has no graph, and its data are not checked.
    """
    definition = request["definition"]
    _parse_each(scratch, definition)
    faults = check_definition(definition)
    if faults:
        return {
            "faults": [_fault(fault) for fault in faults],
            "data_faults": [],
            "steps": [],
            "graph": {"nodes": [], "edges": []},
        }
    sound = cast("PipelineDefinition", definition)
    bound = bind(sound, request["reads"], request["writes"], lambda path: note_place(scratch, path))
    return {
        "faults": [],
        "data_faults": [_fault(fault) for fault in bound.faults],
        "steps": bound.steps,
        "graph": graph(sound),
    }


def _fault(fault: FieldError) -> FaultInfo:
    return {"path": fault.path, "message": fault.message, "detail": fault.detail}


def _parse_each(scratch: Path, definition: Any) -> None:
    """Parse each query once, and record its place first.

    If the parser crashes, the server reads the place to name the step.
    """
    refused = ""
    for place, query in queries(definition):
        note_place(scratch, place)
        try:
            parse_query(query)
        except BadQuery:
            # Reported by `check_definition`, which parses it again, and may crash doing so.
            refused = refused or place
    note_place(scratch, refused)


def note_place(scratch: Path, path: str) -> None:
    """Write the path of the field that is being checked to a file."""
    (scratch / "place").write_text(path)
