"""Inputs of `pipeline_execution`: the pipeline version and the datasets that its steps read."""

from jobs.contract.job_parameters import PipelineParameters
from jobs.types.inputs import Faults, InputRow, dataset_row, numbered
from mimir.lib.schemas.references import dataset_references
from projects.datasets.read import dataset_version_find
from projects.models import Project
from projects.pipelines.read import pipeline_version_find


def resolve(project: Project, parameters: PipelineParameters, faults: Faults) -> list[InputRow]:
    """Return the pipeline and one input per reading step, with the step's name."""
    number = parameters.get("version")
    pipeline = pipeline_version_find(project=project, name=parameters["pipeline"], number=number)
    if pipeline is None:
        faults["parameters.version" if number else "parameters.pipeline"] = (
            f"there is no pipeline {numbered(parameters['pipeline'], number)} here"
        )
        return []
    rows: list[InputRow] = [
        {
            "name": "pipeline",
            "kind": "pipeline",
            "pipeline": pipeline.pipeline.name,
            "version": pipeline.number,
            "id": str(pipeline.id),
        }
    ]
    for step, dataset, wanted in dataset_references(pipeline.definition):
        version = dataset_version_find(project=project, name=dataset, number=wanted)
        if version is None:
            faults["parameters.pipeline"] = (
                f"step {step} reads dataset {numbered(dataset, wanted)}, which does not exist:"
                " upload it, or run the job that creates it"
            )
            continue
        rows.append(dataset_row(step, version))
    return rows
