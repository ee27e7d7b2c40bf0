"""Why the API server makes no pod, or no Job: quota, limits, admission, what does not exist. Pure.

The Job controller meets these when it creates the pod (event `FailedCreate`: there is never a pod to look at), the launcher when it
creates the Job; the words are the same.
"""

import re
from dataclasses import replace

from jobs.contract import WORKER_USER_ID, FailureReason
from jobs.diagnosis.kubernetes.amounts import quantity, worded
from jobs.diagnosis.kubernetes.values import AGAIN, LESS, THEN_BY_ITSELF, Finding

_QUOTA = re.compile(
    r"exceeded quota: ([^,\s]+), requested: (.*?), used: (.*?), limited: (.*?)\s*$", re.S
)
_QUOTA_FORM = re.compile(r"failed quota: ([^:\s]+): must specify (.*)$", re.S)
_QUOTA_SCOPE = re.compile(r"insufficient quota to match these scopes: (.*)$", re.S)
_LIMIT = re.compile(
    r"(maximum|minimum) (\S+) usage per (\w+) is ([^,\s\]]+)(?:, but (\w+) is ([^,\s\]]+)|\.\s+No (?:limit|request) is specified)?",
    re.S,
)
_RATIO = re.compile(
    r"(\S+) max limit to request ratio per (\w+) is ([^,\s]+), but (?:provided ratio is ([^,\s\]]+)|no (?:request|limit) is specified)"
)
_SECURITY = re.compile(r'violates PodSecurity "([^"]+)": (.*)$', re.S)
_CONSTRAINTS = re.compile(
    r"unable to validate against any (pod security policy|security context constraint)s?:?(.*)$",
    re.S,
)
# OpenShift words a value as `provider restricted-v2: .containers[0].runAsUser: Invalid value: 10001: must be in the ranges: [1, 2]`.
_FORBIDDEN_VALUE = re.compile(
    r"(\.?\w[\w.\[\]/-]{0,200}): Invalid value: (?:\[\]int64)?(\{[^}]*\}|\"[^\"]*\"|[^:,\s]+): "
    r"(.*?)(?=,? ?(?:provider |spec\.|\.spec|\.containers|pod\.)|,? \S*: (?:Invalid|Forbidden)|\]\s*$|$)",
    re.S,
)
_FORBIDDEN_FIELD = re.compile(
    r"((?:\.?spec|\.containers|pod)[\w.\[\]/-]{0,200}): Forbidden: ([^,\]]+)"
)
_SERVICE_ACCOUNT = re.compile(r'serviceaccounts? "([^"]+)" not found', re.I)
_PRIORITY_CLASS = re.compile(r"no PriorityClass with name (\S+) was found")
_WEBHOOK_AWAY = re.compile(
    r'failed (?:calling|to call) (?:admission )?webhook "([^"]+)"(.*)$', re.S
)
_WEBHOOK = re.compile(r'admission webhook "([^"]+)" denied the request(?:: |\.| )?(.*)$', re.S)
_POLICY = re.compile(
    r"ValidatingAdmissionPolicy '([^']+)'(?: with binding '([^']+)')? denied request: (.*)$", re.S
)
_TERMINATING = re.compile(
    r"unable to create new content in namespace (\S+) because it is being terminated"
)
_NAMESPACE = re.compile(r'namespaces? "([^"]+)" not found')
_RUNTIME_CLASS = re.compile(
    r'RuntimeClass(?:\.node\.k8s\.io)? "([^"]+)" not found|runtimeclass(?:es)?\S* "([^"]+)" not found',
    re.I,
)
# As the API server words what its authorizers (RBAC, Node, a webhook) do not allow; an admission says `forbidden` too, in other words.
_RIGHT = re.compile(r'User "([^"]*)" cannot (\S+) resource "([^"]+)"')
_PASSING = re.compile(
    r"timed? ?out|deadline exceeded|too many requests|try again|etcdserver|connection refused|unable to handle the request"
    r"|not yet been|object has been modified|Internal error occurred|leader changed|no API token found|service unavailable|EOF",
    re.I,
)


def refused_finding(message: str, *, reason: str = "FailedCreate") -> Finding:
    """Why the API server refuses the worker, by its own words."""
    raw = f"{reason}: {message}" if message else reason
    if _RIGHT.search(message):
        return not_allowed_finding(message)
    found = (
        _quota(message)
        or _limit_range(message)
        or _security(message)
        or _missing(message)
        or _admission(message)
    )
    if found is None and _PASSING.search(message):
        found = Finding(
            FailureReason.STARTING,
            "Waiting: the cluster could not make the worker's pod yet, and tries again.",
            "The cluster's API server did not do as it was asked; this passes by itself in most cases.",
            "",
            ("Look at the cluster's API server, if it stays so",),
        )
    if found is None:
        found = _unknown(message)
    return replace(found, raw=raw)


def not_allowed_finding(message: str) -> Finding:
    """The orchestrator's own account is unknown to the cluster, or lacks a right there."""
    right = _RIGHT.search(message)
    if right:
        why = f'does not let "{right[1]}" {right[2]} {right[3]}'
        step = f"Give {right[1]} the right to {right[2]} {right[3]} (Role, RoleBinding)"
    else:
        why, step = (
            "does not accept the orchestrator's credentials",
            "Mend the orchestrator's credentials for the cluster",
        )
    return Finding(
        FailureReason.CLUSTER_FORBIDDEN,
        f"Waiting: the cluster {why}.",
        "An administrator has to give the orchestrator its rights there. Nothing is lost: it is asked again.",
        message,
        (step,),
        facts={"user": right[1], "verb": right[2], "resource": right[3]} if right else {},
        meanwhile=THEN_BY_ITSELF,
    )


def _quota(message: str) -> Finding | None:
    match = _QUOTA.search(message)
    if match is None:
        return _quota_form(message)
    name, asked, used, limit = match[1], _pairs(match[2]), _pairs(match[3]), _pairs(match[4])
    told = "; ".join(
        f"{_resource(key)}: asked {_short(key, asked[key])}, used {_short(key, used.get(key, '0'))}, limit {_short(key, limit.get(key, '?'))}"
        for key in asked
    )
    small = [key for key in asked if key in limit and quantity(asked[key]) > quantity(limit[key])]
    advice = (
        "The quota is too small for it, however few others run: ask for less, or have the quota raised."
        if small
        else "It starts once other jobs have ended. Wait, ask for less, or have the quota raised."
    )
    return Finding(
        FailureReason.QUOTA_EXCEEDED,
        f'Waiting: the namespace\'s quota "{name}" is {"too small" if small else "used up"} ({told}).',
        advice,
        "",
        (LESS, f"Raise the quota {name}"),
        facts={
            "quota": name,
            "asked": match[2],
            "used": match[3],
            "limit": match[4],
            "never_fits": True if small else None,
        },
    )


def _quota_form(message: str) -> Finding | None:
    form, scope = _QUOTA_FORM.search(message), _QUOTA_SCOPE.search(message)
    if form is None and scope is None:
        return None
    name = form[1] if form else ""
    if form:
        why = f'quota "{name}" wants every pod to say {form[2].strip()}'
    else:
        why = f"quotas leave no room for pods of this kind ({scope[1].strip() if scope else ''})"
    return Finding(
        FailureReason.ADMISSION_DENIED,
        f"The namespace's {why}.",
        "An administrator has to change the quota: waiting does not help.",
        "",
        ("Change the namespace's quota",),
        hopeless=True,
        facts={"quota": name},
    )


def _pairs(text: str) -> dict[str, str]:
    """`requests.cpu=500m,pods=1` as a dict."""
    return {
        key.strip(): amount.strip()
        for key, _, amount in (each.partition("=") for each in text.split(","))
        if key.strip()
    }


def _resource(key: str) -> str:
    names = {"cpu": "CPU", "memory": "memory", "ephemeral-storage": "ephemeral storage"}
    kind, _, name = (
        key.rpartition(".")
        if key.startswith(("requests.", "limits.")) and key.count(".") == 1
        else ("", "", key)
    )
    told = names.get(name, name)
    return f"{told} {'limits' if kind == 'limits' else 'requests'}" if kind else told


def _short(key: str, amount: str) -> str:
    """The amount as the quota writes it, so that it can be found there, and in words where those differ."""
    if not amount[:1].isdigit():
        return amount
    name = key.rpartition(".")[2] if key.startswith(("requests.", "limits.")) else key
    return (
        worded(name, amount).partition(" of ")[0]
        if name in ("memory", "ephemeral-storage") and amount.isdigit()
        else amount
    )


def _limit_range(message: str) -> Finding | None:
    limits, ratio = list(_LIMIT.finditer(message)), _RATIO.search(message)
    if not limits and ratio is None:
        return None
    told = [
        f"{m[1]} {m[2]} per {m[3].lower()} is {m[4].rstrip('.')}"
        + (f", its {m[5]} is {m[6].rstrip('.')}" if m[5] else ", and it names none")
        for m in limits
    ]
    if ratio:
        present = f", and is {ratio[4]} times" if ratio[4] else ""
        told.append(
            f"{ratio[1]} limit may be {ratio[3]} times the request per {ratio[2].lower()}{present}"
        )
    if ratio and not limits:
        return _limit_ratio(ratio[1], told[-1])
    low = any(match[1] == "minimum" for match in limits)
    if all(match[2] == "ephemeral-storage" for match in limits):
        return _disk_limit("; ".join(told), low=low)
    return Finding(
        FailureReason.LIMIT_RANGE,
        f"The namespace's LimitRange refuses the worker: {'; '.join(told)}.",
        f"Ask for {'more' if low else 'less'}, or have an administrator change the LimitRange: waiting does not help.",
        "",
        (LESS if not low else "Ask for more", "Change the namespace's LimitRange"),
        hopeless=True,
        facts={"limits": "; ".join(told)},
    )


def _disk_limit(words: str, *, low: bool) -> Finding:
    """A LimitRange for ephemeral storage, which no job asks for: it is the size of a worker's folders."""
    change = f"{'Raise' if low else 'Lower'} WORKER_DATA_BYTES or MODEL_CACHE_BYTES_MAX"
    return Finding(
        FailureReason.LIMIT_RANGE,
        f"The namespace's LimitRange refuses the worker: {words}.",
        f"An administrator has to change the LimitRange, or to {change[:1].lower()}{change[1:]}: waiting does not help.",
        "",
        (change, "Change the namespace's LimitRange"),
        hopeless=True,
        facts={"limits": words, "resource": "ephemeral-storage"},
    )


def _limit_ratio(resource: str, words: str) -> Finding:
    """A LimitRange that bounds limit / request. What a job asks for is its limit; its request is the type's, so that asking for less may not help."""
    return Finding(
        FailureReason.LIMIT_RANGE,
        f"The namespace's LimitRange refuses the worker: {words}.",
        f"The {resource} limit of a job is what it asks for, the request is that of its job type. An administrator has to raise"
        " maxLimitRequestRatio in the LimitRange, or to bring request and limit of the job type closer together (RESOURCE_PROFILES): waiting does"
        " not help.",
        "",
        (
            "Raise maxLimitRequestRatio in the namespace's LimitRange",
            "Bring request and limit of the job type together (RESOURCE_PROFILES)",
        ),
        hopeless=True,
        facts={"limits": words, "resource": resource},
    )


def _security(message: str) -> Finding | None:
    match, constraint = _SECURITY.search(message), _CONSTRAINTS.search(message)
    if constraint:
        return _security_constraints(constraint[1], constraint[2])
    if match is None:
        return None
    profile, violations = match[1].partition(":")[0], match[2]
    return Finding(
        FailureReason.POD_SECURITY,
        f"The cluster refuses this worker (PodSecurity {profile}): {violations}.",
        "An administrator has to correct the worker's security context or the namespace's Pod Security label: waiting does not help.",
        "",
        ("Correct the worker's security context", "Change the namespace's Pod Security label"),
        hopeless=True,
        facts={"profile": profile, "violations": violations},
    )


def _security_constraints(kind: str, words: str) -> Finding:
    """OpenShift's security context constraints (SCC), or the pod security policies of old clusters: which field, which value, what is allowed."""
    openshift = "constraint" in kind
    name = "security context constraint (SCC)" if openshift else "pod security policy"
    fields = list(
        dict.fromkeys(
            f"{m[1].lstrip('.')} {m[2].strip('{}')}: {m[3].strip()}"
            for m in _FORBIDDEN_VALUE.finditer(words)
        )
    )
    others = list(
        dict.fromkeys(
            f"{m[1].lstrip('.')}: {m[2].strip()}" for m in _FORBIDDEN_FIELD.finditer(words)
        )
    )
    why = "; ".join([*fields, *others][:6])
    steps: tuple[str, ...]
    if openshift:
        steps = (
            f"Allow the service account mimir-worker an SCC with uid {WORKER_USER_ID} (nonroot-v2)",
            "Look at the SCC that the message names",
        )
    else:
        steps = ("Allow the service account mimir-worker a pod security policy that fits",)
    return Finding(
        FailureReason.POD_SECURITY,
        f"The cluster refuses this worker: no {name} that its service account may use allows it{f' ({why})' if why else ''}.",
        f"Workers run as uid and gid {WORKER_USER_ID}. An administrator has to let their "
        f"service account use a {name} that allows this: waiting does not help.",
        "",
        steps,
        hopeless=True,
        facts={"violations": why, "user_id": WORKER_USER_ID},
    )


def _missing(message: str) -> Finding | None:
    account, priority, runtime = (
        _SERVICE_ACCOUNT.search(message),
        _PRIORITY_CLASS.search(message),
        _RUNTIME_CLASS.search(message),
    )
    if account:
        return Finding(
            FailureReason.MISSING_SERVICE_ACCOUNT,
            f'Waiting: the service account "{account[1]}" is missing in the workers\' namespace.',
            "An administrator has to create it.",
            "",
            (f"Create the service account {account[1]}",),
            facts={"service_account": account[1]},
            meanwhile=THEN_BY_ITSELF,
        )
    if priority:
        return Finding(
            FailureReason.MISSING_PRIORITY_CLASS,
            f'Waiting: the priority class "{priority[1]}" is missing.',
            "An administrator has to create it, or to correct WORKER_PRIORITY_CLASSES.",
            "",
            (f"Create the priority class {priority[1]}", "Correct WORKER_PRIORITY_CLASSES"),
            facts={"priority_class": priority[1]},
            meanwhile=THEN_BY_ITSELF,
        )
    if runtime:
        name = runtime[1] or runtime[2]
        return _denied(
            f'the runtime class "{name}" does not exist',
            "Create the runtime class",
            runtime_class=name,
        )
    return None


def _admission(message: str) -> Finding | None:
    away, webhook, policy = (
        _WEBHOOK_AWAY.search(message),
        _WEBHOOK.search(message),
        _POLICY.search(message),
    )
    if webhook:
        why = webhook[2].strip().rstrip(".")
        told = f'the admission webhook "{webhook[1]}" denies it' + (f": {why}" if why else "")
        return _denied(told, "Change the rule of the webhook", webhook=webhook[1])
    if away:
        return Finding(
            FailureReason.ADMISSION_UNAVAILABLE,
            f'Waiting: the admission webhook "{away[1]}" does not answer, and the cluster makes no pod without it.',
            "An administrator has to start what serves the webhook, or to remove its configuration.",
            "",
            ("Start what serves the webhook", "Remove the webhook's configuration"),
            facts={"webhook": away[1]},
            meanwhile=THEN_BY_ITSELF,
        )
    if policy:
        return _denied(
            f'the admission policy "{policy[1]}" denies it: {policy[3].strip()}',
            "Change the policy",
            policy=policy[1],
        )
    terminating, namespace = _TERMINATING.search(message), _NAMESPACE.search(message)
    if terminating:
        return _denied(
            f"the namespace {terminating[1]} is being deleted",
            "Choose another namespace for the workers",
            namespace=terminating[1],
        )
    if namespace:
        return _denied(
            f'the namespace "{namespace[1]}" does not exist',
            "Create the namespace",
            namespace=namespace[1],
        )
    return None


def _denied(why: str, step: str, **facts: str) -> Finding:
    return Finding(
        FailureReason.ADMISSION_DENIED,
        f"The cluster refuses this worker: {why}.",
        "An administrator has to change the rule, or what the worker asks for: waiting does not help.",
        "",
        (step,),
        hopeless=True,
        facts=facts,
    )


def _unknown(message: str) -> Finding:
    if re.search(
        r"forbidden|is invalid|denied|not allowed|Unsupported value|Invalid value", message
    ):
        return _denied(
            f"it says {message}" if message else "it gives no reason",
            "Look at what the cluster says",
        )
    return Finding(
        FailureReason.LAUNCH_FAILED,
        f"Waiting: the cluster could not make the worker's pod: {message or 'it gives no reason'}.",
        "An administrator should look at what the cluster says.",
        "",
        ("Look at what the cluster says", AGAIN),
    )
