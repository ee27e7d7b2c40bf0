"""Inputs of `digital_twin_update`: the twin and a dataset version with its entities."""

from jobs.contract.job_parameters import TwinUpdateParameters
from jobs.types.inputs import (
    Faults,
    InputRow,
    check_column,
    column_types,
    dataset_row,
    find_dataset,
    shortened,
)
from mimir.lib.schemas.twin import entity_type, fields_of
from mimir.lib.schemas.twin_types import EntityType
from projects.models import Project
from projects.twins.read import twin_definition_find


def resolve(project: Project, parameters: TwinUpdateParameters, faults: Faults) -> list[InputRow]:
    """Return the twin and the dataset; check the entity type, its properties and the columns."""
    definition = twin_definition_find(project=project, name=parameters["twin"])
    if definition is None:
        faults["parameters.twin"] = (
            f"there is no twin {parameters['twin']} here: create it with a definition first"
        )
    version = find_dataset(project, parameters["dataset"], parameters.get("version"), faults)
    if definition is None or version is None:
        return []
    types = column_types(version)
    check_column(parameters["key"], types, "parameters.key", faults)
    if "latest_by" in parameters:
        check_column(parameters["latest_by"], types, "parameters.latest_by", faults)
    entity = entity_type(definition.definition, parameters["type"])
    if entity is None:
        known = ", ".join(item["name"] for item in definition.definition["types"])
        faults["parameters.type"] = (
            f"{parameters['type']} is not an entity type of {parameters['twin']}: it has {known}"
        )
    else:
        _check_properties(entity, parameters, types, faults)
    return [
        {"name": "twin", "kind": "twin", "twin": parameters["twin"], "id": str(definition.twin_id)},
        dataset_row("dataset", version),
    ]


def _check_properties(
    entity: EntityType, parameters: TwinUpdateParameters, types: dict[str, str], faults: Faults
) -> None:
    """Check the mapping of properties to columns, or that some column has a property's name."""
    fields = fields_of(entity)
    mapping = parameters.get("properties")
    if mapping is None:
        if not set(fields) & set(types):
            faults["parameters.properties"] = (
                f"no column of {parameters['dataset']} has the name of a property of"
                f" {entity['name']}: choose a column for each property"
            )
        return
    for name, column in mapping.items():
        path = f"parameters.properties.{name}"
        if name not in fields:
            faults[path] = f"{entity['name']} has no property {name}: it has {shortened(fields)}"
        else:
            check_column(column, types, path, faults)
