"""Checks across settings: combinations that do not work, and unencrypted connections.

Each function returns messages. Values of a setting that is invalid by itself are skipped.
"""

import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from mimir.env.setting import Role

_VERIFYING_SSLMODES = ("verify-ca", "verify-full")


def conflicts(role: Role, values: Mapping[str, Any], environ: Mapping[str, str]) -> list[str]:
    """Return the messages about settings that do not fit together."""
    production = values["environment"] == "production"
    messages = []
    if production and environ.get("MIMIR_CRASH_POINTS"):
        messages.append("MIMIR_CRASH_POINTS is for tests. Unset it if ENVIRONMENT=production")
    if role == "orchestrator":
        messages.extend(_launcher(values, production=production))
        messages.extend(_start_window(values))
        if values["artifacts_s3_endpoint"] and not values["artifacts_url"].startswith("s3:"):
            messages.append(
                "ARTIFACTS_S3_ENDPOINT is set, but ARTIFACTS_URL is not a bucket. Set"
                " ARTIFACTS_URL to s3://bucket/prefix"
            )
    if _is_below(values["upload_spool_bytes"], values["max_upload_bytes"]):
        messages.append(
            "UPLOAD_SPOOL_BYTES must be 0 or at least MAX_UPLOAD_BYTES: one upload must fit"
        )
    if production:
        messages.extend(_unencrypted(role, values))
    return messages


def _launcher(values: Mapping[str, Any], *, production: bool) -> list[str]:
    messages = []
    if values["launcher"] == "process":
        if production and not values["allow_unisolated_workers"]:
            messages.append(
                "LAUNCHER=process isolates nothing. To use it in production, set"
                " ALLOW_UNISOLATED_WORKERS=true"
            )
        if sys.platform != "linux":
            messages.append(
                "LAUNCHER=process needs Linux, because it reads /proc. Use a Linux virtual"
                " machine or WSL2"
            )
    if production and values["launcher"] == "memory":
        messages.append("LAUNCHER=memory runs no jobs. It is for tests")
    return messages


def _start_window(values: Mapping[str, Any]) -> list[str]:
    smallest, first, largest = (
        values[name] for name in ("start_window_min", "start_window", "start_window_max")
    )
    if not all(isinstance(value, int) for value in (smallest, first, largest)):
        return []
    if smallest <= first <= largest:
        return []
    return [
        f"START_WINDOW is {first}, and must be between START_WINDOW_MIN ({smallest}) and"
        f" START_WINDOW_MAX ({largest})"
    ]


def _unencrypted(role: Role, values: Mapping[str, Any]) -> list[str]:
    """Messages about connections without TLS or verification that ACCEPT_PLAIN does not name."""
    found = {}
    if values["public_url"].startswith("http:"):
        found["public_url"] = (
            "PUBLIC_URL is http://, so passwords and cookies are sent unencrypted. Use https://"
        )
    if role == "orchestrator":
        if values["redis_url"].startswith("redis:"):
            found["redis"] = "REDIS_URL is redis://. Use rediss://"
        if values["database_url"] and not _is_verified(values["database_url"]):
            found["database"] = "DATABASE_URL does not verify the server. Add ?sslmode=verify-full"
        if values["artifacts_s3_endpoint"].startswith("http:"):
            found["artifacts"] = "ARTIFACTS_S3_ENDPOINT is http://. Use https://"
    accepted = values["accept_plain"]
    return [
        f"{message}, or accept it with ACCEPT_PLAIN={name}"
        for name, message in found.items()
        if name not in accepted
    ]


def _is_verified(url: str) -> bool:
    """Whether a PostgreSQL URL demands a verified server, or names a socket of this machine."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    host = options.get("host", parts.hostname or "")
    return host.startswith("/") or options.get("sslmode", "") in _VERIFYING_SSLMODES


def _is_below(given: object, required: Any) -> bool:
    return isinstance(given, int) and isinstance(required, int) and 0 < given < required
