"""What a worker asks of a cluster and what its nodes have, in numbers and in words. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from jobs.core.resources import format_memory
from jobs.diagnosis.kubernetes.pods import WORKER
from jobs.diagnosis.kubernetes.reading import Object, at, items, text, whole
from mimir.lib.formatting import memory_text

# What Kubernetes writes besides what people ask for: exponents, fractions of a byte or a core, exabytes.
_QUANTITY = re.compile(
    r"([0-9]{1,30}(?:\.[0-9]{1,30})?)(?:[eE]([+-]?[0-9]{1,2}))?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?"
)
_FACTORS = {
    **{
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
    },
    **{"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60},
}
CPU, MEMORY, DISK = "cpu", "memory", "ephemeral-storage"


@dataclass(frozen=True, slots=True)
class Asked:
    """What one worker asks for. `requests` and `limits` as Kubernetes names and writes them: {"cpu": "500m", "nvidia.com/gpu": "1"}."""

    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    selector: Mapping[str, str] = field(default_factory=dict)
    claims: tuple[str, ...] = ()
    image: str = ""
    command: str = ""
    service_account: str = ""
    priority_class: str = ""
    deadline_seconds: int | None = None
    tolerations: tuple[Object, ...] = ()

    def gpu(self) -> str:
        """The name of the GPU resource it asks for, such as `nvidia.com/gpu`; empty for none."""
        return next(
            (name for name, amount in self.requests.items() if is_gpu(name) and quantity(amount)),
            "",
        )


def read_asked(job: Object, pod: Object, resources: object) -> Asked:
    """What the worker asks for, by its pod, else by its Job, else by its row's `resources` (`jobs.core.resources.as_dict`)."""
    inside = at(pod, "spec")
    spec = inside if items(inside.get("containers")) else at(job, "spec", "template", "spec")
    containers = items(spec.get("containers"))
    worker = next(
        (each for each in containers if each.get("name") == WORKER), next(iter(containers), {})
    )
    tolerations = items(spec.get("tolerations")) or items(
        at(job, "spec", "template", "spec").get("tolerations")
    )
    command = worker.get("command")
    return Asked(
        requests=_sum(at(each, "resources", "requests") for each in containers)
        or _row(resources, "requests"),
        limits=_sum([at(worker, "resources", "limits")]) or _row(resources, "limits"),
        selector={
            str(key): value
            for key, value in at(spec, "nodeSelector").items()
            if isinstance(value, str)
        },
        claims=tuple(
            filter(
                None,
                (
                    text(at(each, "persistentVolumeClaim").get("claimName"))
                    for each in items(spec.get("volumes"))
                ),
            )
        ),
        image=text(worker.get("image")),
        command=text(command[0]) if isinstance(command, list) and command else "",
        service_account=text(spec.get("serviceAccountName")),
        priority_class=text(spec.get("priorityClassName")),
        deadline_seconds=whole(at(job, "spec").get("activeDeadlineSeconds")),
        tolerations=tuple(tolerations),
    )


def quantity(amount: object) -> float:
    """The number a Kubernetes quantity is, in cores, bytes or pieces; 0 for what is none."""
    if isinstance(amount, int | float) and not isinstance(amount, bool):
        return float(amount)
    match = _QUANTITY.fullmatch(amount.strip()) if isinstance(amount, str) else None
    if match is None:
        return 0.0
    number, exponent, unit = match.groups()
    return float(number) * 10.0 ** int(exponent or 0) * _FACTORS[unit or ""]


def is_gpu(resource: str) -> bool:
    """Whether a resource's name is that of a GPU, or of a part of one (MIG)."""
    name = resource.lower()
    return (
        name.rpartition("/")[2].startswith(("gpu", "mig-"))
        or name.endswith("/gpu")
        or name.startswith("gpu.")
    )


def worded(resource: str, amount: object) -> str:
    """An amount of a resource for people: `64 CPU`, `512 GiB of memory`, `1 nvidia.com/gpu`."""
    number = quantity(amount)
    name = resource.removeprefix("requests.").removeprefix("limits.")
    if name == CPU:
        return f"{number:.4g} CPU"
    if name == MEMORY:
        return f"{memory_text(number)} of memory"
    if name == DISK:
        return f"{memory_text(number)} of ephemeral storage"
    if name in ("storage", "persistentvolumeclaims"):
        return (
            f"{memory_text(number)} of storage"
            if name == "storage"
            else f"{number:.4g} volume claims"
        )
    return f"{number:.10g} {name}"


def largest(nodes: Sequence[Object], resource: str) -> float:
    """The most of a resource that one node can give to pods."""
    return max((_allocatable(node, resource) for node in nodes), default=0.0)


def offering(nodes: Sequence[Object], resource: str) -> int:
    """How many nodes have any of a resource."""
    return sum(1 for node in nodes if _allocatable(node, resource) > 0)


def ever_fits(nodes: Sequence[Object], requests: Mapping[str, str]) -> bool:
    """Whether an empty node could hold the requests."""
    return any(
        all(_allocatable(node, name) >= quantity(amount) for name, amount in requests.items())
        for node in nodes
    )


def labelled(nodes: Sequence[Object], selector: Mapping[str, str]) -> int:
    """How many nodes carry all labels of a selector."""
    return sum(
        1
        for node in nodes
        if all(
            at(node, "metadata", "labels").get(name) == value for name, value in selector.items()
        )
    )


def _allocatable(node: Object, resource: str) -> float:
    return quantity(at(node, "status", "allocatable").get(resource))


def _sum(maps: Iterable[Object]) -> dict[str, str]:
    """The amounts of all containers together; a single one as it is written."""
    total: dict[str, float] = {}
    written: dict[str, str] = {}
    for amounts in maps:
        for name, amount in amounts.items():
            total[str(name)] = total.get(str(name), 0.0) + quantity(amount)
            written[str(name)] = (
                str(amount) if str(name) not in written else f"{total[str(name)]:.17g}"
            )
    return written


def _row(resources: object, kind: str) -> dict[str, str]:
    amounts = at(resources, kind)
    cpu, memory, gpus = (
        whole(amounts.get(name)) for name in ("cpu_millicores", "memory_bytes", "gpus")
    )
    found = {
        CPU: f"{cpu}m" if cpu else "",
        MEMORY: str(memory) if memory else "",
        "nvidia.com/gpu": str(gpus) if gpus else "",
    }
    return {name: amount for name, amount in found.items() if amount}


def memory_patch(size_bytes: float) -> str:
    """Twice an amount of memory, as a request writes it: `128Mi`."""
    return format_memory(2 * round(size_bytes))
