"""Resource quantities in Kubernetes notation, and requests and limits per job type. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace

from mimir.lib.errors import Invalid

# The number of digits is bounded, because a float overflows at a few hundred.
_NUMBER = r"(?P<number>[0-9]{1,18}(?:\.[0-9]{1,18})?)"
_MEMORY = re.compile(_NUMBER + r"(?P<unit>|k|M|G|T|Ki|Mi|Gi|Ti)")
_CPU = re.compile(_NUMBER + r"(?P<unit>|m)")
_FACTOR = {
    "": 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}

CPU_MILLICORES_MIN, CPU_MILLICORES_MAX = 10, 1_024_000
MEMORY_BYTES_MIN, MEMORY_BYTES_MAX = 64 * 2**20, 16 * 2**40
GPU_MAX = 64


@dataclass(frozen=True, slots=True)
class Amounts:
    """Amount of each resource: CPU millicores, bytes of memory, whole GPUs."""

    cpu_millicores: int
    memory_bytes: int
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Profile:
    """Requests (the reserved capacity) and limits of a job, or the defaults of a job type."""

    requests: Amounts
    limits: Amounts


GIB = 2**30


def parse_memory(text: str) -> int:
    """Parse a Kubernetes memory quantity such as `512Mi` or `2G` to bytes. Raises: ValueError."""
    match = _MEMORY.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not an amount of memory: write it as 512Mi or 4Gi")
    return int(float(match["number"]) * _FACTOR[match["unit"]])


def parse_cpu(text: str) -> int:
    """Parse a Kubernetes CPU quantity such as `500m` or `2` to millicores. Raises: ValueError."""
    match = _CPU.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not an amount of CPU: write it as 500m or 2")
    number = float(match["number"])
    return round(number if match["unit"] else number * 1000)


def format_cpu(millicores: int) -> str:
    """Format millicores in Kubernetes notation: `2` or `500m`."""
    return f"{millicores}m" if millicores % 1000 else str(millicores // 1000)


def format_memory(size_bytes: int) -> str:
    """Format bytes as the shortest exact Kubernetes quantity, such as `4Gi`."""
    for unit in ("Ti", "Gi", "Mi", "Ki"):
        if size_bytes and size_bytes % _FACTOR[unit] == 0:
            return f"{size_bytes // _FACTOR[unit]}{unit}"
    return str(size_bytes)


_FORMATS: dict[str, Callable[[int], str]] = {
    "cpu": format_cpu,
    "memory": format_memory,
    "memory_max": format_memory,
}


def resolve(requested: Mapping[str, object] | None, profile: Profile) -> Profile:
    """Return requests and limits of a job whose limits are given in `requested`.

    `requested` has the optional keys "cpu", "memory" and "gpu". `profile` has the defaults of the
    job type. A job with a limit up to the default limit requests the default amount. With a higher
    limit it requests the full limit: a node without that capacity must not accept the job.

    Raises: Invalid with the path of each bad field.
    """
    faults: dict[str, str] = {}
    known = {"cpu", "memory", "gpu"}
    requested = requested or {}
    for key in requested.keys() - known:
        faults[f"resources.{key}"] = "is not a resource: use cpu, memory, gpu"
    cpu = _amount(
        requested,
        "cpu",
        parse_cpu,
        profile.limits.cpu_millicores,
        (CPU_MILLICORES_MIN, CPU_MILLICORES_MAX),
        faults,
    )
    memory = _amount(
        requested,
        "memory",
        parse_memory,
        profile.limits.memory_bytes,
        (MEMORY_BYTES_MIN, MEMORY_BYTES_MAX),
        faults,
    )
    gpus = _amount(requested, "gpu", int, profile.limits.gpus, (0, GPU_MAX), faults)
    if faults:
        raise Invalid("The resources are invalid.", detail=faults)
    limits = Amounts(cpu, memory, gpus)
    cpu_held = request_of(cpu, profile.requests.cpu_millicores, profile.limits.cpu_millicores)
    memory_held = request_of(memory, profile.requests.memory_bytes, profile.limits.memory_bytes)
    return Profile(Amounts(cpu_held, memory_held, gpus), limits)


def request_of(limit: int, usual_request: int, usual_limit: int) -> int:
    """Return the request that belongs to a limit; `usual_…` are the defaults of the job type."""
    return limit if limit > usual_limit else min(limit, usual_request)


def memory_max_of(requested: Mapping[str, object]) -> int | None:
    """Return the `memory_max` of requested resources in bytes; None without one.

    Raises: Invalid with the path of the field.
    """
    faults: dict[str, str] = {}
    found = _amount(
        requested, "memory_max", parse_memory, 0, (MEMORY_BYTES_MIN, MEMORY_BYTES_MAX), faults
    )
    if faults:
        raise Invalid("The resources are invalid.", detail=faults)
    return found or None


def _amount(
    requested: Mapping[str, object],
    key: str,
    parse: Callable[[str], int],
    default: int,
    bounds: tuple[int, int],
    faults: dict[str, str],
) -> int:
    value = requested.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        faults[f"resources.{key}"] = "must be a quantity such as 2, 500m or 4Gi"
        return default
    try:
        number = int(parse(str(value)))
    except ValueError as error:
        faults[f"resources.{key}"] = (
            str(error) if key != "gpu" else "must be a whole number of GPUs"
        )
        return default
    low, high = bounds
    if not low <= number <= high:
        shown = _FORMATS.get(key, str)
        faults[f"resources.{key}"] = f"must be from {shown(low)} to {shown(high)}"
        return default
    return number


def _within(profile: Profile, most: Amounts) -> Profile:
    def cut(amounts: Amounts) -> Amounts:
        return replace(
            amounts,
            cpu_millicores=min(amounts.cpu_millicores, most.cpu_millicores),
            memory_bytes=min(amounts.memory_bytes, most.memory_bytes),
        )

    return Profile(cut(profile.requests), cut(profile.limits))


def as_dict(profile: Profile) -> dict[str, dict[str, int]]:
    """Return the JSON form stored in a job's row: {"limits": {...}, "requests": {...}}."""
    return {"limits": asdict(profile.limits), "requests": asdict(profile.requests)}


def from_dict(value: Mapping[str, Mapping[str, int]]) -> Profile:
    """Parse the form of `as_dict`."""
    return Profile(requests=Amounts(**value["requests"]), limits=Amounts(**value["limits"]))


def profiles_with(
    overrides: Mapping[str, Mapping[str, Mapping[str, object]]],
    *,
    builtin: Mapping[str, Profile],
    machine: Amounts | None = None,
) -> dict[str, Profile]:
    """Return the profile of each job type: `builtin` with `overrides` applied.

    `overrides` maps a type to {"requests": {"cpu", "memory", "gpu"}, "limits": {…}}. `machine` is
    the capacity of a single-machine installation; built-in profiles are reduced to it.

    Raises: Invalid; ValueError for an unknown type.
    """
    result = {
        name: _within(profile, machine) if machine else profile for name, profile in builtin.items()
    }
    for name, value in overrides.items():
        if name not in result:
            raise ValueError(f"{name} is not a job type")
        limits = resolve(value.get("limits"), result[name]).limits
        requested = resolve(value.get("requests"), Profile(limits, result[name].requests)).limits
        result[name] = replace(result[name], limits=limits, requests=requested)
    return result
