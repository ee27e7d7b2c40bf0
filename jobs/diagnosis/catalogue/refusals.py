"""Messages about a refused pod or Job: quota, limits, admission, permissions."""

from jobs.contract import WORKER_USER_ID
from jobs.diagnosis.message import AGAIN, LESS, STARTS_BY_ITSELF, WAIT, Message, Step, message

CREATING_POD = message(
    "starting.no_pod",
    "The cluster is creating the worker's pod.",
    "No error so far.",
    WAIT,
)
TRY_AGAIN = message(
    "starting.api_server",
    "the cluster could not create the worker's pod yet. It retries.",
    "The cluster's API server did not complete the request. This usually passes by itself.",
    "Check the cluster's API server if the problem persists",
    waiting=True,
)
QUOTA_USED_UP = message(
    "quota_exceeded",
    'the namespace\'s quota "{quota}" is used up ({amounts}).',
    "It starts when other jobs have ended. Wait, request less, or raise the quota.",
    LESS,
    "Raise the quota {quota}",
    waiting=True,
)
QUOTA_TOO_SMALL = message(
    "quota_exceeded.too_small",
    'the namespace\'s quota "{quota}" is too small ({amounts}).',
    "The quota is smaller than this request, even when nothing else runs: request less, or raise"
    " the quota.",
    LESS,
    "Raise the quota {quota}",
    waiting=True,
)


def _quota_rule(cause: str, why: str) -> Message:
    return message(
        f"admission_denied.{cause}",
        f"The namespace's {why}.",
        "An administrator must change the quota. Waiting does not help.",
        "Change the namespace's quota",
        stuck=True,
    )


QUOTA_NEEDS_FIELD = _quota_rule(
    "quota_field", 'quota "{quota}" requires every pod to specify {field}'
)
QUOTA_SCOPE = _quota_rule("quota_scope", "quotas have no capacity for pods of this kind ({scope})")


def _limit_range(cause: str, detail: str, step: Step | str) -> Message:
    return message(
        f"limit_range{cause}",
        "The namespace's LimitRange refuses the worker: {limits}.",
        detail,
        step,
        "Change the namespace's LimitRange",
        stuck=True,
    )


LIMIT_TOO_HIGH = _limit_range(
    "",
    "Request less, or ask an administrator to change the LimitRange. Waiting does not help.",
    LESS,
)
LIMIT_TOO_LOW = _limit_range(
    ".minimum",
    "Request more, or ask an administrator to change the LimitRange. Waiting does not help.",
    "Request more",
)
LIMIT_DISK_TOO_HIGH = _limit_range(
    ".disk",
    "An administrator must change the LimitRange, or lower WORKER_DATA_BYTES or"
    " MODEL_CACHE_BYTES_MAX. Waiting does not help.",
    "Lower WORKER_DATA_BYTES or MODEL_CACHE_BYTES_MAX",
)
LIMIT_DISK_TOO_LOW = _limit_range(
    ".disk_minimum",
    "An administrator must change the LimitRange, or raise WORKER_DATA_BYTES or"
    " MODEL_CACHE_BYTES_MAX. Waiting does not help.",
    "Raise WORKER_DATA_BYTES or MODEL_CACHE_BYTES_MAX",
)
LIMIT_RATIO = message(
    "limit_range.ratio",
    "The namespace's LimitRange refuses the worker: {limits}.",
    "The {resource} limit of a job is the user's request; its request comes from the job type. An"
    " administrator must raise maxLimitRequestRatio in the LimitRange, or bring request and limit"
    " of the job type closer together (RESOURCE_PROFILES). Waiting does not help.",
    "Raise maxLimitRequestRatio in the namespace's LimitRange",
    "Bring request and limit of the job type closer together (RESOURCE_PROFILES)",
    stuck=True,
)
POD_SECURITY = message(
    "pod_security",
    "The cluster refuses this worker (PodSecurity {profile}): {violations}.",
    "An administrator must correct the worker's security context or the namespace's Pod Security"
    " label. Waiting does not help.",
    "Correct the worker's security context",
    "Change the namespace's Pod Security label",
    stuck=True,
)


def _constraint(cause: str, name: str, *steps: str) -> Message:
    return message(
        f"pod_security.{cause}",
        f"The cluster refuses this worker: its service account has no {name} that allows it"
        "[ ({violations})].",
        f"Workers run as uid and gid {WORKER_USER_ID}. An administrator must let their service"
        f" account use a {name} that allows this. Waiting does not help.",
        *steps,
        stuck=True,
    )


SECURITY_CONTEXT_CONSTRAINT = _constraint(
    "scc",
    "security context constraint (SCC)",
    f"Allow the service account mimir-worker an SCC with uid {WORKER_USER_ID} (nonroot-v2)",
    "Check the SCC that the message names",
)
POD_SECURITY_POLICY = _constraint(
    "psp",
    "pod security policy",
    "Allow the service account mimir-worker a suitable pod security policy",
)
SERVICE_ACCOUNT_MISSING = message(
    "missing_service_account",
    'the service account "{service_account}" is missing in the workers\' namespace.',
    "An administrator must create it.",
    "Create the service account {service_account}",
    waiting=True,
    meanwhile=STARTS_BY_ITSELF,
)
PRIORITY_CLASS_MISSING = message(
    "missing_priority_class",
    'the priority class "{priority_class}" is missing.',
    "An administrator must create it, or correct WORKER_PRIORITY_CLASSES.",
    "Create the priority class {priority_class}",
    "Correct WORKER_PRIORITY_CLASSES",
    waiting=True,
    meanwhile=STARTS_BY_ITSELF,
)
WEBHOOK_UNAVAILABLE = message(
    "admission_unavailable",
    'the admission webhook "{webhook}" does not answer. The cluster creates no pod without it.',
    "An administrator must start the webhook's service, or remove its configuration.",
    "Start the webhook's service",
    "Remove the webhook's configuration",
    waiting=True,
    meanwhile=STARTS_BY_ITSELF,
)


def _denied(cause: str, why: str, step: str) -> Message:
    return message(
        f"admission_denied{cause}",
        f"The cluster refuses this worker: {why}.",
        "An administrator must change the rule, or the worker's settings. Waiting does not help.",
        step,
        stuck=True,
    )


RUNTIME_CLASS_MISSING = _denied(
    ".runtime_class",
    'the runtime class "{runtime_class}" does not exist',
    "Create the runtime class",
)
WEBHOOK_DENIED = _denied(
    ".webhook",
    'the admission webhook "{webhook}" denies it[: {report}]',
    "Change the rule of the webhook",
)
POLICY_DENIED = _denied(
    ".policy", 'the admission policy "{policy}" denies it: {report}', "Change the policy"
)
NAMESPACE_TERMINATING = _denied(
    ".namespace_terminating",
    "the namespace {namespace} is being deleted",
    "Choose another namespace for the workers",
)
NAMESPACE_MISSING = _denied(
    ".namespace_missing", 'the namespace "{namespace}" does not exist', "Create the namespace"
)
DENIED = _denied("", "it reports {report}", "Read the cluster's report")
NOT_CREATED = message(
    "launch_failed.not_created",
    "the cluster could not create the worker's pod: {report}.",
    "An administrator should read the cluster's report.",
    "Read the cluster's report",
    AGAIN,
    waiting=True,
)
