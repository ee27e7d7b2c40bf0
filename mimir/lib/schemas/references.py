"""What a checked pipeline definition refers to, read from it without parsing its SQL. Pure."""

from typing import Any


def dataset_references(definition: dict[str, Any]) -> list[tuple[str, str, int | None]]:
    """(step, dataset, version or None) of every read step of a checked definition that reads a dataset."""
    return [
        (step["id"], step["with"]["dataset"], step["with"].get("version"))
        for step in definition["steps"]
        if step["uses"] == "read" and "dataset" in step["with"]
    ]
