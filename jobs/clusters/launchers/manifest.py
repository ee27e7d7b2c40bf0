"""Job object of a worker. Pure; the only place that builds it.

`docs/reference/worker-protocol.md` specifies the container's environment. `LaunchSpec` describes
one worker, `WorkerTemplate` the settings that all workers of a cluster share.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NotRequired, TypedDict

from jobs.clusters.launchers.base import LaunchSpec
from jobs.contract import WORKER_USER_ID
from jobs.core.resources import format_cpu, format_memory

APP, COMPONENT, CONTAINER = "mimir-aip", "worker", "worker"
ATTEMPT_ID, INSTALLATION = "mimir-aip/attempt-id", "mimir-aip/installation"
SERVICE_ACCOUNT = "mimir-worker"
MODEL_CACHE_CLAIM = "model-cache-pvc"
DATA_DIR, MODELS_DIR, TMP_DIR = "/app/data", "/app/models", "/tmp"  # noqa: S108 - its own mount
TMP_BYTES = 512 * 2**20
# Log files of a container on its node; they count as its ephemeral storage.
LOG_BYTES = 2**30
DISK_REQUEST_BYTES = 128 * 2**20
STOP_SECONDS = 30  # from SIGTERM to SIGKILL
KEPT_SECONDS = 300  # lifetime of a finished Job that nobody cleans up
GPU, DISK = "nvidia.com/gpu", "ephemeral-storage"


class EnvironmentVariable(TypedDict):
    name: str
    value: str


class ContainerResources(TypedDict):
    """Requests and limits as Kubernetes quantities, by resource name."""

    requests: dict[str, str]
    limits: dict[str, str]


class VolumeMount(TypedDict):
    name: str
    mountPath: str
    subPath: NotRequired[str]


class Container(TypedDict):
    """Container of a worker."""

    name: str
    image: str
    imagePullPolicy: str
    env: list[EnvironmentVariable]
    resources: ContainerResources
    securityContext: Mapping[str, object]
    terminationMessagePolicy: str
    volumeMounts: list[VolumeMount]


class Volume(TypedDict):
    """Volume of a pod: a folder or a claim."""

    name: str
    emptyDir: NotRequired[dict[str, str]]
    persistentVolumeClaim: NotRequired[dict[str, str]]


class PodSpec(TypedDict):
    """Pod of a worker. Empty optional fields are absent."""

    restartPolicy: str
    serviceAccountName: str
    automountServiceAccountToken: bool
    enableServiceLinks: bool
    terminationGracePeriodSeconds: int
    securityContext: Mapping[str, object]
    containers: list[Container]
    volumes: list[Volume]
    nodeSelector: NotRequired[dict[str, str]]
    tolerations: NotRequired[list[dict[str, object]]]
    priorityClassName: NotRequired[str]
    imagePullSecrets: NotRequired[list[dict[str, str]]]


class Metadata(TypedDict):
    """Labels and annotations; the pod template has no name."""

    name: NotRequired[str]
    labels: dict[str, str]
    annotations: dict[str, str]


class PodTemplate(TypedDict):
    metadata: Metadata
    spec: PodSpec


class JobSpec(TypedDict):
    """Job with exactly one pod."""

    parallelism: int
    completions: int
    backoffLimit: int
    podFailurePolicy: Mapping[str, object]
    podReplacementPolicy: str
    activeDeadlineSeconds: int
    ttlSecondsAfterFinished: int
    template: PodTemplate


class JobManifest(TypedDict):
    """Job (batch/v1) of one worker."""

    apiVersion: str
    kind: str
    metadata: Metadata
    spec: JobSpec


@dataclass(frozen=True, slots=True)
class WorkerTemplate:
    """Settings that all workers of one cluster share. Sizes in bytes."""

    installation: str
    image: str
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    data_bytes: int = 20 * 2**30
    model_cache_bytes: int = 10 * 2**30
    shared_model_cache: bool = False
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, object], ...] = ()
    gpu_node_selector: Mapping[str, str] = field(default_factory=dict)
    gpu_tolerations: tuple[Mapping[str, object], ...] = ()
    priority_classes: Mapping[str, str] = field(default_factory=dict)
    pod_annotations: Mapping[str, str] = field(default_factory=dict)


def selector(installation: str) -> str:
    """Return the label selector of all worker objects of this installation."""
    return f"app={APP},component={COMPONENT},{INSTALLATION}={installation}"


def worker_job(spec: LaunchSpec, template: WorkerTemplate) -> JobManifest:
    """Return the Job (batch/v1) of one attempt, without a namespace.

    It has exactly one pod: only the orchestrator retries. A disruption fails the Job. With `Ignore`
    the Job controller would start a replacement pod without our knowledge, whose claim is refused.
    """
    labels = _labels(spec, template)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": spec.name,
            "labels": labels,
            "annotations": {ATTEMPT_ID: spec.attempt_id},
        },
        "spec": {
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 0,
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "FailJob",
                        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                    }
                ]
            },
            "podReplacementPolicy": "Failed",
            "activeDeadlineSeconds": spec.active_deadline_seconds,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": {
                        **template.pod_annotations,
                        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
                        ATTEMPT_ID: spec.attempt_id,
                    },
                },
                "spec": _pod(spec, template),
            },
        },
    }


def _labels(spec: LaunchSpec, template: WorkerTemplate) -> dict[str, str]:
    return {
        "app": APP,
        "component": COMPONENT,
        "job-type": spec.job_type.replace("_", "-"),
        "mimir-aip/job-id": spec.job_id,
        "mimir-aip/attempt": str(spec.attempt),
        ATTEMPT_ID: spec.attempt_id,
        "mimir-aip/project": spec.project_id,
        INSTALLATION: template.installation,
    }


def _pod(spec: LaunchSpec, template: WorkerTemplate) -> PodSpec:
    pod: PodSpec = {
        "restartPolicy": "Never",
        "serviceAccountName": SERVICE_ACCOUNT,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": STOP_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": WORKER_USER_ID,
            "runAsGroup": WORKER_USER_ID,
            "fsGroup": WORKER_USER_ID,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(spec, template)],
        "volumes": [
            {"name": "job-data", "emptyDir": {"sizeLimit": format_memory(template.data_bytes)}},
            _model_cache(template),
            {"name": "tmp", "emptyDir": {"sizeLimit": format_memory(TMP_BYTES)}},
        ],
    }
    nodes, tolerations = dict(template.node_selector), list(template.tolerations)
    if spec.gpu_count:
        nodes |= template.gpu_node_selector
        tolerations += template.gpu_tolerations
    if nodes:
        pod["nodeSelector"] = nodes
    if tolerations:
        pod["tolerations"] = [dict(each) for each in tolerations]
    if priority_class := template.priority_classes.get(spec.priority, ""):
        pod["priorityClassName"] = priority_class
    if template.image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in template.image_pull_secrets]
    return pod


def _container(spec: LaunchSpec, template: WorkerTemplate) -> Container:
    return {
        "name": CONTAINER,
        "image": template.image,
        "imagePullPolicy": template.image_pull_policy,
        "env": [{"name": name, "value": value} for name, value in _environment(spec).items()],
        "resources": _resources(spec, template),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "job-data", "mountPath": DATA_DIR},
            {"name": "model-cache", "mountPath": MODELS_DIR, "subPath": spec.project_id},
            {"name": "tmp", "mountPath": TMP_DIR},
        ],
    }


def _environment(spec: LaunchSpec) -> dict[str, str]:
    return {
        "JOB_ID": spec.job_id,
        "JOB_TYPE": spec.job_type,
        "ATTEMPT_ID": spec.attempt_id,
        "JOB_TOKEN": spec.token,
        "ORCHESTRATOR_URL": spec.orchestrator_url,
        **spec.extra_env,
    }


def _resources(spec: LaunchSpec, template: WorkerTemplate) -> ContainerResources:
    """Return the resource requests and limits of the worker's container.

    The disk limit is explicit and covers all folders: the default of a LimitRange could be smaller.
    The disk request is small: a node does not need free disk for the largest possible job.
    """
    folders = (
        template.data_bytes
        + TMP_BYTES
        + (0 if template.shared_model_cache else max(template.model_cache_bytes, 2**20))
    )
    requests = {
        "cpu": format_cpu(
            min(spec.requested_cpu_millicores or spec.cpu_millicores, spec.cpu_millicores)
        ),
        "memory": format_memory(
            min(spec.requested_memory_bytes or spec.memory_bytes, spec.memory_bytes)
        ),
        DISK: format_memory(DISK_REQUEST_BYTES),
    }
    limits = {
        "cpu": format_cpu(spec.cpu_millicores),
        "memory": format_memory(spec.memory_bytes),
        DISK: format_memory(folders + LOG_BYTES),
    }
    if spec.gpu_count:
        requests[GPU] = limits[GPU] = str(spec.gpu_count)
    return {"requests": requests, "limits": limits}


def _model_cache(template: WorkerTemplate) -> Volume:
    """Return the volume of the model cache.

    Either the claim that all workers share, with a folder per project, or a folder that is removed
    with the worker.
    """
    if template.shared_model_cache:
        return {"name": "model-cache", "persistentVolumeClaim": {"claimName": MODEL_CACHE_CLAIM}}
    size = format_memory(max(template.model_cache_bytes, 2**20))
    return {"name": "model-cache", "emptyDir": {"sizeLimit": size}}
