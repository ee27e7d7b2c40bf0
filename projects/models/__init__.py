"""Django models of projects, their members, their contents and access tokens.

Tables and constraints only: no logic in `save()`, managers or signals. Every package of this app
and jobs may import them from here.
"""

from projects.models.audit_event import AuditEvent, AuditKind
from projects.models.datasets import (
    DataFormat,
    Dataset,
    DatasetProfile,
    DatasetVersion,
    StagedUpload,
    VersionSource,
)
from projects.models.pipelines import Pipeline, PipelineVersion
from projects.models.projects import Membership, Project, ProjectStatus, Role
from projects.models.tokens import AccessToken, Deactivation, TokenKind
from projects.models.trained_models import Model, ModelVersion
from projects.models.twins import (
    Change,
    ChangeLayer,
    Entity,
    EntityStatus,
    RevisionKind,
    Twin,
    TwinDefinition,
    TwinRevision,
)

__all__ = [
    "AccessToken",
    "AuditEvent",
    "AuditKind",
    "Change",
    "ChangeLayer",
    "DataFormat",
    "Dataset",
    "DatasetProfile",
    "DatasetVersion",
    "Deactivation",
    "Entity",
    "EntityStatus",
    "Membership",
    "Model",
    "ModelVersion",
    "Pipeline",
    "PipelineVersion",
    "Project",
    "ProjectStatus",
    "RevisionKind",
    "Role",
    "StagedUpload",
    "TokenKind",
    "Twin",
    "TwinDefinition",
    "TwinRevision",
    "VersionSource",
]
