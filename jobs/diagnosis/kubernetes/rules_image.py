"""Rules for an image that cannot be pulled. Pure.

A kubelet repeats messages of the container runtime (containerd, CRI-O, Docker) and of many
registries. The order of the rules matters: a name that does not resolve while a token is fetched
is not a refusal, and "repository does not exist or may require authorization" is not a missing
image.
"""

import re
from dataclasses import replace

from jobs.diagnosis.catalogue import image_pull as says
from jobs.diagnosis.kubernetes.cause import NAME_MAX, Cause
from jobs.diagnosis.message import Message

PULLING = frozenset({"ErrImagePull", "ImagePullBackOff"})
IMAGE_REASONS = PULLING | {
    "InvalidImageName",
    "ErrImageNeverPull",
    "RegistryUnavailable",
    "ImageInspectError",
    "SignatureValidationFailed",
}
_NAMED = re.compile(r'image(?: tag| name)? "([^"]{1,512})"')
_INVALID = re.compile(
    r"invalid reference format|couldn't parse image|short[- ]name|must be lowercase"
    r"|InvalidImageName",
    re.I,
)
_SHORT_NAME = re.compile(r"short[- ]name", re.I)
_LIMITED = re.compile(r"toomanyrequests|too many requests|\b429\b|rate limit", re.I)
_PLAIN_HTTP = re.compile(
    r"HTTP response to HTTPS client|first record does not look like a TLS handshake"
    r"|wrong version number",
    re.I,
)
_TO_TLS_PORT = re.compile(r"HTTP request (?:was sent )?to (?:an )?HTTPS (?:server|port)", re.I)
_CERTIFICATE = re.compile(r"x509|certificate|tls: |ssl", re.I)
# By the error texts of Go and OpenSSL.
_CERTIFICATES: tuple[tuple[re.Pattern[str], Message], ...] = (
    (
        re.compile(r"not yet valid: current time \S+ is before|certificate is not yet valid", re.I),
        says.CERTIFICATE_NOT_YET_VALID,
    ),
    (re.compile(r"expired|is after \d{4}-", re.I), says.CERTIFICATE_EXPIRED),
    (
        re.compile(
            r"is valid for|not valid for any names|IP SANs|legacy Common Name"
            r"|no alternative certificate|(?:doesn't|does not) match|host ?name mismatch"
            r"|wrong host",
            re.I,
        ),
        says.CERTIFICATE_OTHER_HOST,
    ),
    (
        re.compile(
            r"unknown authority|self[- ]signed|unable to get local issuer|unknown issuer"
            r"|not trusted|unknown ca\b|bad certificate",
            re.I,
        ),
        says.CERTIFICATE_UNTRUSTED,
    ),
    (
        re.compile(r"certificate required|client certificate", re.I),
        says.CERTIFICATE_OF_CLIENT,
    ),
)
_NAME_UNKNOWN = re.compile(
    r"no such host|server misbehaving|name resolution|lookup \S+(?: on \S+)?:", re.I
)
_UNREACHABLE = re.compile(
    r"connection refused|connection reset|i/o timeout|handshake timeout|deadline exceeded"
    r"|Client\.Timeout|request canceled|network is unreachable|no route to host|proxyconnect"
    r"|unexpected EOF|: EOF|dial tcp|connection timed out|RegistryUnavailable"
    r"|(?:status(?: code)?[^0-9]{0,40}|: |\()(?:500|502|503|504)\b|service unavailable"
    r"|bad gateway|gateway time-?out|internal server error",
    re.I,
)
_ANSWERED = re.compile(r"unexpected status[^:]*: *40[134]|PermissionDenied|NotFound desc")
_DENIED = re.compile(
    r"\b40[13]\b|unauthorized|forbidden|denied|authentication required"
    r"|authorization (?:failed|token)|no basic auth credentials|insufficient_scope"
    r"|not authorized|unauthenticated|credential|invalid username"
    r"|requires? (?:login|authentication)|PermissionDenied",
    re.I,
)
_SIGNATURE = re.compile(r"SignatureValidationFailed|signature was required|image rejected", re.I)
_PLATFORM = re.compile(
    r"no match for platform|no matching manifest"
    r"|no image found in (?:manifest list|image index) for architecture",
    re.I,
)
_NOT_FOUND = re.compile(
    r"not found|NotFound|manifest[ _]unknown|name[ _]unknown|\b404\b|no such image"
    r"|does not exist|not known to registry|unknown blob",
    re.I,
)
_NO_SPACE = re.compile(r"no space left on device|disk quota exceeded", re.I)
_STATUS = re.compile(
    r"(?:status(?: code| from [A-Z]+ request to \S+?)?[^0-9]{0,60}|: |\()([45]\d\d)\b"
)
_MEANINGS = {
    405: "it is not an image registry, or not at this address",
    406: "it does not have the image in a format that the node reads",
    412: "a rule of the registry is not met; in Harbor, a rule on vulnerabilities or signatures",
    451: "it does not distribute the image, for legal reasons",
}


def image_named(message: str) -> str:
    """Return the image that a kubelet's message names; empty for none."""
    found = _NAMED.search(message)
    return found[1][:NAME_MAX] if found else ""


def image_cause(reason: str, message: str, image: str) -> Cause:
    """Return why `image` cannot be pulled.

    `reason` is the container's waiting reason (ErrImagePull, …), `message` the runtime's.
    """
    name = image or image_named(message) or "of the worker"
    report = _without_name(f"{reason} {message}", name)
    raw = f"{reason}: {message}" if message else reason
    found = _by_rule(reason, message, name, report)
    if found is None:
        return _by_status(name, raw, reason)
    return Cause(found, {"image": name}, raw, cluster_reason=reason)


def pulling_cause(message: str, image: str) -> Cause:
    """Return the cause of a worker that waits while its image is pulled without an error."""
    name = image or image_named(message) or "of the worker"
    raw = f"Pulling: {message}" if message else "Pulling"
    return Cause(says.PULLING, {"image": name}, raw)


def pulling_too_long(pulling: Cause) -> Cause:
    """Return the cause of a worker that ended while its image was being pulled."""
    return replace(pulling, message=says.PULLING_TOO_LONG)


def with_pull_secret(found: Cause, secret: str) -> Cause:
    """Return a registry's refusal with the missing pull secret `secret` as its cause."""
    return replace(
        found, message=says.PULL_SECRET_MISSING, params={**found.params, "secret": secret}
    )


def _without_name(report: str, name: str) -> str:
    """Remove the image's name, which can contain "forbidden" or "404"."""
    for part in (name, name.rpartition(":")[0]):
        report = report.replace(part, "") if len(part) > 3 else report
    return report


def _by_rule(reason: str, message: str, name: str, report: str) -> Message | None:
    if reason == "ErrImageNeverPull":
        return says.NEVER_PULL
    if reason == "InvalidImageName" or _INVALID.search(report):
        return _invalid(name, message)
    if _SIGNATURE.search(report):
        return says.UNSIGNED
    return _unreachable(report) or _refused(report)


def _invalid(name: str, message: str) -> Message:
    if "lowercase" in message or name != name.lower():
        return says.NAME_UPPER_CASE
    return says.NAME_WITHOUT_REGISTRY if _SHORT_NAME.search(message) else says.NAME_INVALID


def _unreachable(report: str) -> Message | None:
    for pattern, found in (
        (_LIMITED, says.RATE_LIMITED),
        (_NAME_UNKNOWN, says.REGISTRY_NAME_UNKNOWN),
        (_PLAIN_HTTP, says.REGISTRY_PLAIN_HTTP),
        (_TO_TLS_PORT, says.REGISTRY_HTTPS_ONLY),
    ):
        if pattern.search(report):
            return found
    if _CERTIFICATE.search(report):
        matching = (found for pattern, found in _CERTIFICATES if pattern.search(report))
        return next(matching, says.CERTIFICATE)
    answered = _ANSWERED.search(report)
    return says.REGISTRY_DOWN if _UNREACHABLE.search(report) and not answered else None


def _refused(report: str) -> Message | None:
    for pattern, found in (
        (_DENIED, says.PULL_DENIED),
        (_PLATFORM, says.WRONG_ARCHITECTURE),
        (_NOT_FOUND, says.NOT_FOUND),
    ):
        if pattern.search(report):
            return found
    return None


def _by_status(name: str, raw: str, reason: str) -> Cause:
    """Return a failed pull without a known cause: the registry's status, or the node's report."""
    if reason == "ImageInspectError":
        return Cause(says.NOT_INSPECTED, {"image": name}, raw, cluster_reason=reason)
    if _NO_SPACE.search(raw):
        return Cause(says.NODE_DISK_FULL, {"image": name}, raw, cluster_reason=reason)
    status = _STATUS.search(raw)
    if status is None:
        params = {"image": name, "report": raw.rstrip(".")}
        return Cause(says.PULL_FAILED, params, raw, cluster_reason=reason)
    code = int(status[1])
    return Cause(
        says.HTTP_STATUS,
        {"image": name, "status": code, "meaning": _MEANINGS.get(code)},
        raw,
        cluster_reason=reason,
    )
