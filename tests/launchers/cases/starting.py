"""Scheduled pods that do not start."""

from jobs.contract import FailureReason as R
from tests.launchers import kube
from tests.launchers.cases.base import IMAGE, STUCK, WAITS, Case


def _config(
    name: str,
    category: R,
    message: str,
    *words: str,
    reason: str = "CreateContainerConfigError",
    stage: str = WAITS,
) -> Case:
    return Case(name, category, stage, words, [kube.waiting(reason, message)])


def _event(name: str, category: R, reason: str, message: str, *words: str) -> Case:
    return Case(
        name,
        category,
        WAITS,
        words,
        [kube.waiting("ContainerCreating")],
        [kube.event(reason, message)],
    )


STARTING = [
    _config(
        "secret",
        R.MISSING_SECRET,
        'secret "redis" not found',
        '"redis" is missing',
        "then starts automatically",
    ),
    _config(
        "secret-key",
        R.MISSING_SECRET,
        "couldn't find key url in Secret ns/redis",
        '"redis" has no key "url"',
    ),
    _config(
        "config-map",
        R.MISSING_CONFIG_MAP,
        'configmap "settings" not found',
        '"settings" is missing',
    ),
    _config(
        "config-map-key",
        R.MISSING_CONFIG_MAP,
        "couldn't find key a.yaml in ConfigMap ns/settings",
        "a.yaml",
    ),
    _config(
        "root",
        R.POD_SECURITY,
        'container has runAsNonRoot and image will run as root (pod: "x", container: worker)',
        "root",
        stage=STUCK,
    ),
    _config(
        "sub-path",
        R.MOUNT_FAILED,
        'failed to prepare subPath for volumeMount "model-cache" of container "worker"',
        "cannot be mounted",
    ),
    _config(
        "no-command",
        R.BAD_COMMAND,
        "failed to generate spec: no command specified",
        "names no command",
        reason="CreateContainerError",
        stage=STUCK,
    ),
    _config(
        "runtime-slow",
        R.SANDBOX_FAILED,
        "context deadline exceeded",
        "context deadline exceeded",
        reason="CreateContainerError",
    ),
    _config(
        "unheard-of", R.STARTING, "who knows", "SomethingNew: who knows", reason="SomethingNew"
    ),
    _event(
        "secret-volume",
        R.MISSING_SECRET,
        "FailedMount",
        'MountVolume.SetUp failed for volume "creds" : secret "creds" not found',
        '"creds" is missing',
    ),
    _event(
        "config-map-volume",
        R.MISSING_CONFIG_MAP,
        "FailedMount",
        'MountVolume.SetUp failed for volume "c" : configmap "c" not found',
        '"c" is missing',
    ),
    _event(
        "secret-item",
        R.MISSING_SECRET,
        "FailedMount",
        'MountVolume.SetUp failed for volume "c" : references non-existent secret key: url',
        '"url"',
    ),
    _event(
        "mount-timeout",
        R.MOUNT_FAILED,
        "FailedMount",
        "Unable to attach or mount volumes: unmounted volumes=[model-cache], unattached "
        "volumes=[], failed to process volumes=[]: timed out waiting"
        " for the condition",
        '"model-cache" cannot be mounted',
    ),
    _event(
        "nfs",
        R.MOUNT_FAILED,
        "FailedMount",
        'MountVolume.SetUp failed for volume "pv-nfs" : mount failed: exit status 32',
        '"pv-nfs"',
    ),
    _event(
        "multi-attach",
        R.MOUNT_FAILED,
        "FailedAttachVolume",
        'Multi-Attach error for volume "pvc-1" Volume is already exclusively attached to one node '
        "and can't be attached to another",
        "in use on another node",
    ),
    _event(
        "attach",
        R.MOUNT_FAILED,
        "FailedAttachVolume",
        'AttachVolume.Attach failed for volume "pvc-1" : rpc error: code = Internal',
        "cannot be attached",
    ),
    _event(
        "cni",
        R.NETWORK_FAILED,
        "FailedCreatePodSandBox",
        "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network "
        'for "ab": plugin type="calico" failed: no IPs',
        "network",
    ),
    _event(
        "network-not-ready",
        R.NETWORK_FAILED,
        "NetworkNotReady",
        "network is not ready: container runtime network not ready: cni plugin not initialized",
        "CNI",
    ),
    _event(
        "sandbox",
        R.SANDBOX_FAILED,
        "FailedCreatePodSandBox",
        "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox "
        'runtime: no runtime for "gvisor" is configured',
        "sandbox",
    ),
    Case(
        "mounted-meanwhile",
        R.IMAGE_PULLING,
        WAITS,
        ("Pulling",),
        [kube.waiting("ContainerCreating")],
        [
            kube.event(
                "FailedMount",
                'MountVolume.SetUp failed for volume "creds" : secret "creds" not found',
                seconds=5,
                last=20,
            ),
            kube.event("Pulling", f'Pulling image "{IMAGE}"', seconds=30),
        ],
    ),
    Case(
        "pulled-meanwhile",
        R.STARTING,
        WAITS,
        ("being started",),
        [kube.waiting("ContainerCreating")],
        [
            kube.event("Failed", f'Failed to pull image "{IMAGE}": 401 Unauthorized', seconds=5),
            kube.event("Pulled", "Successfully pulled image", seconds=30),
        ],
    ),
    Case(
        "sandbox-ready-meanwhile",
        R.STARTING,
        WAITS,
        ("being started",),
        [
            kube.pod(
                {"waiting": {"reason": "ContainerCreating"}},
                conditions=[("PodReadyToStartContainers", "True", "", "")],
            )
        ],
        [],
    ),
]
