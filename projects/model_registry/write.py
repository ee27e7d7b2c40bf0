"""Record trained models from the results of jobs."""

from typing import TYPE_CHECKING

from django.db import transaction

from mimir.lib.ids import uuid7
from mimir.lib.schemas.training_report import TrainingReport
from projects.core.names import check_name
from projects.models import DatasetVersion, Model, ModelVersion, Project

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def model_version_from_job(
    *,
    project: Project,
    name: str,
    storage_key: str,
    size_bytes: int,
    sha256: str,
    training_data: DatasetVersion,
    report: TrainingReport,
    user: "User | None",
) -> ModelVersion:
    """Create the next version of model `name` from a job's artifact, in the caller's transaction.

    `report` has task, algorithm, target, hyperparameters, signature, metrics, baseline, plots,
    training and libraries. Locks the model's row until the commit. An archived project accepts the
    results of its running jobs.

    Raises: Invalid for an invalid model name.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("create a job's model version in the transaction that ends the job")
    check_name(name)
    Model.objects.bulk_create([Model(project=project, name=name)], ignore_conflicts=True)
    model = Model.objects.select_for_update().get(project=project, name=name)
    model.latest_number += 1
    model.save(update_fields=["latest_number"])
    return ModelVersion.objects.create(
        id=uuid7(),
        model=model,
        number=model.latest_number,
        storage_key=storage_key,
        size_bytes=size_bytes,
        sha256=sha256,
        training_data=training_data,
        created_by=user,
        **report,
    )
