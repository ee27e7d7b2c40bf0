"""Kubernetes quantities as numbers and as text, and the capacity of nodes. Pure."""

import re
from collections.abc import Mapping, Sequence

from jobs.diagnosis.kubernetes.objects import Object, at
from mimir.lib.formatting import memory_text

# Kubernetes also writes exponents, fractions of a byte or a core, and exabytes.
_QUANTITY = re.compile(
    r"([0-9]{1,30}(?:\.[0-9]{1,30})?)(?:[eE]([+-]?[0-9]{1,2}))?"
    r"(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?"
)
_DECIMAL = {
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "": 1.0,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "E": 1e18,
}
_BINARY = {
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
    "Pi": 2.0**50,
    "Ei": 2.0**60,
}
_FACTORS = {**_DECIMAL, **_BINARY}
CPU, MEMORY, DISK = "cpu", "memory", "ephemeral-storage"
_BYTES = {MEMORY: "memory", DISK: "ephemeral storage", "storage": "storage"}


def quantity(amount: object) -> float:
    """Return a Kubernetes quantity in cores, bytes or as a count; 0 for anything else."""
    if isinstance(amount, int | float) and not isinstance(amount, bool):
        return float(amount)
    match = _QUANTITY.fullmatch(amount.strip()) if isinstance(amount, str) else None
    if match is None:
        return 0.0
    number, exponent, unit = match.groups()
    return float(number) * 10.0 ** int(exponent or 0) * _FACTORS[unit or ""]


def is_gpu(resource: str) -> bool:
    """Whether a resource is a GPU, or a part of one (MIG)."""
    name = resource.lower()
    return (
        name.rpartition("/")[2].startswith(("gpu", "mig-"))
        or name.endswith("/gpu")
        or name.startswith("gpu.")
    )


def size_text(resource: str, amount: object) -> str:
    """Return an amount, without its resource if the unit implies it: `512 GiB`, `64 CPU`."""
    number, name = quantity(amount), _plain_name(resource)
    if name in _BYTES:
        return memory_text(number)
    if name == CPU:
        return f"{number:.4g} CPU"
    if name == "persistentvolumeclaims":
        return f"{number:.4g} volume claims"
    return f"{number:.10g} {name}"


def amount_text(resource: str, amount: object) -> str:
    """Return an amount with its resource: `64 CPU`, `512 GiB of memory`, `1 nvidia.com/gpu`."""
    kind = _BYTES.get(_plain_name(resource))
    size = size_text(resource, amount)
    return f"{size} of {kind}" if kind else size


def largest(nodes: Sequence[Object], resource: str) -> float:
    """Return the largest amount of a resource that one node offers to pods."""
    return max((_allocatable(node, resource) for node in nodes), default=0.0)


def offering(nodes: Sequence[Object], resource: str) -> int:
    """Count the nodes that offer a resource."""
    return sum(1 for node in nodes if _allocatable(node, resource) > 0)


def ever_fits(nodes: Sequence[Object], requests: Mapping[str, str]) -> bool:
    """Whether an empty node can hold the requests."""
    return any(
        all(_allocatable(node, name) >= quantity(amount) for name, amount in requests.items())
        for node in nodes
    )


def labelled(nodes: Sequence[Object], selector: Mapping[str, str]) -> int:
    """Count the nodes with all labels of a selector."""
    return sum(
        1
        for node in nodes
        if all(
            at(node, "metadata", "labels").get(name) == value for name, value in selector.items()
        )
    )


def _plain_name(resource: str) -> str:
    return resource.removeprefix("requests.").removeprefix("limits.")


def _allocatable(node: Object, resource: str) -> float:
    return quantity(at(node, "status", "allocatable").get(resource))
