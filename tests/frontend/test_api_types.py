"""The types that the frontend expects of the API match the OpenAPI document."""

import importlib
import pkgutil
from types import NoneType
from typing import Any, get_args, get_type_hints, is_typeddict

import pytest
from drf_spectacular.generators import SchemaGenerator

from jobs.types.inputs import PublicInput
from jobs.types.outcome import CreatedVersionBody, JobResult, StepResultBody
from mimir.frontend import api_types
from mimir.frontend.api_types import job_shapes
from mimir.lib.json_types import Json
from tests.support.typed_dicts import hints_of

# Shapes whose name differs from the component of the OpenAPI document.
COMPONENTS = {
    "AttentionItem": "Attention",
    "CapacityQuantities": "CapacityShape",
    "ClusterCapacity": "Capacity",
    "DatasetProfile": "ProfileShape",
    "DefinitionFault": "FaultShape",
    "EntityDiff": "EntityDiffShape",
    "FailureGroup": "Failures",
    "HourCounts": "Hour",
    "Lineage": "LineageShape",
    "PreviewRows": "Rows",
    "QueueLength": "Queue",
    "ReadWarning": "WarningShape",
    "RecordList": "ListShape",
    "ResultRow": "ResultShape",
    "RevisionDiff": "DiffShape",
    "RevisionState": "StateShape",
    "RunningWorker": "Worker",
    "SavedPipeline": "PipelineSavedShape",
    "StagedUpload": "StagedUploadShape",
    "SystemState": "SystemShape",
    "UsagePoint": "UsageShape",
    "UsageSeries": "Usage",
    "ValueChange": "ChangeShape",
    "VersionUse": "UseShape",
}

# Shapes inside a field that the document describes as any object, and the types of the API.
UNDOCUMENTED: dict[str, Any] = {
    "JobInput": PublicInput,
    "JobResult": JobResult,
    "CreatedDataset": CreatedVersionBody,
    "StepResult": StepResultBody,
}


def _shapes() -> dict[str, Any]:
    modules = [
        importlib.import_module(f"{api_types.__name__}.{module.name}")
        for module in pkgutil.iter_modules(api_types.__path__)
    ]
    return {
        name: shape
        for module in modules
        for name, shape in vars(module).items()
        if is_typeddict(shape)
        and shape.__module__ == module.__name__
        and name not in ("Page", *UNDOCUMENTED)
    }


@pytest.fixture(scope="module")
def components() -> dict[str, Any]:
    found: dict[str, Any] = SchemaGenerator().get_schema(public=True)["components"]["schemas"]
    return found


@pytest.mark.parametrize("name", sorted(_shapes()))
def test_a_shape_has_the_fields_of_the_document(name: str, components: dict[str, Any]) -> None:
    shape = _shapes()[name]
    component = components.get(COMPONENTS.get(name, f"{name}Shape")) or components[name]
    assert set(shape.__annotations__) == set(component["properties"])
    assert shape.__required_keys__ == set(component.get("required", [])), "required fields"


@pytest.mark.parametrize("name", UNDOCUMENTED)
def test_an_undocumented_shape_has_the_fields_of_the_api(name: str) -> None:
    shape, body = getattr(job_shapes, name), UNDOCUMENTED[name]
    assert shape.__required_keys__ == body.__required_keys__
    assert shape.__optional_keys__ == body.__optional_keys__
    plain = {field: kind for field, kind in hints_of(body).items() if not _nested(kind)}
    assert plain == {field: hints_of(shape)[field] for field in plain}


def _nested(kind: object) -> bool:
    return any(is_typeddict(argument) for argument in get_args(kind))


@pytest.mark.parametrize("name", sorted(_shapes()))
def test_a_field_that_can_be_null_says_so(name: str, components: dict[str, Any]) -> None:
    component = components.get(COMPONENTS.get(name, f"{name}Shape")) or components[name]
    for field, kind in get_type_hints(_shapes()[name], localns={"Json": Json}).items():
        document = component["properties"][field]
        alternatives = [document, *document.get("oneOf", ()), *document.get("anyOf", ())]
        nullable = any("null" in str(one.get("type", "")) for one in alternatives) or any(
            str(one.get("$ref", "")).endswith("NullEnum") for one in alternatives
        )
        if not document.keys() & {"type", "$ref", "oneOf", "anyOf", "allOf"}:  # any JSON
            continue
        assert (NoneType in get_args(kind)) == nullable, field
