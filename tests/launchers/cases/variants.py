"""Wordings of other versions, distributions, runtimes and add-ons, in the kinds of `tests/launchers/variants/`.

Sources: public issues of containerd, CRI-O, runc, crun, moby, kubernetes, OpenShift, Karpenter, autoscaler and CSI drivers.
"""

from typing import Any

from jobs.contract import FailureReason as R
from tests.launchers import kube
from tests.launchers.cases.base import ENDED, IMAGE, STUCK, WAITS, Case, scheduler_message

_FAILED = kube.job(
    ("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"), failed=1
)
_READY = [("PodReadyToStartContainers", "True", "", "")]


def other(name: str, state: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The status of a container that is not the worker's."""
    return {"name": name, "image": f"example.com/{name}:1", "state": state, "lastState": {}, **more}


def with_sidecar(
    pod: dict[str, Any], *states: dict[str, Any], native: bool = False
) -> dict[str, Any]:
    """The pod with injected containers: classic sidecars, or native ones (init containers that restart always)."""
    group = "initContainerStatuses" if native else "containerStatuses"
    before = pod["status"].get(group, [])
    spec = dict(pod["spec"])
    if native:
        spec["initContainers"] = [
            {"name": each["name"], "restartPolicy": "Always"} for each in states
        ]
    # An injecting webhook may put its container first.
    return {**pod, "spec": spec, "status": {**pod["status"], group: [*states, *before]}}


def with_init(pod: dict[str, Any], *states: dict[str, Any]) -> dict[str, Any]:
    return {**pod, "status": {**pod["status"], "initContainerStatuses": list(states)}}


RUNNING = {"running": {"startedAt": kube.at(3)}}
_INIT_ENDED = {
    "terminated": {
        "exitCode": 2,
        "reason": "Error",
        "message": "iptables: Permission denied\n",
        "startedAt": kube.at(3),
    }
}

SIDECARS = [
    Case(
        "linkerd-oom",
        R.OUT_OF_MEMORY,
        ENDED,
        ("Ran out of memory", "4 GiB"),
        [
            with_sidecar(
                kube.terminated(137, "OOMKilled", phase="Running"), other("linkerd-proxy", RUNNING)
            )
        ],
    ),
    Case(
        "cloud-sql-proxy-exit",
        R.EXIT_CODE,
        ENDED,
        ("exit code 3", "no such table"),
        [
            with_sidecar(
                kube.terminated(3, message="no such table", phase="Running"),
                other("cloud-sql-proxy", RUNNING, ready=True),
            )
        ],
    ),
    Case(
        "vault-agent-ends-137-beside-a-segfault",
        R.SIGNAL,
        ENDED,
        ("signal 11",),
        [
            with_sidecar(
                kube.terminated(139),
                other("vault-agent", {"terminated": {"exitCode": 137, "reason": "Error"}}),
            )
        ],
        [],
        _FAILED,
    ),
    Case(
        "sidecar-image-missing-worker-pulls",
        R.REGISTRY_UNREACHABLE,
        WAITS,
        ("name cannot be resolved",),
        [
            with_sidecar(
                kube.waiting(
                    "ImagePullBackOff",
                    f'Back-off pulling image "{IMAGE}": dial tcp: lookup registry.example.com: no such host',
                ),
                other(
                    "dapr", {"waiting": {"reason": "ErrImagePull", "message": "401 Unauthorized"}}
                ),
            )
        ],
    ),
    Case(
        "sidecar-event-is-not-the-workers",
        R.STARTING,
        WAITS,
        ("being started",),
        [
            with_sidecar(
                kube.waiting("ContainerCreating", conditions=_READY), other("istio-proxy", RUNNING)
            )
        ],
        [
            {
                **kube.event("Failed", 'Failed to pull image "x": not found'),
                "involvedObject": {
                    "kind": "Pod",
                    "name": kube.POD,
                    "fieldPath": "spec.containers{istio-proxy}",
                },
            }
        ],
    ),
    Case(
        "native-sidecar-crashes",
        R.INIT_FAILED,
        WAITS,
        ("istio-proxy", "exit code 255", "never ran"),
        [
            with_sidecar(
                kube.waiting("PodInitializing"),
                other(
                    "istio-proxy",
                    {
                        "waiting": {
                            "reason": "CrashLoopBackOff",
                            "message": "back-off 10s restarting failed container",
                        }
                    },
                    lastState={
                        "terminated": {"exitCode": 255, "reason": "Error", "message": "no istiod"}
                    },
                    started=False,
                ),
                native=True,
            )
        ],
    ),
    Case(
        "native-sidecar-runs-worker-waits-for-secret",
        R.MISSING_SECRET,
        WAITS,
        ('"redis" is missing',),
        [
            with_sidecar(
                kube.waiting("CreateContainerConfigError", 'secret "redis" not found'),
                other("sql", RUNNING, started=True),
                native=True,
            )
        ],
    ),
]

INITS = [
    Case(
        "istio-init-fails",
        R.INIT_FAILED,
        ENDED,
        ('"istio-init"', "exit code 2", "iptables: Permission denied", "never ran"),
        [
            with_init(
                kube.waiting("PodInitializing", phase="Failed"), other("istio-init", _INIT_ENDED)
            )
        ],
        [],
        _FAILED,
    ),
    Case(
        "init-out-of-memory",
        R.INIT_FAILED,
        ENDED,
        ('"warm"', "OOMKilled"),
        [
            with_init(
                kube.waiting("PodInitializing", phase="Failed"),
                other("warm", {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}),
            )
        ],
        [],
        _FAILED,
    ),
    Case(
        "second-init-fails",
        R.INIT_FAILED,
        ENDED,
        ('"second"',),
        [
            with_init(
                kube.waiting("PodInitializing", phase="Failed"),
                other("first", {"terminated": {"exitCode": 0, "reason": "Completed"}}),
                other("second", _INIT_ENDED),
            )
        ],
        [],
        _FAILED,
    ),
    Case(
        "init-waits-for-ever",
        R.STARTING,
        WAITS,
        ('init container "wait-for-db" runs', "only after it"),
        [with_init(kube.waiting("PodInitializing"), other("wait-for-db", RUNNING))],
    ),
    Case(
        "init-image",
        R.IMAGE_NOT_FOUND,
        WAITS,
        ('"fetch"', "example.com/fetch:1", "a controller in the cluster added it"),
        [
            with_init(
                kube.waiting("PodInitializing"),
                other(
                    "fetch", {"waiting": {"reason": "ErrImagePull", "message": "manifest unknown"}}
                ),
            )
        ],
    ),
    Case(
        "init-bad-image-name",
        R.INIT_FAILED,
        WAITS,
        ('"fetch"', "not valid"),
        [
            with_init(
                kube.waiting("PodInitializing"),
                other(
                    "fetch",
                    {"waiting": {"reason": "InvalidImageName", "message": "couldn't parse image"}},
                ),
            )
        ],
    ),
]


def _start(
    name: str,
    message: str,
    *words: str,
    reason: str = "StartError",
    code: int = 128,
    category: R = R.BAD_COMMAND,
) -> Case:
    return Case(name, category, ENDED, words, [kube.terminated(code, reason, message)], [], _FAILED)


def _create(name: str, category: R, message: str, *words: str, stage: str = WAITS) -> Case:
    return Case(name, category, stage, words, [kube.waiting("CreateContainerError", message)])


COMMANDS = [
    _start(
        "exec-format-old-runc",
        "standard_init_linux.go:228: exec user process caused: exec format error",
        "processor architecture",
        reason="Error",
        code=1,
    ),
    _start(
        "exec-format-crun",
        "exec container process `/app/bin/mimir-worker`: Exec format error",
        "/app/bin/mimir-worker",
        "processor architecture",
    ),
    _start(
        "exec-format-shell",
        "/bin/sh: /app/w: cannot execute binary file: Exec format error",
        "processor architecture",
        reason="Error",
        code=126,
    ),
    _start(
        "docker-not-found",
        'OCI runtime create failed: container_linux.go:345: starting container process caused "exec: \\"mimir-worker\\": executable file not found in'
        ' $PATH": unknown',
        "command mimir-worker was not found",
        reason="ContainerCannotRun",
        code=127,
    ),
    _start(
        "crun-not-found",
        "crun: executable file `mimir-worker` not found in $PATH: No such file or directory",
        "mimir-worker was not found",
    ),
    _start(
        "interpreter-missing",
        "exec /app/run.sh: no such file or directory",
        "/app/run.sh was not found",
    ),
    _start(
        "chdir-docker",
        'OCI runtime create failed: container_linux.go:348: starting container process caused "chdir to cwd (\\"/home/jboss\\") set in config.json'
        ' failed: permission denied": unknown',
        "working directory /home/jboss",
        "permission denied",
        reason="ContainerCannotRun",
        code=126,
    ),
    _start(
        "chdir-crun",
        "crun: cannot chdir to `/srv/app`: Not a directory: OCI runtime error",
        "working directory /srv/app",
    ),
    _start(
        "cwd-read-only",
        "failed to create containerd task: OCI runtime create failed: runc create failed: unable to start container process: error during container"
        " init: mkdir /srv: read-only file system: unknown",
        "working directory /srv",
        "read-only file system",
    ),
    _create(
        "crio-not-found",
        R.BAD_COMMAND,
        "container create failed: executable file `foo` not found in $PATH: No such file or directory",
        "foo",
        stage=STUCK,
    ),
    _create(
        "seccomp-profile",
        R.SANDBOX_FAILED,
        'failed to create containerd container: cannot load seccomp profile "/var/lib/kubelet/seccomp/profiles/unshare.json": open'
        " /var/lib/kubelet/seccomp/profiles/unshare.json: no such file or directory",
        "seccomp profile /var/lib/kubelet/seccomp/profiles/unshare.json",
    ),
    _create(
        "apparmor-profile",
        R.SANDBOX_FAILED,
        "failed to generate container spec: apparmor profile not found mimir: no such file or directory",
        "AppArmor",
    ),
    _create(
        "device-missing",
        R.SANDBOX_FAILED,
        'failed to generate container "ab" spec: lstat /dev/nvidia-uvm: no such file or directory',
        "lstat /dev/nvidia-uvm",
    ),
    _start(
        "chdir-bare",
        "container create failed: chdir: No such file or directory",
        "working directory",
    ),
    _start(
        "cwd-old-runc",
        'OCI runtime create failed: container_linux.go:348: starting container process caused "process_linux.go:402: container init caused'
        ' \\"mkdir /srv: permission denied\\"": unknown',
        "working directory /srv",
        reason="ContainerCannotRun",
    ),
    _create(
        "shim-of-the-runtime",
        R.SANDBOX_FAILED,
        "failed to start shim: start failed: fork/exec /usr/bin/containerd-shim-runc-v2: no such file or directory",
        "containerd-shim-runc-v2",
    ),
    _create(
        "cgroup",
        R.SANDBOX_FAILED,
        "runc create failed: unable to apply cgroup configuration: mkdir /sys/fs/cgroup/x: no such file or directory",
        "cgroup",
    ),
    _create(
        "container-name-reserved",
        R.SANDBOX_FAILED,
        'failed to reserve container name "worker_x_0": name "worker_x_0" is reserved for "ab"',
        "reserved",
    ),
]


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
        "x509: certificate has expired or is not yet valid: current time 2026-11-01T00:00:00Z is before 2026-11-02T00:00:00Z",
        "not valid yet",
        "clock",
    ),
    _pull(
        "plain-http-crio",
        R.REGISTRY_UNREACHABLE,
        'pinging container registry r:5000: Get "https://r:5000/v2/": http: server gave HTTP response to HTTPS client',
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
        'MountVolume.MountDevice failed for volume "pvc-4d70" : driver name csi.hetzner.cloud not found in the list of registered CSI drivers',
        "csi.hetzner.cloud",
        then=_TIMED_OUT,
    ),
    _mount(
        "csi-node",
        R.MOUNT_FAILED,
        'AttachVolume.Attach failed for volume "pvc-1" : CSINode ip-10-0-0-1 does not contain driver ebs.csi.aws.com',
        "ebs.csi.aws.com",
        "not registered",
        reason="FailedAttachVolume",
    ),
    _mount(
        "csi-attacher",
        R.MOUNT_FAILED,
        'AttachVolume.Attach failed for volume "v" : timed out waiting for external-attacher of disk.csi.azure.com CSI driver to attach volume /sub',
        "disk.csi.azure.com",
        reason="FailedAttachVolume",
    ),
    _mount(
        "multi-attach-stays",
        R.MOUNT_FAILED,
        'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) other',
        "in use on another node",
        reason="FailedAttachVolume",
        then="Unable to attach or mount volumes: unmounted volumes=[cache], unattached volumes=[], failed to process volumes=[]:"
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
        'Failed to create pod sandbox: rpc error: code = Unknown desc = failed pulling image "k8s.gcr.io/pause:3.1": Error response from daemon: Get'
        " https://k8s.gcr.io/v2/: net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)",
        "k8s.gcr.io/pause:3.1",
        reason="FailedCreatePodSandBox",
        then='Failed to create pod sandbox: rpc error: code = Unknown desc = failed to reserve sandbox name "x": name "x" is reserved for "ab"',
    ),
    _mount(
        "pause-missing",
        R.SANDBOX_FAILED,
        'Failed to create pod sandbox: rpc error: code = NotFound desc = failed to get sandbox image "r.example.com/pause:3.8": failed to pull image'
        ' "r.example.com/pause:3.8": r.example.com/pause:3.8: not found',
        "r.example.com/pause:3.8",
        reason="FailedCreatePodSandBox",
    ),
    _mount(
        "cni-stays",
        R.NETWORK_FAILED,
        'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox: plugin type="aws-cni" failed (add)',
        "network",
        reason="FailedCreatePodSandBox",
        then="Failed to create pod sandbox: rpc error: code = DeadlineExceeded desc = context deadline exceeded",
    ),
]


def _taint(name: str, taint: str, *words: str, **more: Any) -> Case:
    return Case(name, R.UNSCHEDULABLE_TAINT, WAITS, words, [kube.unscheduled(taint)], **more)


TAINTS = [
    _taint(
        "unreachable-old",
        "0/3 nodes are available: 3 node(s) had taint {node.kubernetes.io/unreachable: }, that the pod didn't tolerate.",
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
        "Node scale up in zones us-central1-b associated with this pod failed: GCE out of resources. Pod is at risk of not being scheduled.",
        "GCE out of resources",
    ),
    _refused_by_autoscaler(
        "karpenter-provisioner",
        "FailedScheduling",
        'Could not schedule pod, all available instance types exceed limits for provisioner: "default"',
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
        "unable to validate against any security context constraint: [provider restricted: .spec.securityContext.fsGroup: Invalid value:"
        " []int64{10001}: 10001 is not an allowed group spec.containers[0].securityContext.runAsUser: Invalid value: 10001: must be in the ranges:"
        " [1000620000, 1000629999]]",
        "spec.containers[0].securityContext.runAsUser 10001: must be in the ranges: [1000620000, 1000629999]",
        "spec.securityContext.fsGroup 10001: 10001 is not an allowed group",
        "SCC",
        "uid 10001",
    ),
    _not_made(
        "pod-security-policy",
        R.POD_SECURITY,
        'unable to validate against any pod security policy: [spec.volumes[0]: Invalid value: "emptyDir": emptyDir volumes are not allowed]',
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

VARIANTS = [*ADMISSIONS, *SIDECARS, *INITS, *COMMANDS, *PULLS, *MOUNTS, *TAINTS, *AUTOSCALERS]
