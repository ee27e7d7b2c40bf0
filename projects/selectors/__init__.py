"""Reads of projects. Law: no writes; a `_find` returns None for what is not there, a `_get` raises NotFound, a list is a queryset."""

from projects.selectors.datasets import (
    DatasetRow,
    dataset_current_versions,
    dataset_get,
    dataset_version_find,
    dataset_version_get,
    dataset_version_rows,
    dataset_versions,
)
from projects.selectors.models import (
    model_get,
    model_latest_versions,
    model_version_find,
    model_version_get,
    model_versions,
)
from projects.selectors.origins import VersionKind, register_version_origins, version_origins
from projects.selectors.pipelines import (
    pipeline_get,
    pipeline_latest_versions,
    pipeline_version_find,
    pipeline_version_get,
    pipeline_versions,
)
from projects.selectors.storage_keys import storage_keys_referenced
from projects.selectors.twins import twin_definition_find, twin_state_document

__all__ = [
    "DatasetRow",
    "VersionKind",
    "dataset_current_versions",
    "dataset_get",
    "dataset_version_find",
    "dataset_version_get",
    "dataset_version_rows",
    "dataset_versions",
    "model_get",
    "model_latest_versions",
    "model_version_find",
    "model_version_get",
    "model_versions",
    "pipeline_get",
    "pipeline_latest_versions",
    "pipeline_version_find",
    "pipeline_version_get",
    "pipeline_versions",
    "register_version_origins",
    "storage_keys_referenced",
    "twin_definition_find",
    "twin_state_document",
    "version_origins",
]
