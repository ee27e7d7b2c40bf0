"""Variants of image pulls, volumes, taints, autoscalers and admission."""

from typing import Any

from jobs.contract import FailureReason as R
from tests.launchers import kube
from tests.launchers.cases.base import STUCK, WAITS, Case, scheduler_message


def _pull(name: str, category: R, message: str, *words: str) -> Case:
    return Case(name, category, WAITS, words, [kube.waiting("ErrImagePull", message)])


PULLS = [
    _pull(
        "certificate-wrong-host",
        R.REGISTRY_UNREACHABLE,
        "x509: certificate is valid for a.example.com, not b.example.com",
        "another host name",
    ),
    _pull(
        "certificate-ip",
        R.REGISTRY_UNREACHABLE,
        "x509: cannot validate certificate for 10.0.0.1 because it doesn't contain any IP SANs",
        "another host",
    ),
    _pull(
        "certificate-unknown",
        R.REGISTRY_UNREACHABLE,
        "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        "authority",
    ),
    _pull(
        "certificate-not-yet",
        R.REGISTRY_UNREACHABLE,
        "x509: certificate has expired or is not yet valid: current time 2026-11-01T00:00:00Z is "
        "before 2026-11-02T00:00:00Z",
        "not valid yet",
        "clock",
    ),
    _pull(
        "plain-http-crio",
        R.REGISTRY_UNREACHABLE,
        'pinging container registry r:5000: Get "https://r:5000/v2/": http: server gave HTTP '
        "response to HTTPS client",
        "plain HTTP",
    ),
    _pull(
        "plain-http-handshake",
        R.REGISTRY_UNREACHABLE,
        "tls: first record does not look like a TLS handshake",
        "plain HTTP",
    ),
    _pull(
        "teapot",
        R.IMAGE_PULL_FAILED,
        "unexpected status from HEAD request to https://r/v2/p/manifests/1: 418 I'm a teapot",
        "HTTP status 418",
    ),
    _pull(
        "own-words",
        R.IMAGE_PULL_FAILED,
        "failed to extract layer sha256:ab: unpack went wrong",
        "unpack went wrong",
    ),
    _pull(
        "harbor-content-trust",
        R.IMAGE_PULL_FAILED,
        "Error response from daemon: unknown: status code 412: The image is not signed in Notary.",
        "412",
    ),
]


def _mount(
    name: str, category: R, message: str, *words: str, reason: str = "FailedMount", then: str = ""
) -> Case:
    events = [
        kube.event(reason, message),
        *([kube.event(reason, then, seconds=120)] if then else []),
    ]
    return Case(name, category, WAITS, words, [kube.waiting("ContainerCreating")], events)


_TIMED_OUT = (
    'Unable to mount volumes for pod "x_y": timeout expired waiting for volumes to attach or '
    'mount for pod "y"/"x". list of unmounted volumes=[cache]'
)
MOUNTS = [
    _mount(
        "csi-old-wording",
        R.MOUNT_FAILED,
        'MountVolume.MountDevice failed for volume "pvc-4d70" : driver name csi.hetzner.cloud not '
        "found in the list of registered CSI drivers",
        "csi.hetzner.cloud",
        then=_TIMED_OUT,
    ),
    _mount(
        "csi-node",
        R.MOUNT_FAILED,
        'AttachVolume.Attach failed for volume "pvc-1" : CSINode ip-10-0-0-1 does not contain '
        "driver ebs.csi.aws.com",
        "ebs.csi.aws.com",
        "not registered",
        reason="FailedAttachVolume",
    ),
    _mount(
        "csi-attacher",
        R.MOUNT_FAILED,
        'AttachVolume.Attach failed for volume "v" : timed out waiting for external-attacher of '
        "disk.csi.azure.com CSI driver to attach volume /sub",
        "disk.csi.azure.com",
        reason="FailedAttachVolume",
    ),
    _mount(
        "multi-attach-stays",
        R.MOUNT_FAILED,
        'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) other',
        "in use on another node",
        reason="FailedAttachVolume",
        then="Unable to attach or mount volumes: unmounted volumes=[cache], unattached volumes=[], "
        "failed to process volumes=[]:"
        " context deadline exceeded",
    ),
    _mount(
        "config-map-stays",
        R.MISSING_CONFIG_MAP,
        'MountVolume.SetUp failed for volume "c" : configmap "settings" not found',
        '"settings"',
        then=_TIMED_OUT,
    ),
    _mount(
        "pause-dockershim",
        R.REGISTRY_UNREACHABLE,
        "Failed to create pod sandbox: rpc error: code = Unknown desc = failed pulling image "
        '"k8s.gcr.io/pause:3.1": Error response from daemon: Get'
        " https://k8s.gcr.io/v2/: net/http: request canceled while waiting for connection "
        "(Client.Timeout exceeded while awaiting headers)",
        "k8s.gcr.io/pause:3.1",
        reason="FailedCreatePodSandBox",
        then="Failed to create pod sandbox: rpc error: code = Unknown desc = failed to reserve "
        'sandbox name "x": name "x" is reserved for "ab"',
    ),
    _mount(
        "pause-missing",
        R.SANDBOX_FAILED,
        "Failed to create pod sandbox: rpc error: code = NotFound desc = failed to get sandbox "
        'image "r.example.com/pause:3.8": failed to pull image'
        ' "r.example.com/pause:3.8": r.example.com/pause:3.8: not found',
        "r.example.com/pause:3.8",
        reason="FailedCreatePodSandBox",
    ),
    _mount(
        "cni-stays",
        R.NETWORK_FAILED,
        "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network "
        'for sandbox: plugin type="aws-cni" failed (add)',
        "network",
        reason="FailedCreatePodSandBox",
        then="Failed to create pod sandbox: rpc error: code = DeadlineExceeded desc = context "
        "deadline exceeded",
    ),
]


def _taint(name: str, taint: str, *words: str, **more: Any) -> Case:
    return Case(name, R.UNSCHEDULABLE_TAINT, WAITS, words, [kube.unscheduled(taint)], **more)


TAINTS = [
    _taint(
        "unreachable-old",
        "0/3 nodes are available: 3 node(s) had taint {node.kubernetes.io/unreachable: }, that "
        "the pod didn't tolerate.",
        "unreachable",
    ),
    _taint(
        "taint-disk-pressure",
        scheduler_message(
            1, "1 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }"
        ),
        "low on disk",
    ),
    _taint(
        "cordoned-with-value",
        scheduler_message(
            1, "1 node(s) had untolerated taint {node.kubernetes.io/unschedulable: true}"
        ),
        "cordoned",
    ),
    _taint(
        "deletion-candidate",
        scheduler_message(
            1, "1 node(s) had untolerated taint {DeletionCandidateOfClusterAutoscaler: 1700000000}"
        ),
        "autoscaler",
    ),
    _taint(
        "karpenter",
        scheduler_message(1, "1 node(s) had untolerated taint {karpenter.sh/disrupted: }"),
        "being removed by the node autoscaler",
    ),
    _taint(
        "karpenter-old",
        scheduler_message(
            1, "1 node(s) had untolerated taint {karpenter.sh/disruption: disrupting}"
        ),
        "being removed",
    ),
    _taint(
        "csi-agent",
        scheduler_message(1, "1 node(s) had untolerated taint {ebs.csi.aws.com/agent-not-ready: }"),
        "still being set up",
    ),
    _taint(
        "unknown-node-state",
        scheduler_message(
            1, "1 node(s) had untolerated taint {node.kubernetes.io/something-new: x}"
        ),
        "in a state",
    ),
    _taint(
        "control-plane",
        scheduler_message(
            1, "1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }"
        ),
        "Add a node for workers",
    ),
    _taint(
        "unnamed",
        scheduler_message(1, "1 node(s) had untolerated taint(s)"),
        "does not report the taints",
    ),
    _taint(
        "unnamed-not-ready",
        scheduler_message(2, "2 node(s) had untolerated taint(s)"),
        "not ready",
        "dedicated: web",
        nodes=[
            kube.node(
                taints=[{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}],
                ready="False",
            ),
            kube.node(
                "node2", taints=[{"key": "dedicated", "value": "web", "effect": "NoSchedule"}]
            ),
        ],
    ),
]


def _refused_by_autoscaler(
    name: str, reason: str, message: str, *words: str, reporter: str = ""
) -> Case:
    event = {**kube.event(reason, message, seconds=20), "reportingComponent": reporter}
    return Case(
        name,
        R.UNSCHEDULABLE_MEMORY,
        WAITS,
        ("does not add a node", *words),
        [kube.unscheduled(scheduler_message(2, "2 Insufficient memory"))],
        [kube.event("FailedScheduling", scheduler_message(2, "2 Insufficient memory")), event],
    )


AUTOSCALERS = [
    _refused_by_autoscaler(
        "autoscaler-old",
        "NotTriggerScaleUp",
        "pod didn't trigger scale-up (it wouldn't fit if a new node is added): 1 max limit reached",
        "1 max limit reached",
        reporter="cluster-autoscaler",
    ),
    _refused_by_autoscaler(
        "gke-out-of-resources",
        "FailedScaleUp",
        "Node scale up in zones us-central1-b associated with this pod failed: GCE out of "
        "resources. Pod is at risk of not being scheduled.",
        "GCE out of resources",
    ),
    _refused_by_autoscaler(
        "karpenter-provisioner",
        "FailedScheduling",
        "Could not schedule pod, all available instance types exceed limits for provisioner: "
        '"default"',
        "exceed limits for provisioner",
    ),
    _refused_by_autoscaler(
        "karpenter-by-reporter",
        "FailedScheduling",
        "no pool accepts it; did not tolerate gpu=true:NoSchedule",
        "no pool accepts it",
        reporter="karpenter",
    ),
]


def _not_made(name: str, category: R, message: str, *words: str) -> Case:
    event = kube.event(
        "FailedCreate", f'Error creating: pods "{kube.POD}" is forbidden: {message}', kind="Job"
    )
    return Case(name, category, STUCK, words, [], [event], kube.job())


ADMISSIONS = [
    _not_made(
        "scc-openshift-4.7",
        R.POD_SECURITY,
        "unable to validate against any security context constraint: [provider restricted: "
        ".spec.securityContext.fsGroup: Invalid value:"
        " []int64{10001}: 10001 is not an allowed group "
        "spec.containers[0].securityContext.runAsUser: Invalid value: 10001: must be in the "
        "ranges:"
        " [1000620000, 1000629999]]",
        "spec.containers[0].securityContext.runAsUser 10001: must be in the ranges: [1000620000, "
        "1000629999]",
        "spec.securityContext.fsGroup 10001: 10001 is not an allowed group",
        "SCC",
        "uid 10001",
    ),
    _not_made(
        "pod-security-policy",
        R.POD_SECURITY,
        "unable to validate against any pod security policy: [spec.volumes[0]: Invalid value: "
        '"emptyDir": emptyDir volumes are not allowed]',
        "pod security policy",
        "spec.volumes[0]",
    ),
    _not_made(
        "ratio-helps-nobody-who-asks-for-less",
        R.LIMIT_RANGE,
        "cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000",
        "RESOURCE_PROFILES",
        "maxLimitRequestRatio",
        "2 times the request",
    ),
    _not_made(
        "disk-limit-range",
        R.LIMIT_RANGE,
        "maximum ephemeral-storage usage per Container is 10Gi, but limit is 32256Mi",
        "Lower WORKER_DATA_BYTES",
    ),
]
