"""Job object of a worker: its exact content, accepted by an API server."""

from dataclasses import replace
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from jobs.clusters.launchers.base import LaunchSpec
from jobs.clusters.launchers.manifest import Container, JobManifest, WorkerTemplate, worker_job
from jobs.contract import Priority, worker_name
from jobs.types.registry import job_type_names

GOLDEN = Path(__file__).parent / "golden"
JOB_ID = "0199f3c2-7a10-7cc3-9d7e-0a4c5b6d7e8f"
PLAIN = LaunchSpec(
    name=worker_name(JOB_ID, 1),
    job_id=JOB_ID,
    job_type="pipeline_execution",
    attempt_id="0199f3c2-7a11-7b52-8a51-5d7f7a3c1b2d",
    attempt=1,
    project_id="0199f3c0-1111-7222-8333-444455556666",
    token="launch-token",
    orchestrator_url="http://orchestrator:8080",
    cpu_millicores=2000,
    memory_bytes=4 * 2**30,
    gpu_count=0,
    priority=Priority.NORMAL,
    active_deadline_seconds=5100,
    requested_cpu_millicores=1000,
    requested_memory_bytes=2 * 2**30,
)
LARGE = replace(
    PLAIN,
    name=worker_name(JOB_ID, 12),
    job_type="ml_training",
    attempt=12,
    gpu_count=2,
    priority=Priority.CRITICAL,
    cpu_millicores=7500,
    extra_env={"REDIS_URL": "redis://cache:6379/1"},
)
TEMPLATE = WorkerTemplate(
    installation="0199f3bf-0000-7000-8000-000000000001", image="mimir-aip/worker:latest"
)
FULL = WorkerTemplate(
    installation=TEMPLATE.installation,
    image="registry.example.com/mimir-aip/worker:0.1.0",
    image_pull_policy="Always",
    image_pull_secrets=("registry",),
    data_bytes=5 * 2**30,
    shared_model_cache=True,
    node_selector={"pool": "workers"},
    tolerations=({"key": "workers", "operator": "Exists", "effect": "NoSchedule"},),
    gpu_node_selector={"accelerator": "nvidia"},
    gpu_tolerations=({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},),
    priority_classes={"critical": "mimir-critical"},
)
CASES = {"plain": (PLAIN, TEMPLATE), "everything": (LARGE, FULL)}


def _container(job: JobManifest) -> Container:
    return job["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize("name", CASES)
def test_it_is_the_agreed_object(name: str) -> None:
    assert worker_job(*CASES[name]) == yaml.safe_load((GOLDEN / f"{name}.yaml").read_text())


@pytest.mark.parametrize("version", ["1.29", "1.31", "1.34"])
@pytest.mark.parametrize("name", CASES)
def test_an_api_server_takes_it(name: str, version: str) -> None:
    kubernetes_validate.validate(worker_job(*CASES[name]), version, strict=True)


def test_a_wrong_field_would_be_found() -> None:
    job = worker_job(PLAIN, TEMPLATE)
    wrong = {**job, "spec": {**job["spec"], "podReplacementPolicies": "Failed"}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.34", strict=True)


def test_every_label_is_one_that_kubernetes_allows() -> None:
    for kind in job_type_names():
        labels = worker_job(replace(PLAIN, job_type=kind), TEMPLATE)["metadata"]["labels"]
        assert all(
            len(value) <= 63 and value.strip("-_.") == value and "_" not in labels["job-type"]
            for value in labels.values()
        )


def test_a_gpu_brings_its_selector_and_toleration_beside_those_of_all() -> None:
    pod = worker_job(LARGE, FULL)["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"pool": "workers", "accelerator": "nvidia"}
    assert [each["key"] for each in pod["tolerations"]] == ["workers", "nvidia.com/gpu"]
    assert "accelerator" not in worker_job(PLAIN, FULL)["spec"]["template"]["spec"]["nodeSelector"]


def test_a_request_is_never_above_its_limit() -> None:
    resources = _container(worker_job(replace(PLAIN, cpu_millicores=500), TEMPLATE))["resources"]
    assert resources["requests"]["cpu"] == resources["limits"]["cpu"] == "500m"


def test_projects_share_no_folder_of_the_model_cache() -> None:
    mounts = {
        mount["name"]: mount
        for mount in _container(worker_job(replace(PLAIN, project_id="other"), FULL))[
            "volumeMounts"
        ]
    }
    assert mounts["model-cache"]["subPath"] == "other"


def test_the_disk_limit_holds_all_folders_and_the_log() -> None:
    small, large = (
        _container(worker_job(PLAIN, replace(TEMPLATE, data_bytes=size)))["resources"]
        for size in (2**30, 50 * 2**30)
    )
    assert small["limits"]["ephemeral-storage"] == "12800Mi"
    assert large["limits"]["ephemeral-storage"] == "62976Mi"
    assert (
        small["requests"]["ephemeral-storage"] == large["requests"]["ephemeral-storage"] == "128Mi"
    )


def test_annotations_keep_meshes_out_and_never_replace_ours() -> None:
    given = {
        "sidecar.istio.io/inject": "false",
        "linkerd.io/inject": "disabled",
        "mimir-aip/attempt-id": "another",
    }
    annotations = worker_job(PLAIN, replace(TEMPLATE, pod_annotations=given))["spec"]["template"][
        "metadata"
    ]["annotations"]
    assert (annotations["sidecar.istio.io/inject"], annotations["linkerd.io/inject"]) == (
        "false",
        "disabled",
    )
    assert annotations["mimir-aip/attempt-id"] == PLAIN.attempt_id
