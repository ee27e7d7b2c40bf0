"""Present clusters, and turn the cluster form into an API request. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from mimir.frontend import formatting
from mimir.frontend.api_types.system_shapes import Cluster
from mimir.frontend.forms import Form
from mimir.frontend.pages.system.present import bar
from mimir.frontend.template_context import Context

STATES = {
    "ok": ("succeeded", "reachable"),
    "unreachable": ("failed", "unreachable"),
    "disabled": ("skipped", "disabled"),
    "unknown": ("warn", "not checked recently"),
}
CAPACITY = ("jobs", "cpu", "memory", "gpu")
TEXTS = ("region", "context", "namespace", "orchestrator_url", "model_cache")
PAIRS = ("node_selector", "gpu_node_selector")
OBJECTS = ("tolerations", "gpu_tolerations")
GRACE = "away_grace_seconds"
FIELDS = ("name", *TEXTS, *PAIRS, *OBJECTS, *CAPACITY, GRACE, "etag")
PATHS = (
    {name: name for name in FIELDS}
    | {f"capacity.{name}": name for name in CAPACITY}
    | {"capacity": "jobs"}
)  # form field by path of an API error
_EMPTY = {"model_cache": "empty_dir", "jobs": "100", GRACE: "600"}


def cluster_row(row: Cluster) -> Context:
    """Present a cluster: state, and capacity in numbers and bars."""
    shape, word = STATES.get(row["health"]["state"], ("warn", str(row["health"]["state"])))
    used, most = row["used"], row["capacity"]
    capacity = [
        _capacity_row(
            "Jobs",
            used["jobs"],
            most["jobs"],
            formatting.number(used["jobs"]),
            formatting.number(most["jobs"]),
        ),
        _capacity_row(
            "CPU",
            _cores(used["cpu"]),
            _cores(most["cpu"]),
            _shown(used["cpu"]),
            _shown(most["cpu"]),
        ),
        _capacity_row(
            "Memory",
            formatting.quantity(used["memory"]),
            formatting.quantity(most["memory"]),
            formatting.limit(used["memory"]),
            _limit(most["memory"]),
        ),
    ]
    if most["gpu"] or used["gpu"]:
        capacity.append(
            _capacity_row(
                "GPUs",
                used["gpu"],
                most["gpu"],
                formatting.number(used["gpu"]),
                formatting.number(most["gpu"]),
            )
        )
    return {**row, "shape": shape, "word": word, "capacity_rows": capacity}


def _capacity_row(
    word: str, used: float | None, most: float | None, used_text: str, limit_text: str
) -> Context:
    return {"word": word, "bar": bar(used, most), "used": used_text, "most": limit_text}


def _cores(value: object) -> float | None:
    """Parse CPU cores such as `16` or `500m`."""
    text = str(value)
    try:
        return (
            None
            if value is None
            else float(text.removesuffix("m")) / (1000 if text.endswith("m") else 1)
        )
    except ValueError:
        return None


def _shown(value: object) -> str:
    cores = _cores(value)
    return (
        "" if cores is None else f"{cores:.3g}" if cores < 1000 else formatting.number(round(cores))
    )


def _limit(value: object) -> str:
    return "" if value is None else formatting.limit(value)


def form_of(row: Cluster | None, etag: str = "") -> Form:
    """Build the form of a cluster; without `row`, a form with the defaults of a new one."""
    if row is None:
        return Form({name: _EMPTY.get(name, "") for name in FIELDS})
    limits: Mapping[str, Any] = row["capacity"]
    values: Mapping[str, Any] = row
    capacity = {name: "" if limits[name] is None else str(limits[name]) for name in CAPACITY}
    pairs = {
        name: "\n".join(f"{key}={value}" for key, value in sorted(values[name].items()))
        for name in PAIRS
    }
    objects = {name: "\n".join(json.dumps(one) for one in values[name]) for name in OBJECTS}
    return Form(
        {
            "name": row["name"],
            "etag": etag,
            GRACE: str(values[GRACE]),
            **{name: values[name] for name in TEXTS},
            **capacity,
            **pairs,
            **objects,
        }
    )


def body_of(form: Form, *, kubernetes: bool) -> Context:
    """Build the API request. Values that cannot be read get a message in the form.

    A cluster without Kubernetes has only region and capacity.
    """
    body: Context = {"capacity": _capacity(form), "region": form.value("region")}
    if kubernetes:
        body |= {name: form.value(name) for name in TEXTS}
        body |= {name: _pairs(form, name) for name in PAIRS}
        body |= {name: _objects(form, name) for name in OBJECTS}
        body |= {GRACE: _whole(form, GRACE)}
    return body


def _capacity(form: Form) -> Context:
    capacity: Context = {
        "cpu": form.value("cpu") or None,
        "memory": form.value("memory") or None,
    }
    return capacity | {name: _whole(form, name) for name in ("jobs", "gpu")}


def _whole(form: Form, name: str) -> int:
    typed = form.value(name) or _EMPTY.get(name if name == GRACE else "", "0")
    if typed.isascii() and typed.isdigit() and len(typed) < 10:
        return int(typed)
    form.errors[name] = (
        f"Enter a whole number, for example {_EMPTY[GRACE] if name == GRACE else 8}."
    )
    return 0


def _pairs(form: Form, name: str) -> dict[str, str]:
    pairs = {}
    for line in filter(None, map(str.strip, form.value(name).splitlines())):
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals:
            form.errors[name] = f"{line[:60]} is not label=value."
        pairs[key] = value
    return pairs


def _objects(form: Form, name: str) -> list[Any]:
    objects = []
    for line in filter(None, map(str.strip, form.value(name).splitlines())):
        try:
            objects.append(json.loads(line))
        except (ValueError, RecursionError):
            form.errors[name] = (
                f"{line[:60]} is not a JSON object. Write each toleration on its own line."
            )
    return objects
