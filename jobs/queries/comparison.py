"""Differences of two jobs by group and path. Pure."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from jobs.queries.shapes import ComparedValueBody, JobBody
from jobs.queries.time_phases import Phase
from mimir.lib.json_types import Json
from mimir.lib.json_values import is_number

_SPECIAL = re.compile(r"[.\[\]]")
ROWS_MAX = 1000
DEPTH_MAX = 20
# Measured values differ in each run. Smaller differences are ignored.
MEASURED_SHARE, MEASURED_SECONDS = 0.05, 0.1


class Group(StrEnum):
    """Groups of compared values, in order."""

    PARAMETERS = "parameters"
    INPUTS = "inputs"  # names and versions; a pipeline's version is its code
    REQUEST = "request"  # resources, limits, place
    RUN = "run"
    TIME = "time"  # seconds by cause, separately for each step and stage
    RESULT = "result"  # numbers


class Unit(StrEnum):
    """Unit of a compared number; NONE for other values."""

    NONE = ""
    SECONDS = "seconds"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class Fact:
    """Value of a job. `is_measured`: small differences are ignored."""

    value: Json
    unit: Unit = Unit.NONE
    is_measured: bool = False


@dataclass(frozen=True, slots=True)
class LastAttempt:
    """The last attempt of a job, and how many workers were launched."""

    cluster: str
    peak_memory_bytes: int | None
    launched: int


Facts = Mapping[Group, Mapping[str, Fact]]


def job_facts(job: JobBody, phases: Sequence[Phase], last: LastAttempt | None) -> Facts:
    """Return the values of a job that a comparison shows."""
    return {
        Group.PARAMETERS: {path: Fact(value) for path, value in leaves(dict(job["parameters"]))},
        Group.INPUTS: dict(_inputs(job)),
        Group.REQUEST: dict(_request(job)),
        Group.RUN: dict(_run(job, last)),
        Group.TIME: _time(phases),
        Group.RESULT: dict(_result(job)),
    }


def compare(one: Facts, two: Facts) -> list[ComparedValueBody]:
    """Return at most ROWS_MAX values of both jobs in order, and whether they differ."""
    rows: list[ComparedValueBody] = []
    for group in Group:
        ours, theirs = one[group], two[group]
        for path in dict.fromkeys([*ours, *theirs]):
            if len(rows) == ROWS_MAX:
                return rows
            rows.append(_row(group, path, ours.get(path), theirs.get(path)))
    return rows


def count_values(one: Facts, two: Facts) -> int:
    """Return the number of rows that `compare` would return without ROWS_MAX."""
    return sum(len({**one[group], **two[group]}) for group in Group)


def _row(group: Group, path: str, one: Fact | None, two: Fact | None) -> ComparedValueBody:
    known = one or two
    assert known is not None
    return {
        "group": group.value,
        "path": path,
        "unit": known.unit.value,
        "a": one.value if one else None,
        "b": two.value if two else None,
        "in_a": one is not None,
        "in_b": two is not None,
        "differs": _differs(one, two),
    }


def _differs(one: Fact | None, two: Fact | None) -> bool:
    if one is None or two is None:
        # A cause without time has no fact, so a short time is equal to a missing one.
        known = one or two
        return known is None or not _is_trivial(known)
    if one.is_measured and is_number(one.value) and is_number(two.value):
        gap = abs(one.value - two.value)
        least = MEASURED_SECONDS if one.unit is Unit.SECONDS else 0
        return gap > least and gap > MEASURED_SHARE * max(abs(one.value), abs(two.value))
    # 1 and True are equal in Python, 1 and 1.0 in JSON.
    return one.value != two.value or isinstance(one.value, bool) != isinstance(two.value, bool)


def _is_trivial(fact: Fact) -> bool:
    is_time = fact.is_measured and fact.unit is Unit.SECONDS and is_number(fact.value)
    return is_time and isinstance(fact.value, int | float) and fact.value <= MEASURED_SECONDS


def leaves(value: Json, path: str = "", depth: int = 0) -> Iterator[tuple[str, Json]]:
    """Yield path and value of every leaf of a JSON value.

    A list of plain values, and an empty object, is one leaf. Objects of a list are named by their
    `id` or `name`, if these are distinct, else by their positions.
    """
    if isinstance(value, dict) and value and depth < DEPTH_MAX:
        for key, inner in value.items():
            yield from leaves(inner, _below(path, key), depth + 1)
    elif isinstance(value, list) and _has_objects(value) and depth < DEPTH_MAX:
        for name, inner in zip(_names(value), value, strict=True):
            yield from leaves(inner, f"{path}[{_quoted(name)}]", depth + 1)
    elif depth:
        yield path, value


def _below(path: str, key: str) -> str:
    """Return the path of a key. Quotes names with special characters, to keep paths distinct."""
    quoted = _quoted(key)
    if quoted != key:
        return f"{path}[{quoted}]"
    return f"{path}.{key}" if path else key


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False) if not name or _SPECIAL.search(name) else name


def _has_objects(values: list[Json]) -> bool:
    return any(isinstance(each, dict | list) for each in values)


def _names(values: list[Json]) -> list[str]:
    for key in ("id", "name"):
        names = [str(each.get(key, "")) if isinstance(each, dict) else "" for each in values]
        if all(names) and len(set(names)) == len(names):
            return names
    return [str(at) for at in range(len(values))]


def _inputs(job: JobBody) -> Iterable[tuple[str, Fact]]:
    for row in job["inputs"]:
        name: Json = dict(row).get(row["kind"])  # type: ignore[assignment]
        yield row["name"], Fact(name)
        if "version" in row:
            yield f"{row['name']}.version", Fact(row["version"])


def _request(job: JobBody) -> Iterable[tuple[str, Fact]]:
    resources = job["resources"]
    yield "resources.cpu", Fact(resources["cpu"])
    yield "resources.memory", Fact(resources["memory"])
    yield "resources.memory_max", Fact(resources["memory_max"])
    yield "resources.gpu", Fact(resources["gpu"])
    yield "timeout_seconds", Fact(job["timeout_seconds"], Unit.SECONDS)
    yield "max_attempts", Fact(job["max_attempts"])
    yield "priority", Fact(job["priority"])
    yield "cluster", Fact(job["cluster"])
    yield "region", Fact(job["region"])


def _run(job: JobBody, last: LastAttempt | None) -> Iterable[tuple[str, Fact]]:
    yield "status", Fact(job["status"])
    yield "reason", Fact(job["reason"])
    yield "created_by", Fact(job["created_by"])
    yield "attempts", Fact(last.launched if last else 0)
    if last is not None:
        yield "cluster", Fact(last.cluster)
        if last.peak_memory_bytes is not None:
            yield "peak_memory_bytes", Fact(last.peak_memory_bytes, Unit.BYTES, is_measured=True)


def _time(phases: Sequence[Phase]) -> dict[str, Fact]:
    """Return the total, then the time of each cause, separately for each step and stage."""
    seconds: dict[str, float] = {"total": 0.0}
    for phase in phases:
        spent = phase.duration.total_seconds()
        path = f"{phase.cause}[{phase.detail}]" if phase.detail else phase.cause.value
        seconds["total"] += spent
        seconds[path] = seconds.get(path, 0.0) + spent
    return {
        path: Fact(round(value, 6), Unit.SECONDS, is_measured=True)
        for path, value in seconds.items()
    }


def _result(job: JobBody) -> Iterable[tuple[str, Fact]]:
    """Yield the numbers of the result, except times of steps, which are in TIME."""
    result: Json = dict(job["result"] or {})  # type: ignore[arg-type]
    for path, value in leaves(result):
        if is_number(value) and not path.endswith(".seconds"):
            yield path, Fact(value)
