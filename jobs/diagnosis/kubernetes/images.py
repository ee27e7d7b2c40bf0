"""Why an image does not come. Pure.

A kubelet hands on what the container runtime and the registry said, so that the words are those of containerd, CRI-O, Docker and of many
registries. The order of the rules matters: a name that does not resolve while a token is fetched is no refusal, a refusal that says
"repository does not exist or may require authorization" is no missing image.
"""

import re

from jobs.contract import FailureReason
from jobs.diagnosis.kubernetes.values import (
    NAME_MAX,
    NOTHING_TO_DO,
    THEN_BY_ITSELF,
    TRIES_AGAIN,
    Finding,
)

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
    r"invalid reference format|couldn't parse image|short[- ]name|must be lowercase|InvalidImageName",
    re.I,
)
_LIMITED = re.compile(r"toomanyrequests|too many requests|\b429\b|rate limit", re.I)
_PLAIN_HTTP = re.compile(
    r"HTTP response to HTTPS client|first record does not look like a TLS handshake|wrong version number",
    re.I,
)
_TO_TLS_PORT = re.compile(r"HTTP request (?:was sent )?to (?:an )?HTTPS (?:server|port)", re.I)
_CERTIFICATE = re.compile(r"x509|certificate|tls: |ssl", re.I)
# What is wrong with the registry's certificate, and what corrects it: by the words of Go's and OpenSSL's verifiers.
_CERTIFICATES = (
    (
        re.compile(r"not yet valid: current time \S+ is before|certificate is not yet valid", re.I),
        "the registry's certificate is not valid yet, by the node's clock",
        "Correct the node's clock, or renew the registry's certificate",
    ),
    (
        re.compile(r"expired|is after \d{4}-", re.I),
        "the registry's certificate has expired, by the node's clock",
        "Renew the registry's certificate (or correct the node's clock)",
    ),
    (
        re.compile(
            r"is valid for|not valid for any names|IP SANs|legacy Common Name|no alternative certificate|(?:doesn't|does not) match"
            r"|host ?name mismatch|wrong host",
            re.I,
        ),
        "the registry's certificate was made for another host name",
        "Use the host name of the certificate, or give the registry a certificate for this one",
    ),
    (
        re.compile(
            r"unknown authority|self[- ]signed|unable to get local issuer|unknown issuer|not trusted|unknown ca\b|bad certificate",
            re.I,
        ),
        "the node does not trust the authority that signed the registry's certificate",
        "Give the nodes the registry's certificate authority",
    ),
    (
        re.compile(r"certificate required|client certificate", re.I),
        "the registry asks the node for a client certificate",
        "Give the nodes a client certificate for the registry",
    ),
)
_NAME_UNKNOWN = re.compile(
    r"no such host|server misbehaving|name resolution|lookup \S+(?: on \S+)?:", re.I
)
_UNREACHABLE = re.compile(
    r"connection refused|connection reset|i/o timeout|handshake timeout|deadline exceeded|Client\.Timeout|request canceled|network is unreachable"
    r"|no route to host|proxyconnect|unexpected EOF|: EOF|dial tcp|connection timed out|RegistryUnavailable"
    r"|(?:status(?: code)?[^0-9]{0,40}|: |\()(?:500|502|503|504)\b|service unavailable|bad gateway|gateway time-?out|internal server error",
    re.I,
)
_DENIED = re.compile(
    r"\b40[13]\b|unauthorized|forbidden|denied|authentication required|authorization (?:failed|token)|no basic auth credentials"
    r"|insufficient_scope|not authorized|unauthenticated|credential|invalid username|requires? (?:login|authentication)"
    r"|PermissionDenied",
    re.I,
)
_SIGNATURE = re.compile(r"SignatureValidationFailed|signature was required|image rejected", re.I)
_PLATFORM = re.compile(
    r"no match for platform|no matching manifest|no image found in (?:manifest list|image index) for architecture",
    re.I,
)
_NOT_FOUND = re.compile(
    r"not found|NotFound|manifest[ _]unknown|name[ _]unknown|\b404\b|no such image|does not exist|not known to registry|unknown blob",
    re.I,
)
_NO_SPACE = re.compile(r"no space left on device|disk quota exceeded", re.I)


def image_named(message: str) -> str:
    """The image that a message of a kubelet is about; empty where it names none."""
    found = _NAMED.search(message)
    return found[1][:NAME_MAX] if found else ""


def image_finding(reason: str, message: str, image: str) -> Finding:
    """Why `image` does not come. `reason` is the container's (ErrImagePull, …), `message` what the runtime said."""
    name = image or image_named(message) or "of the worker"
    words = _without_name(f"{reason} {message}", name)
    raw = f"{reason}: {message}" if message else reason
    if reason == "ErrImageNeverPull":
        return _never_pull(name, raw)
    if reason == "InvalidImageName" or _INVALID.search(words):
        return _invalid(name, raw, message)
    if _SIGNATURE.search(words):
        return _unsigned(name, raw)
    return _unreachable(name, raw, words) or _refused(name, raw, words) or _other(name, raw, reason)


def _without_name(words: str, name: str) -> str:
    """The words without the image's name, which may be "forbidden" or hold a "404"."""
    for part in (name, name.rpartition(":")[0]):
        words = words.replace(part, "") if len(part) > 3 else words
    return words


def pulling_finding(message: str, image: str) -> Finding:
    """Nothing is wrong: the image is on its way."""
    name = image or image_named(message) or "of the worker"
    return Finding(
        FailureReason.IMAGE_PULLING,
        f"Pulling the image {name}.",
        "Nothing is wrong: the node does not have this image yet. The worker starts once it is there.",
        f"Pulling: {message}" if message else "Pulling",
        steps=(NOTHING_TO_DO,),
        facts={"image": name},
    )


def never_pulled(image: str, raw: str) -> Finding:
    """It was still on its way when its worker was ended."""
    return Finding(
        FailureReason.IMAGE_PULLING,
        f"Never started: the image {image} was still being pulled.",
        "An administrator can have the image on the nodes beforehand, or give workers more time to start (LAUNCH_TIMEOUT).",
        raw,
        (
            "Have the image on the nodes beforehand",
            "Give workers more time to start (LAUNCH_TIMEOUT)",
        ),
        facts={"image": image},
    )


def _never_pull(name: str, raw: str) -> Finding:
    return Finding(
        FailureReason.IMAGE_NEVER_PULL,
        f"The image {name} is not on the node, and the pull policy Never forbids to pull it.",
        "An administrator has to load the image on the nodes, or to set the pull policy (WORKER_IMAGE_PULL_POLICY) to IfNotPresent.",
        raw,
        ("Load the image on the nodes", "Set WORKER_IMAGE_PULL_POLICY to IfNotPresent"),
        facts={"image": name},
    )


def _invalid(name: str, raw: str, message: str) -> Finding:
    why = ""
    if "lowercase" in message or name != name.lower():
        why = ": repository names are lower case"
    elif re.search(r"short[- ]name", message, re.I):
        why = ": the node does not know which registry is meant; write the registry in front of it"
    return Finding(
        FailureReason.IMAGE_NAME_INVALID,
        f'The image name "{name}" is not valid{why}.',
        "An administrator has to correct the name (WORKER_IMAGE): it never gets better by waiting.",
        raw,
        ("Correct the image name (WORKER_IMAGE)",),
        hopeless=True,
        facts={"image": name},
    )


def _unsigned(name: str, raw: str) -> Finding:
    return Finding(
        FailureReason.IMAGE_PULL_DENIED,
        f"The node refuses the image {name}: its signature is not accepted.",
        "An administrator has to sign the image, or to mend the node's signature policy.",
        raw,
        ("Sign the image", "Mend the node's signature policy"),
        facts={"image": name},
    )


def _unreachable(name: str, raw: str, words: str) -> Finding | None:
    if _LIMITED.search(words):
        why, step = (
            "the registry takes no more requests for now (rate limit)",
            "Wait, or sign in to the registry with a pull secret",
        )
    elif _NAME_UNKNOWN.search(words):
        why, step = (
            "the registry's name cannot be resolved",
            "Mend the registry's name (WORKER_IMAGE) or the nodes' DNS",
        )
    elif _PLAIN_HTTP.search(words):
        why = "the registry answers plain HTTP, and the node asks by HTTPS"
        step = "Serve the registry by HTTPS, or configure it as a plain HTTP registry on the nodes"
    elif _TO_TLS_PORT.search(words):
        why, step = (
            "the registry answers by HTTPS only, and the node asks by HTTP",
            "Configure the registry as an HTTPS registry on the nodes",
        )
    elif _CERTIFICATE.search(words):
        why, step = _certificate(words)
    elif _UNREACHABLE.search(words) and not re.search(
        r"unexpected status[^:]*: *40[134]|PermissionDenied|NotFound desc", words
    ):
        why, step = (
            "the registry cannot be reached",
            "Start the registry, or mend the way to it (network, firewall, proxy)",
        )
    else:
        return None
    return Finding(
        FailureReason.REGISTRY_UNREACHABLE,
        f"The image {name} cannot be pulled: {why}.",
        "An administrator should look at the way from the nodes to the registry.",
        raw,
        (step,),
        facts={"image": name},
        meanwhile=TRIES_AGAIN,
    )


def _certificate(words: str) -> tuple[str, str]:
    """What is wrong with the registry's certificate, and what corrects it."""
    for pattern, why, step in _CERTIFICATES:
        if pattern.search(words):
            return why, step
    return (
        "the node could not check the registry's certificate (TLS)",
        "Look at the registry's certificate",
    )


def _refused(name: str, raw: str, words: str) -> Finding | None:
    if _DENIED.search(words):
        return Finding(
            FailureReason.IMAGE_PULL_DENIED,
            f"The registry refuses the image {name}: it wants credentials, has other ones, or the image is not there (some do not tell).",
            "An administrator has to name a pull secret the registry accepts (WORKER_IMAGE_PULL_SECRETS), or to correct the image's name.",
            raw,
            (
                "Name a valid pull secret (WORKER_IMAGE_PULL_SECRETS)",
                "Correct the image name (WORKER_IMAGE)",
            ),
            facts={"image": name},
        )
    if _PLATFORM.search(words):
        return Finding(
            FailureReason.IMAGE_NOT_FOUND,
            f"The image {name} does not exist for the node's processor architecture.",
            "An administrator has to push the image for this architecture, or to select other nodes.",
            raw,
            (
                "Push the image for the nodes' architecture",
                "Select nodes of the image's architecture",
            ),
            facts={"image": name},
        )
    if _NOT_FOUND.search(words):
        return Finding(
            FailureReason.IMAGE_NOT_FOUND,
            f"The image {name} does not exist in its registry, or its name or tag is wrong.",
            "An administrator has to correct name or tag (WORKER_IMAGE), or to push the image.",
            raw,
            ("Push the image", "Correct the image name or tag (WORKER_IMAGE)"),
            facts={"image": name},
            meanwhile=THEN_BY_ITSELF,
        )
    return None


def _other(name: str, raw: str, reason: str) -> Finding:
    if reason == "ImageInspectError":
        why = "the node's container runtime could not look at it"
    elif _NO_SPACE.search(raw):
        why = "the node's disk is full"
    else:
        return _in_its_own_words(name, raw)
    return Finding(
        FailureReason.IMAGE_PULL_FAILED,
        f"The image {name} could not be pulled: {why}.",
        "An administrator should look at the node and at its container runtime.",
        raw,
        (
            "Make room on the node's disk"
            if "disk" in why
            else "Look at the node's container runtime",
        ),
        facts={"image": name},
        meanwhile=TRIES_AGAIN,
    )


def _in_its_own_words(name: str, raw: str) -> Finding:
    """A pull that failed for a cause that this release does not know: the registry's status and words, and no advice that may be wrong."""
    status = _STATUS.search(raw)
    if status:
        meaning = _MEANINGS.get(int(status[1]), "")
        why = (
            f"the registry refused with HTTP status {status[1]}{f' ({meaning})' if meaning else ''}"
        )
        step = "Look at the registry's log and at its rules for this image"
    else:
        why, step = f"the node reports: {raw}", "Look at what the node reports"
    return Finding(
        FailureReason.IMAGE_PULL_FAILED,
        f"The image {name} could not be pulled: {why.rstrip('.')}.",
        "An administrator should look at what the registry and the node report.",
        raw,
        (step,),
        facts={"image": name, "status": int(status[1]) if status else None},
        meanwhile=TRIES_AGAIN,
    )


_STATUS = re.compile(
    r"(?:status(?: code| from [A-Z]+ request to \S+?)?[^0-9]{0,60}|: |\()([45]\d\d)\b"
)
_MEANINGS = {
    405: "it is no image registry, or not at this address",
    406: "it does not have the image in a form that the node reads",
    412: "a rule of the registry is not met, in Harbor one about vulnerabilities or signatures",
    451: "it may not give the image out, for legal reasons",
}
