"""Twins come into being and change: by a definition, by an operator's edit, by a job's update.

Law: every change is a revision, written under the twin's row lock by `revision.py`, which alone knows how rows of entities and changes
are written in bulk.
"""

from projects.services.twins.definitions import (
    TwinCheck,
    UnitChanges,
    twin_check,
    twin_create,
    twin_definition_change,
    twin_etag,
)
from projects.services.twins.edits import overlay_edit
from projects.services.twins.updates import EntityReport, StaleBase, TwinUpdated, twin_update_apply

__all__ = [
    "EntityReport",
    "StaleBase",
    "TwinCheck",
    "TwinUpdated",
    "UnitChanges",
    "overlay_edit",
    "twin_check",
    "twin_create",
    "twin_definition_change",
    "twin_etag",
    "twin_update_apply",
]
