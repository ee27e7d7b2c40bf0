"""Writes of projects. Law: keyword-only; each is one transaction, or takes part in its caller's where it says so."""

from projects.services.datasets import dataset_version_from_job
from projects.services.members import member_add, member_change, member_remove, member_set
from projects.services.models import model_version_from_job
from projects.services.passwords import access_end, password_change, sessions_end
from projects.services.pipelines import PipelineCheck, PipelineSaved, pipeline_check, pipeline_save
from projects.services.profiles import dataset_profile
from projects.services.projects import project_create, project_etag, project_update
from projects.services.sweep import (
    expired_tokens_sweep,
    scratch_files_sweep,
    unfinished_uploads_sweep,
    unreferenced_objects_sweep,
)
from projects.services.tokens import (
    session_create,
    session_end,
    token_create,
    token_delete,
    token_identify,
)
from projects.services.uploads import (
    dataset_upload,
    expired_uploads_sweep,
    upload_accept,
    upload_append,
    upload_delete,
    upload_read_again,
    upload_stage,
)

__all__ = [
    "PipelineCheck",
    "PipelineSaved",
    "access_end",
    "dataset_profile",
    "dataset_upload",
    "dataset_version_from_job",
    "expired_tokens_sweep",
    "expired_uploads_sweep",
    "member_add",
    "member_change",
    "member_remove",
    "member_set",
    "model_version_from_job",
    "password_change",
    "pipeline_check",
    "pipeline_save",
    "project_create",
    "project_etag",
    "project_update",
    "scratch_files_sweep",
    "session_create",
    "session_end",
    "sessions_end",
    "token_create",
    "token_delete",
    "token_identify",
    "unfinished_uploads_sweep",
    "unreferenced_objects_sweep",
    "upload_accept",
    "upload_append",
    "upload_delete",
    "upload_read_again",
    "upload_stage",
]
