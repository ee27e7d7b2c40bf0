"""Checks a pipeline definition. Part of the parsing child: here its SQL is parsed."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from mimir.lib.schemas.pipeline import check_definition, graph
from mimir.lib.schemas.sql import BadQuery, parse_query


def checked(scratch: Path, request: dict[str, Any]) -> dict[str, Any]:
    """{"faults": [{"path", "message", "detail"}], "graph"}: the graph is empty while there are faults."""
    definition = request["definition"]
    _parse_each(scratch, definition)
    faults = check_definition(definition)
    drawn = {"nodes": [], "edges": []} if faults else graph(definition)
    return {"faults": [asdict(fault) for fault in faults], "graph": drawn}


def _parse_each(scratch: Path, definition: Any) -> None:
    """Parse each query once, with a note of its place, by which the server names the step should the parser not come back."""
    steps = definition.get("steps") if isinstance(definition, dict) else None
    for index, step in enumerate(steps if isinstance(steps, list) else ()):
        options = step.get("with") if isinstance(step, dict) else None
        query = options.get("query") if isinstance(options, dict) else None
        if isinstance(query, str):
            note_place(scratch, f"steps[{index}].with.query")
            try:
                parse_query(query)
            except BadQuery:
                continue  # reported by `check_definition`, which asks for it again
    note_place(scratch, "")


def note_place(scratch: Path, path: str) -> None:
    """Which field is being worked on."""
    (scratch / "place").write_text(path)
