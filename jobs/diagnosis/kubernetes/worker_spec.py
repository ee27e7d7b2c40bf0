"""Resource requests of a worker, read from its pod, its Job or its row. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from jobs.core.resources import format_memory
from jobs.diagnosis.kubernetes.objects import Object, at, items, text, whole
from jobs.diagnosis.kubernetes.pods import WORKER
from jobs.diagnosis.kubernetes.quantities import CPU, MEMORY, quantity


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """Resource requests and placement of one worker.

    `requests` and `limits` use Kubernetes names and quantities: {"cpu": "500m",
    "nvidia.com/gpu": "1"}.
    """

    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    selector: Mapping[str, str] = field(default_factory=dict)
    claims: tuple[str, ...] = ()
    image: str = ""
    command: str = ""
    deadline_seconds: int | None = None
    tolerations: tuple[Object, ...] = ()

    @property
    def claim(self) -> str:
        """The name of its first volume claim; empty for none."""
        return self.claims[0] if self.claims else ""


def read_spec(job: Object, pod: Object, resources: object) -> WorkerSpec:
    """Return the spec in the pod, else in its Job.

    Amounts come from `resources` (`jobs.core.resources.as_dict`) where neither has them.
    """
    template = at(job, "spec", "template", "spec")
    inside = at(pod, "spec")
    spec = inside if items(inside.get("containers")) else template
    containers = items(spec.get("containers"))
    worker = next(
        (each for each in containers if each.get("name") == WORKER), next(iter(containers), {})
    )
    command = worker.get("command")
    claims = (
        text(at(each, "persistentVolumeClaim").get("claimName"))
        for each in items(spec.get("volumes"))
    )
    return WorkerSpec(
        requests=_sum(at(each, "resources", "requests") for each in containers)
        or _row(resources, "requests"),
        limits=_sum([at(worker, "resources", "limits")]) or _row(resources, "limits"),
        selector={
            str(key): value
            for key, value in at(spec, "nodeSelector").items()
            if isinstance(value, str)
        },
        claims=tuple(claim for claim in claims if claim),
        image=text(worker.get("image")),
        command=text(command[0]) if isinstance(command, list) and command else "",
        deadline_seconds=whole(at(job, "spec").get("activeDeadlineSeconds")),
        tolerations=tuple(items(spec.get("tolerations")) or items(template.get("tolerations"))),
    )


def twice(size_bytes: float) -> str:
    """Return twice an amount of memory, as a request writes it: `128Mi`."""
    return format_memory(2 * round(size_bytes))


def _sum(maps: Iterable[Object]) -> dict[str, str]:
    """Add up the amounts of all containers; a single amount stays as written."""
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
