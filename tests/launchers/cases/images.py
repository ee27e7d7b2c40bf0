"""Failed image pulls."""

from jobs.contract import FailureReason as R
from tests.launchers import kube
from tests.launchers.cases.base import ENDED, IMAGE, STUCK, WAITS, Case


def _pull(
    name: str,
    category: R,
    message: str,
    *words: str,
    reason: str = "ErrImagePull",
    stage: str = WAITS,
) -> Case:
    return Case(name, category, stage, words, [kube.waiting(reason, message)])


def _resolve(end: str) -> str:
    return (
        f'failed to pull and unpack image "docker.io/{IMAGE}": failed to resolve reference '
        f'"docker.io/{IMAGE}": {end}'
    )


IMAGES = [
    _pull(
        "containerd-404",
        R.IMAGE_NOT_FOUND,
        f"rpc error: code = NotFound desc = {_resolve(f'docker.io/{IMAGE}: not found')}",
        IMAGE,
        "does not exist",
    ),
    _pull(
        "docker-manifest-unknown",
        R.IMAGE_NOT_FOUND,
        f"Error response from daemon: manifest for {IMAGE} not found: manifest unknown: manifest "
        "unknown",
    ),
    _pull(
        "crio-manifest-unknown",
        R.IMAGE_NOT_FOUND,
        f"rpc error: code = Unknown desc = reading manifest 1.0.0 in quay.io/{IMAGE}: manifest "
        "unknown",
    ),
    _pull(
        "platform",
        R.IMAGE_NOT_FOUND,
        "rpc error: code = NotFound desc = "
        f"{_resolve('no match for platform in manifest: not found')}",
        "architecture",
    ),
    _pull(
        "docker-hub-private",
        R.IMAGE_PULL_DENIED,
        "rpc error: code = Unknown desc = "
        f"{_resolve('pull access denied, repository does not exist or may require authorization:')}"
        " server message: insufficient_scope: authorization failed",
        IMAGE,
        "refuses",
    ),
    _pull(
        "401",
        R.IMAGE_PULL_DENIED,
        _resolve(
            "failed to authorize: failed to fetch oauth token: unexpected status from GET "
            "request: 401 Unauthorized"
        ),
    ),
    _pull(
        "ecr",
        R.IMAGE_PULL_DENIED,
        _resolve(
            "pulling from host 1.dkr.ecr.eu-west-1.amazonaws.com failed: no basic auth credentials"
        ),
    ),
    _pull(
        "gar-403",
        R.IMAGE_PULL_DENIED,
        "rpc error: code = PermissionDenied desc = "
        + _resolve("unexpected status from HEAD request: 403 Forbidden"),
    ),
    _pull(
        "ghcr-denied",
        R.IMAGE_PULL_DENIED,
        _resolve(
            "failed to authorize: failed to fetch anonymous token: unexpected status: 403 Forbidden"
        ),
    ),
    _pull(
        "crio-auth",
        R.IMAGE_PULL_DENIED,
        "rpc error: code = Unknown desc = unable to retrieve auth token: invalid "
        "username/password: unauthorized",
    ),
    _pull(
        "signature",
        R.IMAGE_PULL_DENIED,
        "Source image rejected: A signature was required, but no signature exists",
        "signature",
        reason="SignatureValidationFailed",
    ),
    _pull(
        "dns",
        R.REGISTRY_UNREACHABLE,
        _resolve(
            "failed to do request: Head https://r.invalid/v2/: dial tcp: lookup r.invalid on "
            "10.96.0.10:53: no such host"
        ),
        "name cannot be resolved",
    ),
    _pull(
        "dns-of-the-token",
        R.REGISTRY_UNREACHABLE,
        _resolve(
            "failed to authorize: failed to fetch anonymous token: Get "
            "https://auth.docker.io/token: dial tcp: lookup auth.docker.io: no such host"
        ),
    ),
    _pull(
        "refused",
        R.REGISTRY_UNREACHABLE,
        _resolve(
            "failed to do request: Head https://10.0.0.9:5000/v2/: dial tcp 10.0.0.9:5000: "
            "connect: connection refused"
        ),
        "cannot be reached",
    ),
    _pull(
        "timeout",
        R.REGISTRY_UNREACHABLE,
        _resolve(
            "failed to do request: Head https://r.example.com/v2/: dial tcp 192.0.2.1:443: i/o "
            "timeout"
        ),
    ),
    _pull(
        "x509",
        R.REGISTRY_UNREACHABLE,
        _resolve(
            "failed to do request: tls: failed to verify certificate: x509: certificate signed by "
            "unknown authority"
        ),
        "certificate",
    ),
    _pull(
        "http",
        R.REGISTRY_UNREACHABLE,
        _resolve(
            "failed to do request: Head https://r:5000/v2/: http: server gave HTTP response to "
            "HTTPS client"
        ),
    ),
    _pull(
        "rate-limit",
        R.REGISTRY_UNREACHABLE,
        _resolve(
            "failed to copy: unexpected status: 429 Too Many Requests - Server message: "
            "toomanyrequests:"
            " You have reached your unauthenticated pull rate limit"
        ),
        "rate limit",
    ),
    _pull(
        "503",
        R.REGISTRY_UNREACHABLE,
        _resolve(
            "unexpected status from HEAD request to https://r.example.com/v2/worker: 503 Service "
            "Unavailable"
        ),
    ),
    _pull(
        "registry-unavailable",
        R.REGISTRY_UNREACHABLE,
        "image registry unavailable",
        reason="RegistryUnavailable",
    ),
    _pull(
        "crio-short-name",
        R.IMAGE_NAME_INVALID,
        'short-name "worker" did not resolve to an alias and no unqualified-search registries are '
        "defined",
        "registry",
        stage=STUCK,
    ),
    _pull(
        "inspect",
        R.IMAGE_PULL_FAILED,
        f'Failed to inspect image "{IMAGE}": rpc error: code = Unknown desc = boom',
        "could not inspect it",
        reason="ImageInspectError",
    ),
    _pull(
        "no-space",
        R.IMAGE_PULL_FAILED,
        "failed to extract layer sha256:ab: write /usr/lib/libc.so: no space left on device",
        "disk is full",
    ),
    _pull(
        "strange",
        R.IMAGE_PULL_FAILED,
        "rpc error: code = Unknown desc = the moon is full",
        "the moon is full",
    ),
    _pull(
        "never",
        R.IMAGE_NEVER_PULL,
        f'Container image "{IMAGE}" is not present with pull policy of Never',
        "IfNotPresent",
        reason="ErrImageNeverPull",
    ),
    Case(
        "old-kubelet-backoff",
        R.IMAGE_PULL_DENIED,
        WAITS,
        (IMAGE,),
        [kube.waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"')],
        [
            kube.event(
                "Failed",
                f'Failed to pull image "{IMAGE}": rpc error: code = Unknown desc = 401 '
                "Unauthorized",
            ),
            kube.event("Failed", "Error: ErrImagePull"),
        ],
    ),
    Case(
        "missing-pull-secret",
        R.IMAGE_PULL_DENIED,
        WAITS,
        ("pull secret regcred is missing",),
        [kube.waiting("ErrImagePull", "pull access denied")],
        [
            kube.event(
                "FailedToRetrieveImagePullSecret",
                "Unable to retrieve some image pull secrets (regcred); attempting to pull the "
                "image may not succeed.",
            )
        ],
    ),
    Case(
        "pulls-by-events",
        R.IMAGE_PULLING,
        WAITS,
        (IMAGE, "No error"),
        [kube.waiting("ContainerCreating")],
        [kube.event("Pulling", f'Pulling image "{IMAGE}"')],
    ),
    Case(
        "pulled-too-late",
        R.IMAGE_PULLING,
        ENDED,
        ("Never started", "still being pulled", "deadline of 1 min"),
        [],
        [kube.event("Scheduled"), kube.event("Pulling", f'Pulling image "{IMAGE}"')],
        kube.job(
            ("Failed", "DeadlineExceeded", "Job was active longer than specified deadline"),
            deadline=60,
        ),
    ),
]
