"""Model versions come into being: from a job's outcome."""

from typing import TYPE_CHECKING, Any

from django.db import transaction

from mimir.lib.ids import uuid7
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
    report: dict[str, Any],
    user: "User | None",
) -> ModelVersion:
    """The next version of model `name` from a job's artifact, inside the caller's transaction.

    `report` holds what is known of it: task, algorithm, target, hyperparameters, signature, metrics, baseline, plots, training, libraries.
    Takes the model's row lock until the transaction commits. An archived project takes what its running jobs make.
    Raises: Invalid for a name that cannot be a model's.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("a job's model version belongs to the transaction that ends the job")
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
