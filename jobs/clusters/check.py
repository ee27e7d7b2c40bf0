"""What a cluster's row may hold. A fault says what would fit, under the column's name."""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from django.conf import settings

from jobs.clusters.launchers.base import LauncherKind
from jobs.models import ModelCache

NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # a DNS label, as Kubernetes has them
VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_RESERVED = ("new",)  # an address beside the names
NAME_RULE = (
    "1 to 63 small letters, digits and dashes, beginning and ending with a letter or a digit"
)
VALUE_RULE = "at most 63 letters, digits, dashes, dots and underscores, beginning and ending with a letter or a digit"
ENTRIES_MAX, URL_MAX, CONTEXT_MAX, CONFIG_BYTES_MAX = 32, 500, 253, 1_000_000
GRACE_SECONDS = (
    60,
    7 * 86400,
)  # a shorter one would give up workers for a restart of the API server and a lost route at once
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
    """What a node does to pods that do not tolerate its taint."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class Operator(StrEnum):
    """How a toleration compares."""

    EXISTS = "Exists"
    EQUAL = "Equal"


def name_fault(name: object) -> str:
    """Empty where it may be a cluster's name."""
    if name in _RESERVED:
        return f"{name} is reserved"
    return "" if _is_label(name) else f"has to have {NAME_RULE}"


def _is_label(value: object) -> bool:
    return isinstance(value, str) and NAME.fullmatch(value) is not None


def launcher_fault(launcher: object) -> str:
    """What is wrong with the launcher of a new row; empty where nothing is."""
    if launcher == LauncherKind.PROCESS:
        return "runs workers on this machine alone, which has its cluster already: use kubernetes"
    tests = (
        settings.ENV.launcher == LauncherKind.MEMORY and settings.ENV.environment != "production"
    )
    if launcher == LauncherKind.KUBERNETES or (launcher == LauncherKind.MEMORY and tests):
        return ""
    return "has to be kubernetes"


def column_faults(values: Mapping[str, Any], *, launcher: str) -> dict[str, str]:
    """What is wrong with `values`, by column; those that are not among them are not looked at."""
    faults = {name: _COLUMNS[name](value) for name, value in values.items() if name in _COLUMNS}
    if launcher != LauncherKind.KUBERNETES:
        faults |= {
            name: "belongs to a kubernetes cluster: leave it empty"
            for name in ONLY_KUBERNETES
            if values.get(name)
        }
        if values.get("model_cache") == ModelCache.CLAIM:
            faults["model_cache"] = "a claim belongs to a kubernetes cluster: use empty_dir"
    return {name: fault for name, fault in faults.items() if fault}


def contexts_of(path: str) -> list[str]:
    """The names of a kubeconfig's contexts, and nothing else of what it holds. Raises: ValueError with what is wrong with the file."""
    try:
        with Path(path).open("rb") as file:
            loaded = yaml.safe_load(file.read(CONFIG_BYTES_MAX))
        return [str(one["name"]) for one in loaded["contexts"]]
    except OSError as error:
        raise ValueError(
            f"the file of KUBECONFIG_FILE cannot be read here ({error.strerror}): mount it for the web process too"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ValueError("the file of KUBECONFIG_FILE is no kubeconfig with contexts") from error


def _context(value: object) -> str:
    if not isinstance(value, str) or len(value) > CONTEXT_MAX or not value.isprintable():
        return f"has to be the name of a context, of at most {CONTEXT_MAX} characters"
    if not value:
        return ""
    if not settings.ENV.kubeconfig_file:
        return "needs KUBECONFIG_FILE, the mounted file that has the context; empty: the cluster that Mimir runs in"
    try:
        names = contexts_of(settings.ENV.kubeconfig_file)
    except ValueError as error:
        return str(error)
    return (
        ""
        if value in names
        else f"is not a context of KUBECONFIG_FILE: use {', '.join(names[:20]) or 'none, it has no contexts'}"
    )


def _namespace(value: object) -> str:
    return (
        ""
        if value == "" or _is_label(value)
        else f"has to be a namespace: {NAME_RULE}; empty: WORKER_NAMESPACE"
    )


def _region(value: object) -> str:
    return "" if isinstance(value, str) and VALUE.fullmatch(value) else f"has to have {VALUE_RULE}"


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
        return f"has to be a URL of at most {URL_MAX} characters"
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return "has to be a URL"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "has to begin with http:// or https:// and name a host"
    if parts.username or parts.password or parts.query or parts.fragment:
        return "may have neither a user, nor a query, nor a fragment"
    return ""


def _choice(*allowed: str) -> Callable[[object], str]:
    return lambda value: "" if value in allowed else f"has to be one of {', '.join(allowed)}"


def _switch(value: object) -> str:
    return "" if isinstance(value, bool) else "has to be true or false"


def _count(most: int, *, least: int = 0) -> Callable[[object], str]:
    def fault(value: object) -> str:
        whole = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        return "" if whole else f"has to be a whole number from {least} to {most}"

    return fault


def _label(key: object) -> bool:
    """Whether it may be a label's key: a name, perhaps behind a domain and a slash."""
    prefix, slash, name = key.rpartition("/") if isinstance(key, str) else ("", "", "")
    return bool(
        name
        and VALUE.fullmatch(name)
        and (not slash or (len(prefix) <= 253 and _PREFIX.fullmatch(prefix)))
    )


def _selector(value: object) -> str:
    if not isinstance(value, dict) or len(value) > ENTRIES_MAX:
        return f"has to be an object of at most {ENTRIES_MAX} labels"
    for key, text in value.items():
        if not _label(key):
            return f"{str(key)[:100]} is no label's key: a name such as disk, or with a domain as example.com/disk"
        if not isinstance(text, str) or not VALUE.fullmatch(text):
            return f"the value of {key[:100]} has to have {VALUE_RULE}"
    return ""


def _tolerations(value: object) -> str:
    if not isinstance(value, list) or len(value) > ENTRIES_MAX:
        return f"has to be a list of at most {ENTRIES_MAX} tolerations"
    faults = (
        f"number {at}: {fault}" for at, one in enumerate(value, 1) if (fault := _toleration(one))
    )
    return next(faults, "")


_PARTS = ("key", "operator", "value", "effect", "tolerationSeconds")


def _toleration(one: object) -> str:
    """As the API server judges one."""
    if not isinstance(one, dict) or not one.keys() <= set(_PARTS):
        return f"has to be an object of {', '.join(_PARTS)}"
    key, text, effect = one.get("key", ""), one.get("value", ""), one.get("effect", "")
    operator, seconds = one.get("operator", Operator.EQUAL), one.get("tolerationSeconds")
    whole = isinstance(seconds, int) and not isinstance(seconds, bool) and abs(seconds) < 2**63
    rules = (
        (key == "" or _label(key), "key has to be a label's key"),
        (operator in tuple(Operator), f"operator has to be one of {', '.join(Operator)}"),
        (key != "" or operator == Operator.EXISTS, "without a key the operator has to be Exists"),
        (isinstance(text, str) and bool(VALUE.fullmatch(text)), f"value has to have {VALUE_RULE}"),
        (
            operator != Operator.EXISTS or text == "",
            "with the operator Exists the value has to be empty",
        ),
        (
            effect in ("", *Effect),
            f"effect has to be one of {', '.join(Effect)}, or empty for each",
        ),
        (seconds is None or whole, "tolerationSeconds has to be a whole number"),
        (
            seconds is None or effect == Effect.NO_EXECUTE,
            "tolerationSeconds belongs to the effect NoExecute",
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
COLUMNS = tuple(_COLUMNS)  # what may be edited
