"""Workers that the API server rejects."""

from jobs.contract import FailureReason as R
from tests.launchers import kube
from tests.launchers.cases.base import STUCK, WAITS, Case


def _refused(name: str, category: R, message: str, *words: str, stage: str = WAITS) -> Case:
    return Case(
        name,
        category,
        stage,
        words,
        [],
        [
            kube.event(
                "FailedCreate",
                f'Error creating: pods "{kube.POD}" is forbidden: {message}',
                kind="Job",
            )
        ],
        kube.job(),
    )


CREATING = [
    _refused(
        "quota-used-up",
        R.QUOTA_EXCEEDED,
        "exceeded quota: team, requested: limits.memory=4Gi,pods=1,requests.cpu=1, used: "
        "limits.memory=30Gi,pods=9,requests.cpu=7500m,"
        " limited: limits.memory=32Gi,pods=9,requests.cpu=8",
        '"team" is used up',
        "CPU requests: requested 1, used 7500m, limit 8",
        "memory limits: requested 4Gi",
        "pods: requested 1, used 9, limit 9",
    ),
    _refused(
        "quota-too-small",
        R.QUOTA_EXCEEDED,
        "exceeded quota: team, requested: requests.nvidia.com/gpu=2, used: "
        "requests.nvidia.com/gpu=0, limited: requests.nvidia.com/gpu=1",
        "too small",
        "nvidia.com/gpu",
    ),
    _refused(
        "quota-wants-limits",
        R.ADMISSION_DENIED,
        "failed quota: team: must specify limits.ephemeral-storage for: worker",
        "limits.ephemeral-storage",
        stage=STUCK,
    ),
    _refused(
        "quota-scope",
        R.ADMISSION_DENIED,
        "insufficient quota to match these scopes: [{PriorityClass In [high]}]",
        "PriorityClass",
        stage=STUCK,
    ),
    _refused(
        "limit-range",
        R.LIMIT_RANGE,
        "[maximum cpu usage per Container is 1, but limit is 2, maximum memory usage per "
        "Container is 1Gi, but limit is 4Gi]",
        "maximum cpu per container is 1, its limit is 2",
        "maximum memory per container is 1Gi, its limit is 4Gi",
        stage=STUCK,
    ),
    _refused(
        "limit-range-pod",
        R.LIMIT_RANGE,
        "minimum memory usage per Pod is 4Gi, but request is 2Gi",
        "Request more",
        stage=STUCK,
    ),
    _refused(
        "limit-range-ratio",
        R.LIMIT_RANGE,
        "cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000",
        "4.000000",
        stage=STUCK,
    ),
    _refused(
        "pod-security",
        R.POD_SECURITY,
        'violates PodSecurity "baseline:v1.30": host namespaces (hostNetwork=true)',
        "baseline",
        "hostNetwork=true",
        stage=STUCK,
    ),
    _refused(
        "openshift",
        R.POD_SECURITY,
        "unable to validate against any security context constraint: [provider restricted-v2: "
        ".spec.runAsUser]",
        "security context",
        stage=STUCK,
    ),
    _refused(
        "service-account",
        R.MISSING_SERVICE_ACCOUNT,
        'error looking up service account ns/mimir-worker: serviceaccount "mimir-worker" not found',
        '"mimir-worker" is missing',
    ),
    _refused(
        "priority-class",
        R.MISSING_PRIORITY_CLASS,
        "no PriorityClass with name mimir-high was found",
        '"mimir-high" is missing',
    ),
    _refused(
        "runtime-class",
        R.ADMISSION_DENIED,
        'pod rejected: RuntimeClass "gvisor" not found',
        "gvisor",
        stage=STUCK,
    ),
    _refused(
        "vap",
        R.ADMISSION_DENIED,
        "ValidatingAdmissionPolicy 'no-latest' with binding 'all' denied request: images need a "
        "tag",
        "no-latest",
        "need a tag",
        stage=STUCK,
    ),
    _refused(
        "namespace-ends",
        R.ADMISSION_DENIED,
        "unable to create new content in namespace ai because it is being terminated",
        "namespace ai",
        stage=STUCK,
    ),
    _refused(
        "no-rule-known",
        R.ADMISSION_DENIED,
        "the stars are against it",
        "the stars are against it",
        stage=STUCK,
    ),
    Case(
        "webhook",
        R.ADMISSION_DENIED,
        STUCK,
        ("validate.kyverno.svc-fail", "runAsNonRoot is required"),
        [],
        [
            kube.event(
                "FailedCreate",
                'Error creating: admission webhook "validate.kyverno.svc-fail" denied the '
                "request: runAsNonRoot is required",
                kind="Job",
            )
        ],
        kube.job(),
    ),
    Case(
        "webhook-away",
        R.ADMISSION_UNAVAILABLE,
        WAITS,
        ("check.example.com", "does not answer"),
        [],
        [
            kube.event(
                "FailedCreate",
                "Error creating: Internal error occurred: failed calling webhook "
                '"check.example.com": failed to call webhook: Post "https://x": dial'
                " tcp 10.0.0.1:443: connect: connection refused",
                kind="Job",
            )
        ],
        kube.job(),
    ),
    Case(
        "api-slow",
        R.STARTING,
        WAITS,
        ("could not create the worker's pod yet",),
        [],
        [kube.event("FailedCreate", "Error creating: etcdserver: request timed out", kind="Job")],
        kube.job(),
    ),
    Case(
        "strange-refusal",
        R.LAUNCH_FAILED,
        WAITS,
        ("a comet passed",),
        [],
        [kube.event("FailedCreate", "Error creating: a comet passed", kind="Job")],
        kube.job(),
    ),
    Case("job-is-new", R.STARTING, WAITS, ("creating the worker's pod",), [], [], kube.job()),
    Case(
        "suspended",
        R.SUSPENDED,
        WAITS,
        ("suspended",),
        [],
        [],
        kube.job(("Suspended", "JobSuspended", "Job suspended"), suspend=True),
    ),
    Case(
        "created-after-all",
        R.STARTING,
        WAITS,
        ("being started",),
        [kube.waiting("ContainerCreating")],
        [
            kube.event(
                "FailedCreate",
                "Error creating: exceeded quota: q, requested: pods=1, used: pods=1, limited: "
                "pods=1",
                kind="Job",
            ),
            kube.event("SuccessfulCreate", "Created pod", kind="Job", seconds=20),
        ],
    ),
]
