"""Types and fields of a Job, from the published JSON schema of Kubernetes 1.34.

Finds undecodable values, unknown fields and missing fields.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import distribution
from typing import Any

from tests.fakes.kubernetes.quotas import QUANTITY

VERSION = "v1.34.0"
_JOB = "io.k8s.api.batch.v1.Job"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_GO = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
_BITS = {"int32": 2**31, "int64": 2**63}
_CHOICES: dict[str, dict[str, tuple[str, ...]]] = {
    "io.k8s.api.batch.v1.JobSpec": {
        "completionMode": ("Indexed", "NonIndexed"),
        "podReplacementPolicy": ("Failed", "TerminatingOrFailed"),
    },
    "io.k8s.api.batch.v1.PodFailurePolicyRule": {
        "action": ("Count", "FailIndex", "FailJob", "Ignore")
    },
    "io.k8s.api.batch.v1.PodFailurePolicyOnExitCodesRequirement": {"operator": ("In", "NotIn")},
    "io.k8s.api.batch.v1.PodFailurePolicyOnPodConditionsPattern": {
        "status": ("False", "True", "Unknown")
    },
    "io.k8s.api.core.v1.PodSpec": {
        "dnsPolicy": ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
        "preemptionPolicy": ("Never", "PreemptLowerPriority"),
    },
    "io.k8s.api.core.v1.Container": {
        "imagePullPolicy": ("Always", "IfNotPresent", "Never"),
        "terminationMessagePolicy": ("FallbackToLogsOnError", "File"),
    },
    "io.k8s.api.core.v1.SeccompProfile": {"type": ("Localhost", "RuntimeDefault", "Unconfined")},
    "io.k8s.api.core.v1.PodSecurityContext": {"fsGroupChangePolicy": ("Always", "OnRootMismatch")},
    "io.k8s.api.core.v1.Toleration": {
        "effect": ("NoExecute", "NoSchedule", "PreferNoSchedule"),
        "operator": ("Equal", "Exists"),
    },
    "io.k8s.api.core.v1.EmptyDirVolumeSource": {"medium": ("", "HugePages", "Memory")},
}


@dataclass(slots=True)
class Problems:
    """Problems in document order: `undecodable` is a 400, `unknown` optional, `invalid` a 422."""

    undecodable: str = ""
    unknown: list[str] = field(default_factory=list)
    # field, reason of the cause, message
    invalid: list[tuple[str, str, str]] = field(default_factory=list)

    def missing(self, path: str) -> None:
        self.invalid.append((path, "FieldValueRequired", "Required value"))

    def wrong(self, path: str, value: object, why: str) -> None:
        self.invalid.append(
            (path, "FieldValueInvalid", f"Invalid value: {json.dumps(value)}: {why}")
        )

    def unsupported(self, path: str, value: object, known: tuple[str, ...]) -> None:
        choices = ", ".join(f'"{each}"' for each in known)
        self.invalid.append(
            (
                path,
                "FieldValueNotSupported",
                f"Unsupported value: {json.dumps(value)}: supported values: {choices}",
            )
        )

    def mismatch(self, path: str, value: object, wanted: str) -> None:
        """Record a type mismatch; only the first counts, as in Go's decoder."""
        if not self.undecodable:
            self.undecodable = (
                f"json: cannot unmarshal {_GO.get(type(value), 'value')} into Go struct field "
                f"{path or 'Job'} of type {wanted}"
            )


Check = Callable[[Any, str, Problems], Any]  # returns the value without unknown fields


@cache
def job_check() -> Check:
    """Return the checker of a whole Job."""
    folder = "kubernetes_validate/kubernetes-json-schema"
    path = distribution("kubernetes-validate").locate_file(
        f"{folder}/{VERSION}-local/_definitions.json"
    )
    with open(str(path), "rb") as file:
        definitions = json.load(file)["$defs"]
    return _Compiler(definitions).definition(_JOB)


class _Compiler:
    def __init__(self, definitions: dict[str, Any]) -> None:
        self._definitions = definitions
        self._made: dict[str, Check] = {_QUANTITY: _quantity}

    def definition(self, name: str) -> Check:
        if name in self._made:
            return self._made[name]
        # A definition may contain itself: until it is built, it is looked up when used.
        self._made[name] = lambda value, path, problems: self._made[name](value, path, problems)
        self._made[name] = created = self._check(self._definitions[name], _CHOICES.get(name, {}))
        return created

    def _check(self, schema: dict[str, Any], words: dict[str, tuple[str, ...]]) -> Check:
        if "$ref" in schema:
            return self.definition(schema["$ref"].rpartition("/")[2])
        if "oneOf" in schema:
            return _one_of(tuple(str(each["type"][0]) for each in schema["oneOf"]))
        kinds = schema.get("type", "object")
        kind = kinds if isinstance(kinds, str) else kinds[0]
        if "properties" in schema:
            return self._struct(schema, words)
        if kind == "object":
            more = schema.get("additionalProperties")
            return (
                _mapping(self._check(more, {}))
                if isinstance(more, dict)
                else _scalar(dict, "object")
            )
        if kind == "array":
            return _array(self._check(schema["items"], {}))
        if kind == "integer":
            return _integer(schema.get("format", "int64"))
        return _scalar(
            {"string": str, "boolean": bool}[kind], {"string": "string", "boolean": "bool"}[kind]
        )

    def _struct(self, schema: dict[str, Any], words: dict[str, tuple[str, ...]]) -> Check:
        fields = {
            name: self._field(each, words.get(name)) for name, each in schema["properties"].items()
        }
        required = tuple(schema.get("required", ()))

        def check(value: Any, path: str, problems: Problems) -> Any:
            if type(value) is not dict:
                problems.mismatch(path, value, "struct")
                return value
            dropped = []
            prefix = f"{path}." if path else ""
            for name, each in value.items():
                known = fields.get(name)
                if known is None:
                    problems.unknown.append(prefix + name)
                    dropped.append(name)
                elif each is not None:
                    new = known(each, prefix + name, problems)
                    if new is not each:
                        value = {**value, name: new}
            for name in required:
                if value.get(name) in (None, ""):
                    problems.missing(prefix + name)
            return (
                {name: each for name, each in value.items() if name not in dropped}
                if dropped
                else value
            )

        return check

    def _field(self, schema: dict[str, Any], words: tuple[str, ...] | None) -> Check:
        inner = self._check(schema, {})
        if words is None:
            return inner

        def check(value: Any, path: str, problems: Problems) -> Any:
            if value not in words:
                if isinstance(value, str):
                    problems.unsupported(path, value, words)
                else:
                    inner(value, path, problems)
            return value

        return check


def _scalar(kind: type, name: str) -> Check:
    def check(value: Any, path: str, problems: Problems) -> Any:
        if type(value) is not kind:
            problems.mismatch(path, value, name)
        return value

    return check


def _integer(bits: str) -> Check:
    bound = _BITS.get(bits, 2**63)

    def check(value: Any, path: str, problems: Problems) -> Any:
        if type(value) is not int or not -bound <= value < bound:
            problems.mismatch(path, value, bits)
        return value

    return check


def _one_of(kinds: tuple[str, ...]) -> Check:
    types = {"string": str, "integer": int, "number": float}
    allowed = tuple(types[kind] for kind in kinds)

    def check(value: Any, path: str, problems: Problems) -> Any:
        if type(value) not in allowed:
            problems.mismatch(path, value, "intstr.IntOrString")
        return value

    return check


def _quantity(value: Any, path: str, problems: Problems) -> Any:
    if type(value) not in (str, int, float):
        problems.mismatch(path, value, "resource.Quantity")
    elif not QUANTITY.match(str(value)) and not problems.undecodable:
        problems.undecodable = (
            "quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    return value


def _mapping(inner: Check) -> Check:
    def check(value: Any, path: str, problems: Problems) -> Any:
        if type(value) is not dict:
            problems.mismatch(path, value, "map")
            return value
        for name, each in value.items():
            inner(each, f"{path}.{name}", problems)
        return value

    return check


def _array(inner: Check) -> Check:
    def check(value: Any, path: str, problems: Problems) -> Any:
        if type(value) is not list:
            problems.mismatch(path, value, "slice")
            return value
        return [inner(each, f"{path}[{index}]", problems) for index, each in enumerate(value)]

    return check
