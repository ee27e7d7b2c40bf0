"""Workers that cannot be scheduled."""

from typing import Any

from jobs.contract import FailureReason as R
from tests.launchers import kube
from tests.launchers.cases.base import ENDED, WAITS, Case, scheduler_message


def _unscheduled(
    name: str,
    category: R,
    message: str,
    *words: str,
    nodes: list[dict[str, Any]] | None = None,
    **spec: Any,
) -> Case:
    pod, job = _asking(kube.unscheduled(message), **spec), kube.job(active=1)
    job["spec"]["template"]["spec"] |= {
        name: pod["spec"][name] for name in ("containers", "nodeSelector") if name in pod["spec"]
    }
    return Case(name, category, WAITS, words, [pod], [], job, nodes)


def _asking(
    pod: dict[str, Any], *, selector: dict[str, str] | None = None, **requests: str
) -> dict[str, Any]:
    if requests:
        pod["spec"]["containers"][0]["resources"] = {
            "requests": {
                key.replace("gpu", "nvidia.com/gpu"): value for key, value in requests.items()
            }
        }
    if selector:
        pod["spec"]["nodeSelector"] = selector
    return pod


SCHEDULING = [
    _unscheduled(
        "busy",
        R.UNSCHEDULABLE_CPU,
        scheduler_message(3, "3 Insufficient cpu"),
        "1 CPU free",
        "Of 3 nodes",
        "when a node has free capacity",
        nodes=[kube.node(), kube.node("node2", cpu="8")],
    ),
    _unscheduled(
        "memory-beside-taints",
        R.UNSCHEDULABLE_MEMORY,
        scheduler_message(
            3,
            "1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 "
            "Insufficient memory",
        ),
        "512 GiB of memory",
        "control-plane",
        memory="512Gi",
    ),
    _unscheduled(
        "both-short",
        R.UNSCHEDULABLE_MEMORY,
        scheduler_message(2, "2 Insufficient cpu, 1 Insufficient memory"),
        "64 GiB",
        "Even an empty node",
        nodes=[kube.node()],
        cpu="2",
        memory="64Gi",
    ),
    _unscheduled(
        "gpu-busy",
        R.UNSCHEDULABLE_GPU,
        scheduler_message(
            2, "1 Insufficient nvidia.com/gpu, 1 node(s) didn't match Pod's node affinity/selector"
        ),
        "none of them has 1 nvidia.com/gpu free",
        "1 of 2 nodes offer nvidia.com/gpu",
        nodes=[kube.node(), kube.node("node2", nvidia_com__gpu="1")],
        gpu="1",
    ),
    _unscheduled(
        "gpu-tainted",
        R.UNSCHEDULABLE_TAINT,
        scheduler_message(
            2,
            "1 Insufficient nvidia.com/gpu, 1 node(s) had untolerated taint {nvidia.com/gpu: "
            "present}",
        ),
        "{nvidia.com/gpu: present}",
        gpu="1",
    ),
    _unscheduled(
        "disk",
        R.UNSCHEDULABLE_DISK,
        scheduler_message(1, "1 Insufficient ephemeral-storage"),
        "ephemeral",
    ),
    _unscheduled(
        "selector",
        R.UNSCHEDULABLE_SELECTOR,
        scheduler_message(2, "2 node(s) didn't match Pod's node affinity/selector"),
        "no node has the label pool=gpu",
        selector={"pool": "gpu"},
    ),
    _unscheduled(
        "taint",
        R.UNSCHEDULABLE_TAINT,
        scheduler_message(
            2,
            "1 node(s) had untolerated taint {dedicated: web}, 1 node(s) had untolerated taint "
            "{a: b}",
        ),
        "{dedicated: web}",
        "{a: b}",
        "toleration",
    ),
    _unscheduled(
        "taint-unnamed",
        R.UNSCHEDULABLE_TAINT,
        scheduler_message(1, "1 node(s) had untolerated taint(s)"),
        "{dedicated: web}",
        nodes=[kube.node(taints=[{"key": "dedicated", "value": "web", "effect": "NoSchedule"}])],
    ),
    _unscheduled(
        "taint-not-ready",
        R.UNSCHEDULABLE_TAINT,
        scheduler_message(1, "1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }"),
        "not ready",
    ),
    _unscheduled(
        "volume-affinity",
        R.UNSCHEDULABLE_VOLUME,
        scheduler_message(2, "2 node(s) had volume node affinity conflict"),
        'claim "model-cache-pvc"',
    ),
    _unscheduled(
        "no-volume-to-bind",
        R.UNSCHEDULABLE_VOLUME,
        scheduler_message(1, "1 node(s) didn't find available persistent volumes to bind"),
        "volume",
    ),
    _unscheduled(
        "too-many-volumes",
        R.UNSCHEDULABLE_VOLUME,
        scheduler_message(1, "1 node(s) exceed max volume count"),
        "volume",
    ),
    _unscheduled(
        "claim-missing",
        R.MISSING_VOLUME_CLAIM,
        '0/1 nodes are available: persistentvolumeclaim "cache" not found. not found',
        '"cache" is missing',
    ),
    _unscheduled(
        "claim-deleted",
        R.MISSING_VOLUME_CLAIM,
        '0/1 nodes are available: persistentvolumeclaim "cache" is being deleted.',
        "being deleted",
    ),
    _unscheduled(
        "claim-unbound",
        R.VOLUME_UNBOUND,
        "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found",
        "unbound",
    ),
    _unscheduled(
        "storage-class",
        R.VOLUME_UNBOUND,
        '0/1 nodes are available: storageclass.storage.k8s.io "fast" not found.',
        '"fast" does not exist',
    ),
    _unscheduled(
        "binding-timed-out",
        R.VOLUME_UNBOUND,
        'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded',
        "no volume yet",
    ),
    _unscheduled(
        "cordoned",
        R.UNSCHEDULABLE,
        scheduler_message(1, "1 node(s) were unschedulable"),
        "cordoned",
    ),
    _unscheduled(
        "too-many-pods",
        R.UNSCHEDULABLE,
        scheduler_message(2, "2 Too many pods"),
        "the maximum number of pods",
    ),
    _unscheduled(
        "spread",
        R.UNSCHEDULABLE,
        scheduler_message(2, "2 node(s) didn't match pod topology spread constraints"),
        "topology spread",
    ),
    _unscheduled(
        "anti-affinity",
        R.UNSCHEDULABLE,
        scheduler_message(2, "2 node(s) didn't match pod anti-affinity rules"),
        "anti-affinity",
    ),
    _unscheduled(
        "no-nodes",
        R.UNSCHEDULABLE,
        "no nodes available to schedule pods",
        "the cluster has no node",
    ),
    _unscheduled(
        "other-resource",
        R.UNSCHEDULABLE,
        scheduler_message(1, "1 Insufficient example.com/fpga"),
        "example.com/fpga",
    ),
    _unscheduled(
        "strange-verdict",
        R.UNSCHEDULABLE,
        "0/1 nodes are available: 1 node(s) are on the moon.",
        "on the moon",
    ),
    Case(
        "gated",
        R.UNSCHEDULABLE,
        WAITS,
        ("scheduling gate",),
        [
            kube.pod(
                node="",
                conditions=[
                    (
                        "PodScheduled",
                        "False",
                        "SchedulingGated",
                        "Scheduling is blocked due to non-empty scheduling gates",
                    )
                ],
            )
        ],
    ),
    Case(
        "autoscaler-helps",
        R.UNSCHEDULABLE_CPU,
        WAITS,
        ("autoscaler is adding a node",),
        [kube.unscheduled(scheduler_message(1, "1 Insufficient cpu"))],
        [kube.event("TriggeredScaleUp", "pod triggered scale-up: [{pool 1->2 (max: 5)}]")],
    ),
    Case(
        "autoscaler-does-not",
        R.UNSCHEDULABLE_CPU,
        WAITS,
        ("autoscaler does not add a node: 1 max node group size reached",),
        [kube.unscheduled(scheduler_message(1, "1 Insufficient cpu"))],
        [
            kube.event(
                "NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size reached"
            )
        ],
    ),
    Case(
        "provisioner",
        R.VOLUME_UNBOUND,
        WAITS,
        ("no storage class is set",),
        [
            kube.unscheduled(
                "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims."
            )
        ],
        [
            kube.event(
                "FailedBinding",
                "no persistent volumes available for this claim and no storage class is set",
                kind="PersistentVolumeClaim",
            )
        ],
    ),
    Case(
        "scheduled-meanwhile",
        R.STARTING,
        WAITS,
        ("assigned to a node (node1)", "has not confirmed it"),
        [kube.unscheduled(scheduler_message(1, "1 Insufficient cpu"))],
        [
            kube.event("FailedScheduling", scheduler_message(1, "1 Insufficient cpu")),
            kube.event("Scheduled", "Successfully assigned ns/pod to node1", seconds=30),
        ],
    ),
    Case("scheduler-silent", R.STARTING, WAITS, ("scheduler",), [kube.pod(node="")]),
    Case(
        "gpu-never-came",
        R.UNSCHEDULABLE_GPU,
        ENDED,
        ("Never started", "nvidia.com/gpu"),
        [],
        [kube.event("FailedScheduling", scheduler_message(1, "1 Insufficient nvidia.com/gpu"))],
        kube.job(("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")),
    ),
]
