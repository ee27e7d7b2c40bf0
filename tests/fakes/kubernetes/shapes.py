"""Objects as the cluster creates or completes them.

Recorded from a real 1.34 API server, Job controller, scheduler and kubelet. Pure.
"""

from typing import Any

from tests.fakes.kubernetes.resources import (
    CONTROLLER_UID,
    FOREGROUND,
    JOB_NAME,
    JOB_TRACKING,
    Object,
)

NODE_TOLERATIONS = [
    {
        "key": f"node.kubernetes.io/{why}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 300,
    }
    for why in ("not-ready", "unreachable")
]
IMAGE_DIGEST = "sha256:e358e08edbe0170353dd0dc5f129adef13552362abe92445453b70a5eda1060f"


def job_with_defaults(job: Object, *, uid: str) -> Object:
    """Return the Job as the API server stores it.

    Includes the defaults, the generated selector and the matching labels.
    """
    spec = job["spec"]
    template = spec["template"]
    name = job["metadata"]["name"]
    own = {CONTROLLER_UID: uid, JOB_NAME: name, "controller-uid": uid, "job-name": name}
    meta = template.get("metadata") or {}
    failure = spec.get("podFailurePolicy")
    completed = {
        "parallelism": 1,
        "completions": 1,
        "backoffLimit": 6,
        "completionMode": "NonIndexed",
        "suspend": False,
        "manualSelector": False,
        "podReplacementPolicy": "Failed" if failure else "TerminatingOrFailed",
        **spec,
        "selector": {"matchLabels": {CONTROLLER_UID: uid}},
        "template": {
            "metadata": {**meta, "labels": {**(meta.get("labels") or {}), **own}},
            "spec": pod_spec_with_defaults(template["spec"]),
        },
    }
    if failure:
        completed["podFailurePolicy"] = {"rules": [_rule(each) for each in failure["rules"]]}
    kept = {
        field: value
        for field, value in job["metadata"].items()
        if field in ("name", "generateName", "labels", "annotations", "finalizers")
    }
    return {
        "metadata": {**kept, "namespace": job["metadata"]["namespace"], "generation": 1},
        "spec": completed,
        "status": {},
    }


def _rule(rule: Object) -> Object:
    if "onPodConditions" not in rule:
        return rule
    return {
        **rule,
        "onPodConditions": [
            {**each, "status": each.get("status", "True")} for each in rule["onPodConditions"]
        ],
    }


def pod_spec_with_defaults(spec: Object) -> Object:
    account = spec.get("serviceAccountName")
    return {
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        **spec,
        **({"serviceAccount": account} if account else {}),
        "containers": [_container(each) for each in spec["containers"]],
    }


def _container(container: Object) -> Object:
    image = container.get("image", "")
    latest = image.endswith(":latest") or ":" not in image.rpartition("/")[2]
    resources = container.get("resources") or {}
    if limits := resources.get("limits"):
        resources = {**resources, "requests": {**limits, **resources.get("requests", {})}}
    return {
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "Always" if latest else "IfNotPresent",
        **container,
        "resources": resources,
    }


def pod_of(job: Object, *, name: str) -> Object:
    """Return the pod that the controller creates for a Job, before any status."""
    meta, template = job["metadata"], job["spec"]["template"]
    owner = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    spec = template["spec"]
    return {
        "metadata": {
            **template["metadata"],
            "name": name,
            "generateName": f"{meta['name']}-",
            "namespace": meta["namespace"],
            "generation": 1,
            "ownerReferences": [owner],
            "finalizers": [JOB_TRACKING],
        },
        "spec": {
            "serviceAccountName": "default",
            **spec,
            "tolerations": [*spec.get("tolerations", ()), *NODE_TOLERATIONS],
            "priority": 0,
            "preemptionPolicy": "PreemptLowerPriority",
        },
        "status": {"phase": "Pending", "qosClass": qos_class(spec)},
    }


def qos_class(spec: Object) -> str:
    every = [each.get("resources") or {} for each in spec["containers"]]
    if not any(each.get("requests") or each.get("limits") for each in every):
        return "BestEffort"
    guaranteed = all(
        {"cpu", "memory"} <= set(each.get("limits") or {})
        and (each.get("requests") or each["limits"]) == each["limits"]
        for each in every
    )
    return "Guaranteed" if guaranteed else "Burstable"


def condition(kind: str, status: str, at: str, *, reason: str = "", message: str = "") -> Object:
    """Return a condition of a pod."""
    found: Object = {
        "type": kind,
        "observedGeneration": 1,
        "status": status,
        "lastProbeTime": None,
        "lastTransitionTime": at,
    }
    if reason:
        found["reason"] = reason
    if message:
        found["message"] = message
    return found


def job_condition(kind: str, at: str, *, reason: str, message: str) -> Object:
    return {
        "type": kind,
        "status": "True",
        "lastProbeTime": at,
        "lastTransitionTime": at,
        "reason": reason,
        "message": message,
    }


def scheduled_status(status: Object, at: str) -> Object:
    return {**status, "conditions": [condition("PodScheduled", "True", at)]}


def unschedulable_status(status: Object, at: str, message: str) -> Object:
    return {
        **status,
        "conditions": [
            condition("PodScheduled", "False", at, reason="Unschedulable", message=message)
        ],
    }


def addresses(*, sandbox: bool) -> Object:
    """Return the addresses in a pod's status; a pod without a sandbox has only the node's."""
    host = {"hostIP": "10.244.0.1", "hostIPs": [{"ip": "10.244.0.1"}]}
    return {**host, "podIP": "10.244.1.80", "podIPs": [{"ip": "10.244.1.80"}]} if sandbox else host


def container_status(
    pod: Object, state: Object, *, container_id: str = "", bare: bool = False
) -> list[Object]:
    """Return the status of the container; `bare` if its image was never pulled."""
    container = pod["spec"]["containers"][0]
    image = container["image"]
    known = not bare
    full = image if "." in image.partition("/")[0] else f"docker.io/{image}"
    running = "running" in state
    status: Object = {
        "name": container["name"],
        "state": state,
        "lastState": {},
        "ready": running,
        "restartCount": 0,
        "image": full if known else image,
        "imageID": f"{full.rpartition(':')[0]}@{IMAGE_DIGEST}" if known else "",
    }
    if container_id:
        status["containerID"] = f"containerd://{container_id}"
    resources = container.get("resources") or {}
    return [
        {
            **status,
            "started": running,
            **(
                {"allocatedResources": resources["requests"], "resources": resources}
                if known and resources.get("requests")
                else {}
            ),
            **(
                {"volumeMounts": container["volumeMounts"]} if container.get("volumeMounts") else {}
            ),
        }
    ]


def sidecar_status(state: Object) -> Object:
    """Return the status of an injected sidecar, which runs or has ended."""
    return {
        "name": "istio-proxy",
        "state": state,
        "lastState": {},
        "ready": "running" in state,
        "restartCount": 0,
        "image": "docker.io/istio/proxyv2:1.27.1",
        "imageID": "",
        "started": "running" in state,
    }


def started_conditions(
    at: str, scheduled_at: str, *, ready: bool, sandbox: bool, container: str
) -> list[Object]:
    """Return the conditions of a pod that its kubelet has accepted."""
    word = "True" if ready else "False"
    why = (
        {}
        if ready
        else {
            "reason": "ContainersNotReady",
            "message": f"containers with unready status: [{container}]",
        }
    )
    return [
        condition("PodReadyToStartContainers", "True" if sandbox else "False", at),
        condition("Initialized", "True", scheduled_at),
        condition("Ready", word, at, **why),
        condition("ContainersReady", word, at, **why),
        condition("PodScheduled", "True", scheduled_at),
    ]


def ended_conditions(at: str, scheduled_at: str, *, succeeded: bool) -> list[Object]:
    reason = "PodCompleted" if succeeded else "PodFailed"
    return [
        condition("PodReadyToStartContainers", "False", at),
        condition("Initialized", "True", scheduled_at, reason="PodCompleted" if succeeded else ""),
        condition("Ready", "False", at, reason=reason),
        condition("ContainersReady", "False", at, reason=reason),
        condition("PodScheduled", "True", scheduled_at),
    ]


def node(
    name: str, at: str, *, labels: dict[str, str], allocatable: dict[str, str], taints: list[Object]
) -> Object:
    conditions = [
        (
            "MemoryPressure",
            "False",
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available",
        ),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ]
    return {
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                **labels,
            },
        },
        "spec": {"taints": taints} if taints else {},
        "status": {
            "capacity": allocatable,
            "allocatable": allocatable,
            "conditions": [
                node_condition(kind, status, at, reason, message)
                for kind, status, reason, message in conditions
            ],
            "addresses": [
                {"type": "InternalIP", "address": "10.244.0.1"},
                {"type": "Hostname", "address": name},
            ],
            "nodeInfo": {
                "machineID": "3d1219c7c4c5404aaa1f6d2a48adfda4",
                "systemUUID": "3d1219c7c4c5404aaa1f6d2a48adfda4",
                "bootID": "94003eb4-a903-4cbc-838f-a0534972cd6e",
                "kernelVersion": "6.18.44",
                "osImage": "Debian GNU/Linux 12 (bookworm)",
                "containerRuntimeVersion": "containerd://1.6.20",
                "kubeletVersion": "v1.34.9",
                "kubeProxyVersion": "",
                "operatingSystem": "linux",
                "architecture": "amd64",
            },
        },
    }


def node_condition(kind: str, status: str, at: str, reason: str, message: str) -> Object:
    return {
        "type": kind,
        "status": status,
        "lastHeartbeatTime": at,
        "lastTransitionTime": at,
        "reason": reason,
        "message": message,
    }


def status_object(code: int, reason: str, message: str, **details: Any) -> Object:
    """Return the Status object of an error response."""
    found: Object = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
    }
    if details:
        found["details"] = details
    return {**found, "code": code}


def add_finalizer(obj: Object, name: str = FOREGROUND) -> list[str]:
    return [*obj["metadata"].get("finalizers", ()), name]
