"""Validation of the columns of a cluster row. An error states the allowed values."""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from django.conf import settings

from jobs.clusters.launchers.base import LauncherKind
from jobs.models import ModelCache

NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # a DNS label, as in Kubernetes
VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_RESERVED = ("new",)  # the path segment of the "add a cluster" page
NAME_RULE = (
    "1 to 63 lower-case letters, digits and dashes, starting and ending with a letter or a digit"
)
VALUE_RULE = (
    "at most 63 letters, digits, dashes, dots and underscores, "
    "starting and ending with a letter or a digit"
)
ENTRIES_MAX, URL_MAX, CONTEXT_MAX, CONFIG_BYTES_MAX = 32, 500, 253, 1_000_000
# Minimum and maximum. With a shorter grace, a restart of the API server together with a lost
# network route would end workers.
GRACE_SECONDS = (60, 7 * 86400)
CAPACITIES = {
    "capacity_jobs": 1_000_000,
    "capacity_cpu_millicores": 10**12,
    "capacity_memory_bytes": 2**60,
    "capacity_gpus": 1_000_000,
}
ONLY_KUBERNETES = (
    "context",
    "namespace",
    "orchestrator_url",
    "node_selector",
    "tolerations",
    "gpu_node_selector",
    "gpu_tolerations",
)


class Effect(StrEnum):
    """Effect of a node's taint on pods that do not tolerate it."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class Operator(StrEnum):
    """Comparison that a toleration uses."""

    EXISTS = "Exists"
    EQUAL = "Equal"


def name_fault(name: object) -> str:
    """Return the error of a cluster's name; empty if it is valid."""
    if name in _RESERVED:
        return f"{name} is reserved"
    return "" if _is_label(name) else f"must have {NAME_RULE}"


def _is_label(value: object) -> bool:
    return isinstance(value, str) and NAME.fullmatch(value) is not None


def launcher_fault(launcher: object) -> str:
    """Return the error of a new row's launcher; empty if it is valid."""
    if launcher == LauncherKind.PROCESS:
        return "runs workers on this machine only, which already has a cluster: use kubernetes"
    tests = (
        settings.ENV.launcher == LauncherKind.MEMORY and settings.ENV.environment != "production"
    )
    if launcher == LauncherKind.KUBERNETES or (launcher == LauncherKind.MEMORY and tests):
        return ""
    return "must be kubernetes"


def column_faults(values: Mapping[str, object], *, launcher: str) -> dict[str, str]:
    """Return the errors of `values` by column. Columns that `values` lacks are not checked."""
    faults = {name: _COLUMNS[name](value) for name, value in values.items() if name in _COLUMNS}
    if launcher != LauncherKind.KUBERNETES:
        faults |= {
            name: "requires the kubernetes launcher: leave it empty"
            for name in ONLY_KUBERNETES
            if values.get(name)
        }
        if values.get("model_cache") == ModelCache.CLAIM:
            faults["model_cache"] = "claim requires the kubernetes launcher: use empty_dir"
    return {name: fault for name, fault in faults.items() if fault}


def contexts_of(path: str) -> list[str]:
    """Return the names of a kubeconfig's contexts, and no other content of it.

    Raises: ValueError naming the fault of the file.
    """
    try:
        with Path(path).open("rb") as file:
            loaded = yaml.safe_load(file.read(CONFIG_BYTES_MAX))
        return [str(one["name"]) for one in loaded["contexts"]]
    except OSError as error:
        raise ValueError(
            f"the file of KUBECONFIG_FILE cannot be read here ({error.strerror}): "
            "mount it in the web process, too"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ValueError("the file of KUBECONFIG_FILE is not a kubeconfig with contexts") from error


def _context(value: object) -> str:
    if not isinstance(value, str) or len(value) > CONTEXT_MAX or not value.isprintable():
        return f"must be the name of a context, of at most {CONTEXT_MAX} characters"
    if not value:
        return ""
    if not settings.ENV.kubeconfig_file:
        return (
            "requires KUBECONFIG_FILE, a mounted file with this context. "
            "Empty: the cluster that Mimir runs in"
        )
    try:
        names = contexts_of(settings.ENV.kubeconfig_file)
    except ValueError as error:
        return str(error)
    if value in names:
        return ""
    choices = ", ".join(names[:20]) or "none, as it has no contexts"
    return f"is not a context of KUBECONFIG_FILE: use {choices}"


def _namespace(value: object) -> str:
    return (
        ""
        if value == "" or _is_label(value)
        else f"must be a namespace: {NAME_RULE}. Empty: WORKER_NAMESPACE"
    )


def _region(value: object) -> str:
    return "" if isinstance(value, str) and VALUE.fullmatch(value) else f"must have {VALUE_RULE}"


def _url(value: object) -> str:
    if value == "":
        return ""
    if (
        not isinstance(value, str)
        or len(value) > URL_MAX
        or not value.isascii()
        or not value.isprintable()
        or " " in value
    ):
        return f"must be a URL of at most {URL_MAX} characters"
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return "must be a URL"
    if not value.startswith(("http://", "https://")) or not parts.hostname:
        return "must begin with http:// or https:// and name a host"
    if parts.username or parts.password or parts.query or parts.fragment:
        return "must not have a user, a query or a fragment"
    return ""


def _choice(*allowed: str) -> Callable[[object], str]:
    return lambda value: "" if value in allowed else f"must be one of {', '.join(allowed)}"


def _switch(value: object) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _count(most: int, *, least: int = 0) -> Callable[[object], str]:
    def fault(value: object) -> str:
        whole = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        return "" if whole else f"must be a whole number from {least} to {most}"

    return fault


def _label(key: object) -> bool:
    """Return whether `key` is a valid label key: a name, optionally after a domain and a slash."""
    prefix, slash, name = key.rpartition("/") if isinstance(key, str) else ("", "", "")
    return bool(
        name
        and VALUE.fullmatch(name)
        and (not slash or (len(prefix) <= 253 and _PREFIX.fullmatch(prefix)))
    )


def _selector(value: object) -> str:
    if not isinstance(value, dict) or len(value) > ENTRIES_MAX:
        return f"must be an object of at most {ENTRIES_MAX} labels"
    for key, text in value.items():
        if not _label(key):
            return (
                f"{str(key)[:100]} is not a label key: use a name such as disk, or example.com/disk"
            )
        if not isinstance(text, str) or not VALUE.fullmatch(text):
            return f"the value of {key[:100]} must have {VALUE_RULE}"
    return ""


def _tolerations(value: object) -> str:
    if not isinstance(value, list) or len(value) > ENTRIES_MAX:
        return f"must be a list of at most {ENTRIES_MAX} tolerations"
    faults = (
        f"number {at}: {fault}" for at, one in enumerate(value, 1) if (fault := _toleration(one))
    )
    return next(faults, "")


_PARTS = ("key", "operator", "value", "effect", "tolerationSeconds")


def _toleration(one: object) -> str:
    """Return the error of one toleration, by the rules of the API server; empty if it is valid."""
    if not isinstance(one, dict) or not one.keys() <= set(_PARTS):
        return f"must be an object of {', '.join(_PARTS)}"
    key, text, effect = one.get("key", ""), one.get("value", ""), one.get("effect", "")
    operator, seconds = one.get("operator", Operator.EQUAL), one.get("tolerationSeconds")
    whole = isinstance(seconds, int) and not isinstance(seconds, bool) and abs(seconds) < 2**63
    rules = (
        (key == "" or _label(key), "key must be a label key"),
        (operator in tuple(Operator), f"operator must be one of {', '.join(Operator)}"),
        (key != "" or operator == Operator.EXISTS, "operator must be Exists if the key is empty"),
        (isinstance(text, str) and bool(VALUE.fullmatch(text)), f"value must have {VALUE_RULE}"),
        (
            operator != Operator.EXISTS or text == "",
            "value must be empty if the operator is Exists",
        ),
        (
            effect in ("", *Effect),
            f"effect must be one of {', '.join(Effect)}, or empty for all effects",
        ),
        (seconds is None or whole, "tolerationSeconds must be a whole number"),
        (
            seconds is None or effect == Effect.NO_EXECUTE,
            "tolerationSeconds requires the effect NoExecute",
        ),
    )
    return next((fault for fits, fault in rules if not fits), "")


_COLUMNS: dict[str, Callable[[object], str]] = {
    "enabled": _switch,
    "region": _region,
    "context": _context,
    "namespace": _namespace,
    "orchestrator_url": _url,
    "model_cache": _choice(*(each.value for each in ModelCache)),
    "node_selector": _selector,
    "tolerations": _tolerations,
    "gpu_node_selector": _selector,
    "gpu_tolerations": _tolerations,
    **{name: _count(most) for name, most in CAPACITIES.items()},
    "away_grace_seconds": _count(GRACE_SECONDS[1], least=GRACE_SECONDS[0]),
}
COLUMNS = tuple(_COLUMNS)  # the editable columns
