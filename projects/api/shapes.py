"""Rows as the API shows them: JSON-ready dicts."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from mimir.lib.schemas.column_changes import column_changes
from projects.models import (
    AccessToken,
    DatasetVersion,
    Membership,
    ModelVersion,
    PipelineVersion,
    Project,
    StagedUpload,
)
from projects.selectors.uses import Use


def session(row: AccessToken, current: AccessToken) -> dict[str, Any]:
    """A session as its user sees it."""
    return {
        "id": row.id,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "last_used_at": row.last_used_at,
        "address": row.address,
        "client": row.client,
        "current": row.id == current.id,
    }


def token(row: AccessToken) -> dict[str, Any]:
    """An API token, without the token."""
    return {
        "id": row.id,
        "name": row.name,
        "hint": row.hint,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "last_used_at": row.last_used_at,
    }


def project(row: Project, role: str) -> dict[str, Any]:
    """A project, with the caller's role in it."""
    return {
        "slug": row.slug,
        "name": row.name,
        "description": row.description,
        "status": row.status,
        "role": role,
        "created_at": row.created_at,
    }


def member(row: Membership) -> dict[str, Any]:
    """A member and what they may."""
    return {"username": row.user.get_username(), "role": row.role, "created_at": row.created_at}


def dataset_version(row: DatasetVersion, origins: Mapping[UUID, UUID]) -> dict[str, Any]:
    """One version; `origins` names the jobs that made versions."""
    return {
        "number": row.number,
        "format": row.format,
        "row_count": row.row_count,
        "size_bytes": row.size_bytes,
        "sha256": row.sha256,
        "schema": row.schema,
        "created_at": row.created_at,
        "created_by": row.created_by.get_username() if row.created_by else None,
        "job": origins.get(row.id),
        "current": row.number == row.dataset.current,
    }


def dataset_version_detail(
    row: DatasetVersion,
    origins: Mapping[UUID, UUID],
    *,
    before: DatasetVersion | None,
    uses: Sequence[Use] | None,
) -> dict[str, Any]:
    """The same, with the column changes since version `before` and what needs it; `uses` is None where nobody looked."""
    changes = column_changes(before.schema, row.schema) if before else []
    return {
        **dataset_version(row, origins),
        "name": row.dataset.name,
        "packing": row.packing,
        "reading": row.reading,
        "warnings": row.warnings,
        "compared_with": before.number if before else None,
        "column_changes": [
            {
                "kind": change.kind.value,
                "column": change.column,
                "before": change.before,
                "after": change.after,
                "message": change.message,
            }
            for change in changes
        ],
        "uses": None
        if uses is None
        else [
            {"kind": use.kind, "name": use.name, "version": use.version, "message": use.message}
            for use in uses
        ],
    }


def staged_upload(row: StagedUpload) -> dict[str, Any]:
    """A staged upload with what was found in it."""
    return {
        "id": row.id,
        "file_name": row.file_name,
        "size_bytes": row.size_bytes,
        "sha256": row.sha256,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "options": row.options,
        "fault": row.fault,
        "sheets": (row.reading or {}).get("sheets", []),
        "reading": None if row.fault else row.reading,
    }


def pipeline_version(row: PipelineVersion) -> dict[str, Any]:
    """One version of a pipeline."""
    return {
        "number": row.number,
        "definition": row.definition,
        "created_at": row.created_at,
        "created_by": row.created_by.get_username() if row.created_by else None,
    }


def version_ref(row: DatasetVersion) -> dict[str, Any]:
    """A dataset version by its name."""
    return {"name": row.dataset.name, "version": row.number}


def model_version(row: ModelVersion, origins: Mapping[UUID, UUID]) -> dict[str, Any]:
    """One version of a model; `origins` names the jobs that made versions."""
    return {
        "number": row.number,
        "task": row.task,
        "algorithm": row.algorithm,
        "target": row.target,
        "metrics": row.metrics,
        "baseline": row.baseline,
        "size_bytes": row.size_bytes,
        "sha256": row.sha256,
        "training_data": version_ref(row.training_data),
        "created_at": row.created_at,
        "created_by": row.created_by.get_username() if row.created_by else None,
        "job": origins.get(row.id),
    }


def model_version_detail(row: ModelVersion, origins: Mapping[UUID, UUID]) -> dict[str, Any]:
    """The same with all that is known of it. Importance is kept among the plots and shown beside them."""
    return {
        **model_version(row, origins),
        "name": row.model.name,
        "hyperparameters": row.hyperparameters,
        "signature": row.signature,
        "plots": {name: plot for name, plot in row.plots.items() if name != "importance"},
        "training": row.training,
        "libraries": row.libraries,
        "importance": row.plots.get("importance", []),
    }
