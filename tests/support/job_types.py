"""The job types as the API lists them, without a server."""

from typing import Any

from jobs.api.job_types import job_type_row
from jobs.types.registry import SPECS
from mimir.frontend.job_types import job_types


def job_types_answer() -> dict[str, Any]:
    """Return the body of `GET /api/v1/job-types/` under default settings."""
    return {
        "results": [job_type_row(spec, spec.profile) for spec in SPECS.values()],
        "next": None,
    }


def load_job_types() -> None:
    """Fill the cache of the frontend in this process."""
    job_types.store(job_types_answer())
