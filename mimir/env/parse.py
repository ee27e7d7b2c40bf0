"""Parsers of settings: each takes the text of a setting and returns its value.

Raises: Unacceptable, with a message such as "must be a whole number". It never contains the value.
"""

import ipaddress
import json
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from mimir.lib.site_address import host_in_url, origin_of

PLAIN_CONNECTIONS = ("public_url", "database", "redis", "artifacts")  # names for ACCEPT_PLAIN
SECRET_CHARACTERS_MIN, TOKEN_CHARACTERS_MIN = 32, 16
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# Host names and IPv6 literals that Django accepts, without a final dot.
_HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[a-f0-9:.]+\]")
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()/-]{0,200}")
_ANNOTATION = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
)


class Unacceptable(Exception):
    """The text of a setting is not valid."""


def text(value: str) -> str:
    """Any text."""
    return value


def choice(*allowed: str) -> Callable[[str], str]:
    """One of some texts."""

    def parse(value: str) -> str:
        if value not in allowed:
            raise Unacceptable(f"must be one of {', '.join(allowed)}")
        return value

    return parse


def integer(low: int, high: int = 2**53) -> Callable[[str], int]:
    """A whole number from `low` to `high`."""

    def parse(value: str) -> int:
        try:
            number = int(value)
        except ValueError:
            raise Unacceptable("must be a whole number") from None
        if not low <= number <= high:
            raise Unacceptable(f"must be from {low} to {high}")
        return number

    return parse


def number(low: float, high: float) -> Callable[[str], float]:
    """A number from `low` to `high`."""

    def parse(value: str) -> float:
        try:
            parsed = float(value)
        except ValueError:
            raise Unacceptable("must be a number") from None
        if not low <= parsed <= high:
            raise Unacceptable(f"must be from {low} to {high}")
        return parsed

    return parse


def switch(value: str) -> bool:
    """True or false. Empty is false."""
    if value.lower() in ("1", "true", "yes", "on"):
        return True
    if value.lower() in ("", "0", "false", "no", "off"):
        return False
    raise Unacceptable("must be true or false")


def url(*schemes: str) -> Callable[[str], str]:
    """A URL with one of these schemes. An http URL loses its trailing slashes.

    The scheme becomes lower case.
    """

    def parse(value: str) -> str:
        try:
            parts = urlsplit(value)
            _ = parts.port
        except ValueError:
            raise Unacceptable("must be a URL") from None
        if parts.scheme not in schemes:
            prefixes = " or ".join(f"{scheme}://" for scheme in schemes)
            raise Unacceptable(f"must be a URL that begins with {prefixes}")
        if parts.scheme in ("http", "https") and not parts.hostname:
            raise Unacceptable("must name a host")
        plain = parts.scheme + value.lstrip()[len(parts.scheme) :]
        return plain.rstrip("/") if parts.scheme in ("http", "https") else plain

    return parse


def site_url(value: str) -> str:
    """Scheme, host and port of a site, as browsers write them in Host and Origin headers."""
    parts = urlsplit(url("http", "https")(value))
    if not _HOST.fullmatch(host_in_url(parts.hostname or "")):
        raise Unacceptable(
            "must name a host of letters, digits, hyphens and single dots, or an IPv6 address"
            " in brackets without a zone"
        )
    if parts.username or parts.password or parts.path or parts.query or parts.fragment:
        raise Unacceptable("must have no user, path, query or fragment")
    return origin_of(value)


def artifact_store(value: str) -> str:
    """A folder as file://, or a bucket with an optional key prefix as s3://, without credentials."""  # noqa: E501
    url("file", "s3")(value)
    parts = urlsplit(value)
    if parts.scheme == "s3":
        if not _BUCKET.fullmatch(parts.netloc):
            raise Unacceptable("must name a bucket: s3://bucket or s3://bucket/prefix")
        if not _PREFIX.fullmatch(parts.path) or parts.query or parts.fragment:
            raise Unacceptable("has a prefix with characters that are not safe in keys")
    return value


def endpoint(value: str) -> str:
    """An http or https URL, or an empty text."""
    return value and url("http", "https")(value)


def secret(value: str) -> str:
    """A secret that is long enough to sign with."""
    if len(value) < SECRET_CHARACTERS_MIN:
        raise Unacceptable(f"must have at least {SECRET_CHARACTERS_MIN} characters")
    return value


def worker_keys(value: str) -> tuple[str, ...]:
    """One signing key, or two separated by a comma while they are rotated. The first one signs."""
    keys = names(value)
    if not 1 <= len(keys) <= 2:
        raise Unacceptable(
            "must be one key, or two keys separated by a comma while you rotate them"
            " (the first one signs)"
        )
    if any(len(key) < SECRET_CHARACTERS_MIN for key in keys):
        raise Unacceptable(f"must have at least {SECRET_CHARACTERS_MIN} characters in each key")
    return keys


def optional_keys(value: str) -> tuple[str, ...]:
    """Signing keys like those of `worker_keys`, or none."""
    return worker_keys(value) if value.strip() else ()


def plain_connections(value: str) -> tuple[str, ...]:
    """Names of connections that may be unencrypted."""
    found = names(value.lower())
    if set(found) - set(PLAIN_CONNECTIONS):
        raise Unacceptable(f"must be a comma-separated list of {', '.join(PLAIN_CONNECTIONS)}")
    return found


def token(value: str) -> str:
    """A bearer token, or an empty text."""
    printable = value.isascii() and value.isprintable() and " " not in value
    if value and (len(value) < TOKEN_CHARACTERS_MIN or not printable):
        raise Unacceptable(
            f"must have at least {TOKEN_CHARACTERS_MIN} printable ASCII characters without spaces"
        )
    return value


def cidrs(value: str) -> tuple[str, ...]:
    """Addresses and CIDR blocks, separated by commas."""
    parts = names(value)
    for part in parts:
        try:
            ipaddress.ip_network(part, strict=False)
        except ValueError:
            raise Unacceptable(
                "must be a comma-separated list of addresses or CIDR blocks"
            ) from None
    return parts


def json_object(value: str) -> str:
    """JSON text of an object, or an empty text. The code that uses it checks its content."""
    try:
        valid = not value or isinstance(json.loads(value), dict)
    except ValueError:
        valid = False
    if not valid:
        raise Unacceptable("must be a JSON object, or empty")
    return value


def annotations(value: str) -> str:
    """JSON text of an object of Kubernetes annotations, or an empty text."""
    json_object(value)
    for name, content in json.loads(value or "{}").items():
        if not isinstance(content, str):
            raise Unacceptable(f'must have text as the value of "{name}": write "false", not false')
        if not _ANNOTATION.fullmatch(name):
            raise Unacceptable(
                f'has a name that Kubernetes does not allow for an annotation: "{name}"'
            )
    return value


def names(value: str) -> tuple[str, ...]:
    """Texts separated by commas."""
    return tuple(part.strip() for part in value.split(",") if part.strip())
