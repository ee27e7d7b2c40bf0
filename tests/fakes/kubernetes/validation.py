"""What the API server refuses of a Job: 400 for what does not decode, 422 for what decodes and cannot be."""

from tests.fakes.kubernetes.http import Refused
from tests.fakes.kubernetes.resources import Object


def check_job(job: Object, field_validation: str) -> tuple[Object, list[str]]:
    """The Job without what is unknown of it, and warnings. Raises: Refused."""
    if (job.get("apiVersion", "batch/v1"), job.get("kind", "Job")) != ("batch/v1", "Job"):
        raise Refused(400, "BadRequest", f"the API version in the data ({job.get('apiVersion')}) does not match the expected API version (batch/v1)")
    return job, []


def check_job_update(old: Object, new: Object) -> None:
    """Raises: Refused."""
