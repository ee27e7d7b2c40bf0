"""ResourceQuotas, as the admission of Jobs and pods counts them.

Nothing is counted in a namespace without a quota.
"""

import re

from tests.fakes.kubernetes.resources import JOBS, QUOTAS, Object, Resource, is_terminal
from tests.fakes.kubernetes.store import Store

_UNITS = {
    **{unit: 1000.0 ** (index + 1) for index, unit in enumerate("kMGTPE")},
    **{f"{unit}i": 1024.0 ** (index + 1) for index, unit in enumerate("KMGTPE")},
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "": 1,
}
QUANTITY = re.compile(r"^([+-]?[0-9.]+)([eE][+-]?[0-9]+|[EPTGMK]i|[numkMGTPE])?$")


def amount(quantity: str | float) -> float:
    found = QUANTITY.match(str(quantity))
    if found is None:
        raise ValueError(f"not a quantity: {quantity}")
    unit = found[2] or ""
    return float(found[1]) * _UNITS[unit] if unit in _UNITS else float(found[1] + unit)


def quota_refusal(store: Store, resource: Resource, obj: Object) -> str:
    """Return the reason why a quota rejects another such object, or ""."""
    namespace = obj["metadata"]["namespace"]
    for version in store.all(QUOTAS):
        if version.key[0] != namespace:
            continue
        hard = version.obj["spec"].get("hard", {})
        charges = {name: value for name, value in _charges(resource, obj).items() if name in hard}
        over = [
            name
            for name, value in sorted(charges.items())
            if _used(store, resource, namespace, name) + value > amount(hard[name]) + 1e-9
        ]
        if over:
            parts = [
                ",".join(
                    f"{name}={_quantity_text(value)}"
                    for name, value in zip(over, values, strict=True)
                )
                for values in (
                    [charges[name] for name in over],
                    [_used(store, resource, namespace, name) for name in over],
                    [hard[name] for name in over],
                )
            ]
            return (
                f"exceeded quota: {version.key[1]}, requested: {parts[0]}, used: {parts[1]}, "
                f"limited: {parts[2]}"
            )
    return ""


def _charges(resource: Resource, obj: Object) -> dict[str, float]:
    if resource is JOBS:
        return {"count/jobs.batch": 1}
    found: dict[str, float] = {"pods": 1, "count/pods": 1}
    for container in obj["spec"]["containers"]:
        resources = container.get("resources") or {}
        for kind in ("requests", "limits"):
            amounts = (
                resources.get(kind)
                or (resources.get("limits") if kind == "requests" else None)
                or {}
            )
            for name, value in amounts.items():
                found[f"{kind}.{name}"] = found.get(f"{kind}.{name}", 0) + amount(value)
    return found


def _used(store: Store, resource: Resource, namespace: str, name: str) -> float:
    living = (each.obj for each in store.all(resource) if each.key[0] == namespace)
    return sum(
        _charges(resource, each).get(name, 0)
        for each in living
        if resource is JOBS or not is_terminal(each)
    )


def _quantity_text(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return str(int(value)) if value == int(value) else f"{round(value * 1000)}m"
