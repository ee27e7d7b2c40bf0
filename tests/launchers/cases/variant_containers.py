"""Variants of sidecars, init containers and commands that cannot be started."""

from typing import Any

from jobs.contract import FailureReason as R
from tests.launchers import kube
from tests.launchers.cases.base import ENDED, FAILED_JOB, IMAGE, STUCK, WAITS, Case

_READY = [("PodReadyToStartContainers", "True", "", "")]


def other(name: str, state: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the status of a container other than the worker's."""
    return {"name": name, "image": f"example.com/{name}:1", "state": state, "lastState": {}, **more}


def with_sidecar(
    pod: dict[str, Any], *states: dict[str, Any], native: bool = False
) -> dict[str, Any]:
    """Return the pod with injected containers.

    These are classic sidecars, or native ones (init containers that restart always).
    """
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
        FAILED_JOB,
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
                    f'Back-off pulling image "{IMAGE}": dial tcp: lookup registry.example.com: no '
                    "such host",
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
        FAILED_JOB,
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
        FAILED_JOB,
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
        FAILED_JOB,
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
    return Case(
        name, category, ENDED, words, [kube.terminated(code, reason, message)], [], FAILED_JOB
    )


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
        "OCI runtime create failed: container_linux.go:345: starting container process caused "
        '"exec: \\"mimir-worker\\": executable file not found in'
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
        "OCI runtime create failed: container_linux.go:348: starting container process caused "
        '"chdir to cwd (\\"/home/jboss\\") set in config.json'
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
        "failed to create containerd task: OCI runtime create failed: runc create failed: unable "
        "to start container process: error during container"
        " init: mkdir /srv: read-only file system: unknown",
        "working directory /srv",
        "read-only file system",
    ),
    _create(
        "crio-not-found",
        R.BAD_COMMAND,
        "container create failed: executable file `foo` not found in $PATH: No such file or "
        "directory",
        "foo",
        stage=STUCK,
    ),
    _create(
        "seccomp-profile",
        R.SANDBOX_FAILED,
        "failed to create containerd container: cannot load seccomp profile "
        '"/var/lib/kubelet/seccomp/profiles/unshare.json": open'
        " /var/lib/kubelet/seccomp/profiles/unshare.json: no such file or directory",
        "seccomp profile /var/lib/kubelet/seccomp/profiles/unshare.json",
    ),
    _create(
        "apparmor-profile",
        R.SANDBOX_FAILED,
        "failed to generate container spec: apparmor profile not found mimir: no such file or "
        "directory",
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
        "OCI runtime create failed: container_linux.go:348: starting container process caused "
        '"process_linux.go:402: container init caused'
        ' \\"mkdir /srv: permission denied\\"": unknown',
        "working directory /srv",
        reason="ContainerCannotRun",
    ),
    _create(
        "shim-of-the-runtime",
        R.SANDBOX_FAILED,
        "failed to start shim: start failed: fork/exec /usr/bin/containerd-shim-runc-v2: no such "
        "file or directory",
        "containerd-shim-runc-v2",
    ),
    _create(
        "cgroup",
        R.SANDBOX_FAILED,
        "runc create failed: unable to apply cgroup configuration: mkdir /sys/fs/cgroup/x: no "
        "such file or directory",
        "cgroup",
    ),
    _create(
        "container-name-reserved",
        R.SANDBOX_FAILED,
        'failed to reserve container name "worker_x_0": name "worker_x_0" is reserved for "ab"',
        "reserved",
    ),
]
