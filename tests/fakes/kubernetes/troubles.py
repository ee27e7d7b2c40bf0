"""Causes that block a pod, with messages recorded from a 1.34 cluster or its sources. Pure."""

from dataclasses import dataclass

from tests.fakes.kubernetes.scripts import Start

NOT_PREEMPTED = "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."


@dataclass(frozen=True, slots=True)
class Waiting:
    """Waiting reason of a container and its events: (reason, message, is a warning)."""

    reason: str
    message: str
    events: tuple[tuple[str, str, bool], ...]
    sandbox: bool = True  # the pod's network is up
    then: "Waiting | None" = None  # the reason after it: a back-off
    about_container: bool = True


_SCHEDULING = {
    Start.NO_CPU: (
        f"0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, {NOT_PREEMPTED}"
    ),
    Start.NO_MEMORY: (
        "0/1 nodes are available: 1 Insufficient memory. no new claims to deallocate, "
        f"{NOT_PREEMPTED}"
    ),
    Start.NO_GPU: (
        "0/1 nodes are available: 1 Insufficient nvidia.com/gpu. no new claims to deallocate, "
        f"{NOT_PREEMPTED}"
    ),
    Start.NO_NODE_MATCHES: (
        "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. no new "
        f"claims to deallocate, {NOT_PREEMPTED}"
    ),
    Start.TAINTED: (
        "0/1 nodes are available: 1 node(s) had untolerated taint(s). no new claims to "
        f"deallocate, {NOT_PREEMPTED}"
    ),
    Start.NO_CLAIM: (
        '0/1 nodes are available: persistentvolumeclaim "model-cache-pvc" not found. not found'
    ),
    Start.UNBOUND_CLAIM: (
        "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. no new "
        f"claims to deallocate, {NOT_PREEMPTED}"
    ),
}
_ADMISSION = {
    Start.QUOTA: (
        "exceeded quota: mimir-workers, requested: requests.cpu=500m, used: requests.cpu=0, "
        "limited: requests.cpu=400m"
    ),
    Start.LIMIT_RANGE: "maximum memory usage per Container is 64Mi, but limit is 256Mi",
    Start.POD_SECURITY: (
        'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container '
        '"worker" must set '
        "securityContext.allowPrivilegeEscalation=false)"
    ),
    Start.WEBHOOK: (
        'admission webhook "policy.example.com" denied the request: images have to come from '
        "registry.example.com"
    ),
    Start.NO_SERVICE_ACCOUNT: (
        'error looking up service account {namespace}/{account}: serviceaccount "{account}" not '
        "found"
    ),
}


def admission_refusal(start: Start, *, namespace: str, account: str) -> str:
    """Return the reason why the pod cannot be created, or ""."""
    return _ADMISSION.get(start, "").replace("{namespace}", namespace).replace("{account}", account)


def scheduling_refusal(start: Start) -> str:
    """Return the reason why the pod cannot be scheduled, or ""."""
    return _SCHEDULING.get(start, "")


def waiting(start: Start, image: str) -> Waiting | None:
    """Return the waiting reason of a pod on a node; None if it runs."""
    makers = {
        Start.IMAGE_NOT_FOUND: lambda: _pull(
            image, f"rpc error: code = NotFound desc = {_resolve(image)}: {_full(image)}: not found"
        ),
        Start.PULL_DENIED: lambda: _pull(
            image,
            f"rpc error: code = Unknown desc = {_resolve(image)}: pull access denied, repository "
            "does not exist or may require authorization: "
            "server message: insufficient_scope: authorization failed",
        ),
        Start.REGISTRY_UNREACHABLE: lambda: _pull(
            image,
            f"rpc error: code = Unknown desc = {_resolve(image)}: failed to do request: Head "
            f'"https://{_full(image).partition("/")[0]}/v2/": dial tcp 192.0.2.7:443: i/o timeout',
        ),
        Start.BAD_IMAGE_NAME: lambda: _bad_name(image),
        Start.NEVER_PULL: lambda: _simple(
            "ErrImageNeverPull",
            f'Container image "{image}" is not present with pull policy of Never',
            "ErrImageNeverPull",
        ),
        Start.NO_SECRET: lambda: _config_error(image, 'secret "redis-worker-secret" not found'),
        Start.NO_CONFIG_MAP: lambda: _config_error(image, 'configmap "worker-config" not found'),
        Start.PULLING: lambda: _creating(("Pulling", f'Pulling image "{image}"', False)),
        Start.HOLD: lambda: Waiting("ContainerCreating", "", (), sandbox=False),
        Start.MOUNT_FAILED: lambda: _creating(
            (
                "FailedMount",
                'MountVolume.SetUp failed for volume "model-cache" : mount failed: exit status '
                "32\nmount.nfs: Connection timed out\n",
                True,
            ),
            about_container=False,
        ),
        Start.SANDBOX_FAILED: lambda: _creating(
            (
                "FailedCreatePodSandBox",
                "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup "
                'network for sandbox "0123": plugin type="bridge" '
                "failed (add): failed to allocate for range 0: no IP addresses available in range "
                "set: 10.244.1.1-10.244.1.254",
                True,
            ),
            about_container=False,
        ),
    }
    return makers[start]() if start in makers else None


def _full(image: str) -> str:
    return image if "." in image.partition("/")[0] else f"docker.io/{image}"


def _resolve(image: str) -> str:
    full = _full(image)
    return f'failed to pull and unpack image "{full}": failed to resolve reference "{full}"'


def _pull(image: str, why: str) -> Waiting:
    pulling = ("Pulling", f'Pulling image "{image}"', False)
    failed = ("Failed", f'Failed to pull image "{image}": {why}', True)
    back_off = Waiting(
        "ImagePullBackOff",
        f'Back-off pulling image "{image}": ErrImagePull: {why}',
        (
            ("BackOff", f'Back-off pulling image "{image}"', False),
            ("Failed", "Error: ImagePullBackOff", True),
        ),
    )
    return Waiting(
        "ErrImagePull",
        why,
        (pulling, failed, ("Failed", "Error: ErrImagePull", True)),
        then=back_off,
    )


def _bad_name(image: str) -> Waiting:
    repository = image.partition("/")[2].partition(":")[0] or image
    why = (
        f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": '
        "invalid reference format: "
        f"repository name ({repository}) must be lowercase"
    )
    return Waiting(
        "InvalidImageName",
        why,
        (("InspectFailed", why, True), ("Failed", "Error: InvalidImageName", True)),
    )


def _simple(reason: str, message: str, event: str) -> Waiting:
    return Waiting(reason, message, ((event, message, True), ("Failed", f"Error: {reason}", True)))


def _config_error(image: str, why: str) -> Waiting:
    return Waiting(
        "CreateContainerConfigError",
        why,
        (("Pulled", present(image), False), ("Failed", f"Error: {why}", True)),
    )


def present(image: str) -> str:
    return f'Container image "{image}" already present on machine'


def _creating(event: tuple[str, str, bool], *, about_container: bool = True) -> Waiting:
    return Waiting(
        "ContainerCreating", "", (event,), sandbox=False, about_container=about_container
    )
