"""Worker objects of the product on the fake, which validates them like a real API server."""

import uuid

import pytest

from jobs.clusters.launchers.base import LaunchSpec
from jobs.clusters.launchers.manifest import WorkerTemplate, worker_job
from tests.fakes.kubernetes.client import FakeKubernetes
from tests.fakes.support import Jobs


@pytest.mark.parametrize("gpu_count", [0, 1])
@pytest.mark.parametrize("shared_model_cache", [True, False])
def test_a_job_of_a_worker_is_accepted_without_a_warning_and_runs(
    fake: FakeKubernetes, jobs: Jobs, gpu_count: int, shared_model_cache: bool
) -> None:
    job_id, attempt_id, project_id = (str(uuid.uuid4()) for _ in range(3))
    spec = LaunchSpec(
        name=f"worker-job-{job_id}-1",
        job_id=job_id,
        job_type="ml_training",
        attempt_id=attempt_id,
        attempt=1,
        project_id=project_id,
        token="token",
        orchestrator_url="http://orchestrator:8080",
        cpu_millicores=2000,
        memory_bytes=4 * 2**30,
        gpu_count=gpu_count,
        priority="normal",
        active_deadline_seconds=4000,
    )
    template = WorkerTemplate(
        installation=str(uuid.uuid4()),
        image="mimir-aip/worker:latest",
        image_pull_secrets=("registry",),
        shared_model_cache=shared_model_cache,
        gpu_node_selector={"accelerator": "nvidia"},
        gpu_tolerations=({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},),
        priority_classes={"normal": "mimir-normal"},
    )

    answer = jobs.create(dict(worker_job(spec, template)))

    assert answer.status == 201, answer.data
    assert "Warning" not in answer.headers
    assert [(run.job, run.attempt_id) for run in fake.ledger()] == [(spec.name, attempt_id)]
    selector = f"app=mimir-aip,component=worker,mimir-aip/installation={template.installation}"
    (pod,) = jobs.list("pods", labelSelector=selector)["items"]
    assert pod["metadata"]["labels"]["mimir-aip/attempt-id"] == attempt_id
