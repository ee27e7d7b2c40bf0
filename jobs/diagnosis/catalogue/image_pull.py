"""Messages about pulling the worker's image."""

from jobs.diagnosis.message import STARTS_BY_ITSELF, TRIES_AGAIN, WAIT, Message, message

_CORRECT_NAME = "Correct the image name (WORKER_IMAGE)"

PULLING = message(
    "image_pulling",
    "Pulling the image {image}.",
    "No error: the node does not have this image yet. The worker starts when the pull is complete.",
    WAIT,
)
PULLING_TOO_LONG = message(
    "image_pulling.too_long",
    "the image {image} was still being pulled.",
    "An administrator can load the image on the nodes in advance, or give workers more time to"
    " start (LAUNCH_TIMEOUT).",
    "Load the image on the nodes in advance",
    "Give workers more time to start (LAUNCH_TIMEOUT)",
    waiting=True,
)
NEVER_PULL = message(
    "image_never_pull",
    "The image {image} is not on the node, and the pull policy Never does not allow a pull.",
    "An administrator must load the image on the nodes, or set the pull policy"
    " (WORKER_IMAGE_PULL_POLICY) to IfNotPresent.",
    "Load the image on the nodes",
    "Set WORKER_IMAGE_PULL_POLICY to IfNotPresent",
)


def _invalid(cause: str, why: str) -> Message:
    return message(
        f"image_name_invalid{cause}",
        f'The image name "{{image}}" is not valid{why}.',
        "An administrator must correct the name (WORKER_IMAGE). Waiting does not help.",
        _CORRECT_NAME,
        stuck=True,
    )


NAME_INVALID = _invalid("", "")
NAME_UPPER_CASE = _invalid(".upper_case", ": repository names must be lower case")
NAME_WITHOUT_REGISTRY = _invalid(
    ".no_registry", ": the node does not know its registry; write the registry before the name"
)
UNSIGNED = message(
    "image_pull_denied.signature",
    "The node refuses the image {image}: its signature is not accepted.",
    "An administrator must sign the image, or correct the node's signature policy.",
    "Sign the image",
    "Correct the node's signature policy",
)


def _unreachable(cause: str, why: str, step: str) -> Message:
    return message(
        f"registry_unreachable{cause}",
        f"The image {{image}} cannot be pulled: {why}.",
        "An administrator should check the connection from the nodes to the registry.",
        step,
        meanwhile=TRIES_AGAIN,
    )


RATE_LIMITED = _unreachable(
    ".rate_limit",
    "the registry's rate limit is reached",
    "Wait, or sign in to the registry with a pull secret",
)
REGISTRY_NAME_UNKNOWN = _unreachable(
    ".dns",
    "the registry's name cannot be resolved",
    "Correct the registry's name (WORKER_IMAGE) or the nodes' DNS",
)
REGISTRY_PLAIN_HTTP = _unreachable(
    ".plain_http",
    "the registry uses plain HTTP, but the node connects over HTTPS",
    "Serve the registry over HTTPS, or configure it as a plain HTTP registry on the nodes",
)
REGISTRY_HTTPS_ONLY = _unreachable(
    ".https_only",
    "the registry accepts HTTPS only, but the node connects over HTTP",
    "Configure the registry as an HTTPS registry on the nodes",
)
REGISTRY_DOWN = _unreachable(
    "",
    "the registry cannot be reached",
    "Start the registry, or fix the connection to it (network, firewall, proxy)",
)
CERTIFICATE_NOT_YET_VALID = _unreachable(
    ".certificate_not_yet_valid",
    "the registry's certificate is not valid yet, by the node's clock",
    "Correct the node's clock, or renew the registry's certificate",
)
CERTIFICATE_EXPIRED = _unreachable(
    ".certificate_expired",
    "the registry's certificate has expired, by the node's clock",
    "Renew the registry's certificate (or correct the node's clock)",
)
CERTIFICATE_OTHER_HOST = _unreachable(
    ".certificate_other_host",
    "the registry's certificate was issued for another host name",
    "Use the host name of the certificate, or give the registry a certificate for this one",
)
CERTIFICATE_UNTRUSTED = _unreachable(
    ".certificate_untrusted",
    "the node does not trust the authority that signed the registry's certificate",
    "Install the registry's certificate authority on the nodes",
)
CERTIFICATE_OF_CLIENT = _unreachable(
    ".client_certificate",
    "the registry requires a client certificate from the node",
    "Install a client certificate for the registry on the nodes",
)
CERTIFICATE = _unreachable(
    ".certificate",
    "the node could not verify the registry's certificate (TLS)",
    "Check the registry's certificate",
)

PULL_DENIED = message(
    "image_pull_denied",
    "The registry refuses the image {image}: it requires other credentials, or the image does not"
    " exist (some registries do not distinguish the two).",
    "An administrator must name a pull secret that the registry accepts"
    " (WORKER_IMAGE_PULL_SECRETS), or correct the image's name.",
    "Name a valid pull secret (WORKER_IMAGE_PULL_SECRETS)",
    _CORRECT_NAME,
)
PULL_SECRET_MISSING = message(
    "image_pull_denied.secret_missing",
    "The registry refuses the image {image}: it requires other credentials, or the image does not"
    " exist (some registries do not distinguish the two).",
    "The pull secret {secret} is missing in the workers' namespace: an administrator must create"
    " it.",
    "Create the pull secret {secret}",
    _CORRECT_NAME,
)
WRONG_ARCHITECTURE = message(
    "image_not_found.architecture",
    "The image {image} does not exist for the node's processor architecture.",
    "An administrator must push the image for this architecture, or select other nodes.",
    "Push the image for the nodes' architecture",
    "Select nodes of the image's architecture",
)
NOT_FOUND = message(
    "image_not_found",
    "The image {image} does not exist in its registry, or its name or tag is wrong.",
    "An administrator must correct the name or tag (WORKER_IMAGE), or push the image.",
    "Push the image",
    "Correct the image name or tag (WORKER_IMAGE)",
    meanwhile=STARTS_BY_ITSELF,
)


def _failed(cause: str, why: str, step: str) -> Message:
    return message(
        f"image_pull_failed{cause}",
        f"The image {{image}} could not be pulled: {why}.",
        "An administrator should read what the registry and the node report.",
        step,
        meanwhile=TRIES_AGAIN,
    )


NOT_INSPECTED = _failed(
    ".inspect",
    "the node's container runtime could not inspect it",
    "Check the node's container runtime",
)
NODE_DISK_FULL = _failed(".disk", "the node's disk is full", "Free space on the node's disk")
HTTP_STATUS = _failed(
    ".http_status",
    "the registry refused with HTTP status {status}[ ({meaning})]",
    "Check the registry's log and its rules for this image",
)
PULL_FAILED = _failed("", "the node reports: {report}", "Read the node's report")
