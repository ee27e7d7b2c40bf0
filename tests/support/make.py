"""Rows for tests, created by the services of the product."""

from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.db import transaction

from jobs.admission.admit import admit_once
from jobs.clusters.launchers.fake import FakeLauncher
from jobs.clusters.rows import cluster_ensure, launcher_of
from jobs.contract import FinishStatus
from jobs.contract.protocol import ClaimResponse
from jobs.dispatch.launch import attempts_launch
from jobs.lifecycle.claim import attempt_claim
from jobs.lifecycle.finish import attempt_finish
from jobs.lifecycle.submit import job_submit
from jobs.lifecycle.values import FinishReport
from jobs.logs.append import log_append
from jobs.logs.read import log_sha256
from jobs.models import Attempt, Job
from projects.models import (
    Dataset,
    DatasetVersion,
    Membership,
    Model,
    ModelVersion,
    Project,
    Role,
    Twin,
)
from projects.pipelines.write import pipeline_save
from projects.project.write import project_create
from projects.twins.definitions import twin_create
from projects.twins.updates import EntityReport, twin_update_apply
from tests.support import reconciling

ECHO = {"steps": [{"id": "say", "uses": "command", "with": {"argv": ["/bin/echo", "hello"]}}]}
LINE = b"2026-01-01T00:00:00.000000000Z stdout F "


def user(name: str = "ada", **fields: Any) -> User:
    """Create a user with the password `correct-horse`."""
    return User.objects.create_user(name, password="correct-horse", **fields)


def project(slug: str = "demo", owner: User | None = None) -> Project:
    """Create a project with a pipeline `echo`; its maintainer is `owner`."""
    owner = owner or User.objects.filter(username="ada").first() or user()
    made = project_create(slug=slug, name=slug.title(), user=owner)
    pipeline_save(project=made, name="echo", definition=ECHO, user=owner)
    return made


def member(of: Project, name: str, role: Role) -> User:
    """Create a user with a role in a project."""
    made = user(name)
    Membership.objects.create(project=of, user=made, role=role)
    return made


def job(of: Project | None = None, **fields: Any) -> Job:
    """Submit a job that runs `echo`."""
    of = of or Project.objects.filter(slug="demo").first() or project()
    owner = fields.pop("user", None) or of.created_by
    asked = {"type": "pipeline_execution", "parameters": {"pipeline": "echo"}, **fields}
    return job_submit(project=of, user=owner, **asked).job


def dataset_version(of: Project, name: str = "weather", **fields: Any) -> DatasetVersion:
    """Insert the next version of a dataset, without a file behind its storage key."""
    dataset, _ = Dataset.objects.get_or_create(project=of, name=name)
    dataset.latest_number += 1
    dataset.save()
    schema = [{"name": "wind", "type": "DOUBLE"}, {"name": "sky", "type": "VARCHAR"}]
    facts = {
        "format": "csv",
        "schema": schema,
        "row_count": 10,
        "size_bytes": 1,
        "sha256": "0" * 64,
        "storage_key": f"none/{dataset.id}",
    }
    return DatasetVersion.objects.create(
        dataset=dataset, number=dataset.latest_number, **{**facts, "source": "upload", **fields}
    )


def model_version(training_data: DatasetVersion, name: str = "fan", **fields: Any) -> ModelVersion:
    """Insert the next version of a model trained on `training_data`, without a file."""
    model, _ = Model.objects.get_or_create(project=training_data.dataset.project, name=name)
    model.latest_number += 1
    model.save()
    signature = {
        "features": [{"name": "wind", "kind": "number", "type": "DOUBLE"}],
        "target": {"name": "wind", "type": "DOUBLE"},
    }
    facts: dict[str, Any] = {
        "task": "regression",
        "algorithm": "linear",
        "target": "wind",
        "signature": {**signature, "task": "regression"},
    }
    facts |= {
        "metrics": {"r2": 0.9},
        "baseline": {"r2": 0.0},
        "size_bytes": 1,
        "sha256": "0" * 64,
        "storage_key": f"none/{model.id}",
    }
    return ModelVersion.objects.create(
        model=model, number=model.latest_number, training_data=training_data, **{**facts, **fields}
    )


def launcher() -> FakeLauncher:
    """Return the launcher of the default cluster: the fake that the product includes."""
    found = launcher_of(cluster_ensure())
    assert isinstance(found, FakeLauncher)
    return found


def admitted(**fields: Any) -> Attempt:
    """Return the first attempt of a job, admitted but not launched."""
    cluster_ensure()
    made = job(**fields)
    admit_once()
    return Attempt.objects.get(job=made)


def launched(**fields: Any) -> Attempt:
    """Return an attempt that is launched."""
    attempt = admitted(**fields)
    attempts_launch([attempt.id])
    attempt.refresh_from_db()
    return attempt


def claimed(**fields: Any) -> Attempt:
    """Return an attempt whose worker has claimed the job."""
    attempt = launched(**fields)
    claim(attempt)
    return attempt


def next_claimed(ended: Attempt) -> Attempt:
    """Return the next attempt after an ended one, claimed by its worker."""
    launcher().end(ended.name)
    settle()
    Job.objects.filter(id=ended.job_id).update(not_before=None)
    admit_once()
    attempt = Attempt.objects.get(job=ended.job_id, number=ended.number + 1)
    attempts_launch([attempt.id])
    attempt.refresh_from_db()
    claim(attempt)
    return attempt


def claim(attempt: Attempt, claim_id: UUID | None = None) -> ClaimResponse:
    """Claim an attempt as its worker does, and return the response."""
    answer = attempt_claim(attempt_id=attempt.id, claim_id=claim_id or uuid4(), host="test")
    attempt.refresh_from_db()
    return answer


def log(attempt: Attempt, *lines: bytes) -> int:
    """Append lines to a log and return its new end."""
    data = b"".join(LINE + line + b"\n" for line in lines)
    attempt.refresh_from_db()
    return log_append(attempt_id=attempt.id, offset=attempt.log_end, data=data)


def report(
    attempt: Attempt, status: FinishStatus = FinishStatus.SUCCEEDED, **fields: Any
) -> FinishReport:
    """Return a worker's report for the stored log."""
    attempt.refresh_from_db()
    known = {"log_end": attempt.log_end, "log_sha256": log_sha256(attempt)}
    return FinishReport(status=status, **{**known, **fields})


def finish(attempt: Attempt, status: FinishStatus = FinishStatus.SUCCEEDED, **fields: Any) -> str:
    """Finish an attempt as its worker does, and return the status of the job."""
    return attempt_finish(attempt_id=attempt.id, report=report(attempt, status, **fields))


def reconcile(passes: int = 1) -> None:
    """Run passes of the reconciler over the default cluster."""
    cluster = cluster_ensure()
    for _ in range(passes):
        reconciling.reconcile(cluster, launcher_of(cluster))


def settle() -> None:
    """Run passes until three in a row change no row (stop signals and observations change none)."""
    cluster = cluster_ensure()
    quiet = 0
    for _ in range(30):
        quiet = 0 if reconciling.reconcile(cluster, launcher_of(cluster)) else quiet + 1
        if quiet == 3:
            return


def twin(
    of: Project, name: str, definition: dict[str, Any], entities: dict[str, dict[str, Any]]
) -> Twin:
    """Create a twin with entities of its first type, in revision 1, as by an update from the
    dataset `<name>-data`.
    """
    made = twin_create(project=of, name=name, definition=definition, user=of.created_by)  # type: ignore[arg-type]
    version = dataset_version(of, f"{name}-data")
    with transaction.atomic():
        twin_update_apply(
            twin_id=made.id,
            type=definition["types"][0]["name"],
            base_revision=0,
            reports=[EntityReport(key, values) for key, values in sorted(entities.items())],
            dataset_version=version,
            user=of.created_by,
        )
    made.refresh_from_db()
    return made
