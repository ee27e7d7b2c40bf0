"""API bodies of recommended limits: for a producer, a request and an ended job."""

from typing import TypedDict

from jobs.contract import JobStatus
from jobs.core.resources import Amounts, format_cpu, format_memory, from_dict
from jobs.core.sizing import Sizing, change_from
from jobs.core.states import is_terminal
from jobs.lifecycle.measured_runs import producer_sizing
from jobs.models import Job
from jobs.models.expressions import producer_name


class ComparedBody(TypedDict):
    """Limits with which a recommendation is compared."""

    memory: str
    cpu: str


class BasisBody(TypedDict):
    """Measurements behind a recommendation: see `core.sizing.Basis`."""

    runs: int
    memory_peak_bytes: int | None
    out_of_memory_runs: int
    out_of_memory_limit_bytes: int | None
    cpu_runs: int
    cpu_millicores: int | None
    cpu_at_limit: bool


class RecommendationBody(TypedDict):
    """Recommended limits as quantities. None: too few measurements, or no clear difference."""

    memory: str | None
    cpu: str | None
    compared_with: ComparedBody | None
    basis: BasisBody


def recommendation_dict(sizing: Sizing, compared: Amounts | None) -> RecommendationBody:
    """Return the recommended limits that differ clearly from `compared`.

    Without `compared` there was no run, and nothing is recommended.
    """
    change = change_from(sizing, compared) if compared else None
    memory, cpu = (change.memory_bytes, change.cpu_millicores) if change else (None, None)
    basis = sizing.basis
    return {
        "memory": None if memory is None else format_memory(memory),
        "cpu": None if cpu is None else format_cpu(cpu),
        "compared_with": {
            "memory": format_memory(compared.memory_bytes),
            "cpu": format_cpu(compared.cpu_millicores),
        }
        if compared
        else None,
        "basis": {
            "runs": basis.runs,
            "memory_peak_bytes": basis.memory_peak_bytes,
            "out_of_memory_runs": basis.out_of_memory_runs,
            "out_of_memory_limit_bytes": basis.out_of_memory_limit_bytes,
            "cpu_runs": basis.cpu_runs,
            "cpu_millicores": basis.cpu_millicores,
            "cpu_at_limit": basis.cpu_at_limit,
        },
    }


def job_recommendation(*, job: Job) -> RecommendationBody | None:
    """Return the recommendation for the next run of an ended job; None for a live one."""
    if not is_terminal(JobStatus(job.status)):
        return None
    sizing = producer_sizing(
        project_id=job.project_id, job_type=job.type, name=producer_name(job.parameters)
    )
    return recommendation_dict(sizing, from_dict(job.resources).limits)
