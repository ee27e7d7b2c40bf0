"""The shapes that the frontend expects of the API are those of the OpenAPI document."""

import importlib
import pkgutil
from types import NoneType
from typing import Any, get_args, get_type_hints, is_typeddict

import pytest
from drf_spectacular.generators import SchemaGenerator

from mimir.frontend import api_types

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


def _shapes() -> dict[str, Any]:
    modules = [
        importlib.import_module(f"{api_types.__name__}.{module.name}")
        for module in pkgutil.iter_modules(api_types.__path__)
    ]
    return {
        name: shape
        for module in modules
        for name, shape in vars(module).items()
        if is_typeddict(shape) and shape.__module__ == module.__name__ and name != "Page"
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


@pytest.mark.parametrize("name", sorted(_shapes()))
def test_a_field_that_can_be_null_says_so(name: str, components: dict[str, Any]) -> None:
    component = components.get(COMPONENTS.get(name, f"{name}Shape")) or components[name]
    for field, kind in get_type_hints(_shapes()[name]).items():
        document = component["properties"][field]
        alternatives = [document, *document.get("oneOf", ()), *document.get("anyOf", ())]
        nullable = any("null" in str(one.get("type", "")) for one in alternatives) or any(
            str(one.get("$ref", "")).endswith("NullEnum") for one in alternatives
        )
        if kind is Any or document == {}:
            continue
        assert (NoneType in get_args(kind)) == nullable, field
