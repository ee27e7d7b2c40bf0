"""Rules for a pod or a Job that the API server does not create. Pure.

The Job controller gets these refusals when it creates the pod (event `FailedCreate`: there never
is a pod), the launcher when it creates the Job. The messages are the same.
"""

import re
from dataclasses import replace

from jobs.contract import WORKER_USER_ID
from jobs.diagnosis.catalogue import launch, placement
from jobs.diagnosis.catalogue import refusals as says
from jobs.diagnosis.kubernetes.cause import Cause
from jobs.diagnosis.kubernetes.quantities import DISK, MEMORY, quantity, size_text
from jobs.diagnosis.message import Param

_QUOTA = re.compile(
    r"exceeded quota: ([^,\s]+), requested: (.*?), used: (.*?), limited: (.*?)\s*$", re.S
)
_QUOTA_FORM = re.compile(r"failed quota: ([^:\s]+): must specify (.*)$", re.S)
_QUOTA_SCOPE = re.compile(r"insufficient quota to match these scopes: (.*)$", re.S)
_LIMIT = re.compile(
    r"(maximum|minimum) (\S+) usage per (\w+) is ([^,\s\]]+)"
    r"(?:, but (\w+) is ([^,\s\]]+)|\.\s+No (?:limit|request) is specified)?",
    re.S,
)
_RATIO = re.compile(
    r"(\S+) max limit to request ratio per (\w+) is ([^,\s]+),"
    r" but (?:provided ratio is ([^,\s\]]+)|no (?:request|limit) is specified)"
)
_SECURITY = re.compile(r'violates PodSecurity "([^"]+)": (.*)$', re.S)
_CONSTRAINTS = re.compile(
    r"unable to validate against any (pod security policy|security context constraint)s?:?(.*)$",
    re.S,
)
# OpenShift writes a value as
# `provider restricted-v2: .containers[0].runAsUser: Invalid value: 10001: must be in the
# ranges: …`.
_FORBIDDEN_VALUE = re.compile(
    r"(\.?\w[\w.\[\]/-]{0,200}): Invalid value: (?:\[\]int64)?(\{[^}]*\}|\"[^\"]*\"|[^:,\s]+): "
    r"(.*?)(?=,? ?(?:provider |spec\.|\.spec|\.containers|pod\.)"
    r"|,? \S*: (?:Invalid|Forbidden)|\]\s*$|$)",
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
    r'RuntimeClass(?:\.node\.k8s\.io)? "([^"]+)" not found'
    r'|runtimeclass(?:es)?\S* "([^"]+)" not found',
    re.I,
)
# Message of the API server's authorizers (RBAC, Node, a webhook). Admission plugins also report
# `forbidden`, in a different sentence.
_RIGHT = re.compile(r'User "([^"]*)" cannot (\S+) resource "([^"]+)"')
_TEMPORARY = re.compile(
    r"timed? ?out|deadline exceeded|too many requests|try again|etcdserver|connection refused"
    r"|unable to handle the request|not yet been|object has been modified|Internal error occurred"
    r"|leader changed|no API token found|service unavailable|EOF",
    re.I,
)
_DENIED = re.compile(r"forbidden|is invalid|denied|not allowed|Unsupported value|Invalid value")
_VIOLATIONS_MAX = 6


def refusal_cause(message: str, *, reason: str = "FailedCreate") -> Cause:
    """Return why the API server refuses the worker, by its message."""
    raw = f"{reason}: {message}" if message else reason
    if _RIGHT.search(message):
        return not_allowed_cause(message)
    found = (
        _quota(message)
        or _limit_range(message)
        or _security(message)
        or _missing(message)
        or _admission(message)
    )
    if found is None and _TEMPORARY.search(message):
        found = Cause(says.TRY_AGAIN)
    return replace(found or _unknown(message), raw=raw)


def created_nothing(message: str) -> Cause:
    """Return why the Job controller could not create the pod."""
    return refusal_cause(message.removeprefix("Error creating: "))


def not_allowed_cause(message: str) -> Cause:
    """Return the cause of an unknown account of the orchestrator, or of a denied permission."""
    right = _RIGHT.search(message)
    if right is None:
        return Cause(launch.FORBIDDEN, {}, message)
    params: dict[str, Param] = {"user": right[1], "verb": right[2], "resource": right[3]}
    return Cause(launch.NO_PERMISSION, params, message)


def _quota(message: str) -> Cause | None:
    match = _QUOTA.search(message)
    if match is None:
        return _quota_rule(message)
    requested, used, limit = _pairs(match[2]), _pairs(match[3]), _pairs(match[4])
    amounts = "; ".join(
        f"{_resource(key)}: requested {_short(key, requested[key])},"
        f" used {_short(key, used.get(key, '0'))}, limit {_short(key, limit.get(key, '?'))}"
        for key in requested
    )
    small = [
        key for key in requested if key in limit and quantity(requested[key]) > quantity(limit[key])
    ]
    params: dict[str, Param] = {
        "quota": match[1],
        "amounts": amounts,
        "requested": match[2],
        "used": match[3],
        "limit": match[4],
        "never_fits": True if small else None,
    }
    return Cause(says.QUOTA_TOO_SMALL if small else says.QUOTA_USED_UP, params)


def _quota_rule(message: str) -> Cause | None:
    form, scope = _QUOTA_FORM.search(message), _QUOTA_SCOPE.search(message)
    if form:
        return Cause(says.QUOTA_NEEDS_FIELD, {"quota": form[1], "field": form[2].strip()})
    return Cause(says.QUOTA_SCOPE, {"scope": scope[1].strip()}) if scope else None


def _pairs(text: str) -> dict[str, str]:
    """Return `requests.cpu=500m,pods=1` as a dict."""
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
    resource = names.get(name, name)
    return f"{resource} {'limits' if kind == 'limits' else 'requests'}" if kind else resource


def _short(key: str, amount: str) -> str:
    """Return the amount as the quota writes it (people search for it); plain bytes get a unit."""
    name = key.rpartition(".")[2] if key.startswith(("requests.", "limits.")) else key
    return size_text(name, amount) if name in (MEMORY, DISK) and amount.isdigit() else amount


def _limit_range(message: str) -> Cause | None:
    limits, ratio = list(_LIMIT.finditer(message)), _RATIO.search(message)
    if not limits and ratio is None:
        return None
    violations = [
        f"{m[1]} {m[2]} per {m[3].lower()} is {m[4].rstrip('.')}"
        + (f", its {m[5]} is {m[6].rstrip('.')}" if m[5] else ", and it specifies none")
        for m in limits
    ]
    if ratio:
        present = f", and is {ratio[4]} times" if ratio[4] else ""
        violations.append(
            f"the maximum {ratio[1]} limit is {ratio[3]} times the request per"
            f" {ratio[2].lower()}{present}"
        )
    params: dict[str, Param] = {"limits": "; ".join(violations)}
    if ratio and not limits:
        return Cause(says.LIMIT_RATIO, {**params, "resource": ratio[1]})
    low = any(match[1] == "minimum" for match in limits)
    # No job requests ephemeral storage: it is the size of a worker's folders.
    if all(match[2] == DISK for match in limits):
        found = says.LIMIT_DISK_TOO_LOW if low else says.LIMIT_DISK_TOO_HIGH
        return Cause(found, {**params, "resource": DISK})
    return Cause(says.LIMIT_TOO_LOW if low else says.LIMIT_TOO_HIGH, params)


def _security(message: str) -> Cause | None:
    match, constraint = _SECURITY.search(message), _CONSTRAINTS.search(message)
    if constraint:
        return _security_constraints(constraint[1], constraint[2])
    if match is None:
        return None
    params: dict[str, Param] = {"profile": match[1].partition(":")[0], "violations": match[2]}
    return Cause(says.POD_SECURITY, params)


def _security_constraints(kind: str, report: str) -> Cause:
    """Return a refusal by OpenShift's SCC, or by the pod security policies of old clusters.

    `violations` lists the fields with their values, and what is allowed.
    """
    values = (
        f"{m[1].lstrip('.')} {m[2].strip('{}')}: {m[3].strip()}"
        for m in _FORBIDDEN_VALUE.finditer(report)
    )
    fields = (f"{m[1].lstrip('.')}: {m[2].strip()}" for m in _FORBIDDEN_FIELD.finditer(report))
    found = [*dict.fromkeys(values), *dict.fromkeys(fields)]
    params: dict[str, Param] = {
        "violations": "; ".join(found[:_VIOLATIONS_MAX]),
        "user_id": WORKER_USER_ID,
    }
    openshift = "constraint" in kind
    return Cause(
        says.SECURITY_CONTEXT_CONSTRAINT if openshift else says.POD_SECURITY_POLICY, params
    )


def missing_claim(claim: str, *, deleted: bool = False) -> Cause:
    """Return the cause of a volume claim that does not exist or is being deleted."""
    state = "is being deleted" if deleted else "not found"
    raw = f'persistentvolumeclaim "{claim}" {state}'
    found = placement.CLAIM_BEING_DELETED if deleted else placement.CLAIM_MISSING
    return Cause(found, {"claim": claim}, raw)


def _missing(message: str) -> Cause | None:
    if account := _SERVICE_ACCOUNT.search(message):
        return Cause(says.SERVICE_ACCOUNT_MISSING, {"service_account": account[1]})
    if priority := _PRIORITY_CLASS.search(message):
        return Cause(says.PRIORITY_CLASS_MISSING, {"priority_class": priority[1]})
    if runtime := _RUNTIME_CLASS.search(message):
        return Cause(says.RUNTIME_CLASS_MISSING, {"runtime_class": runtime[1] or runtime[2]})
    return None


def _admission(message: str) -> Cause | None:
    if webhook := _WEBHOOK.search(message):
        report = webhook[2].strip().rstrip(".")
        return Cause(says.WEBHOOK_DENIED, {"webhook": webhook[1], "report": report})
    if away := _WEBHOOK_AWAY.search(message):
        return Cause(says.WEBHOOK_UNAVAILABLE, {"webhook": away[1]})
    if policy := _POLICY.search(message):
        return Cause(says.POLICY_DENIED, {"policy": policy[1], "report": policy[3].strip()})
    if terminating := _TERMINATING.search(message):
        return Cause(says.NAMESPACE_TERMINATING, {"namespace": terminating[1]})
    if namespace := _NAMESPACE.search(message):
        return Cause(says.NAMESPACE_MISSING, {"namespace": namespace[1]})
    return None


def _unknown(message: str) -> Cause:
    if _DENIED.search(message):
        return Cause(says.DENIED, {"report": message.rstrip(".")})
    return Cause(says.NOT_CREATED, {"report": message.rstrip(".") or "it gives no reason"})
