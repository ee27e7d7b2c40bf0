"""The job types of the orchestrator (`GET /api/v1/job-types/`), cached in this process.

An answer is used for a minute. Then the next page starts a refresh in the background and shows the
old answer meanwhile. Without any answer, pages show the names of the types instead of titles.
"""

import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from mimir.frontend.api_client import Api, ApiError

FRESH_SECONDS = 60.0
RETRY_SECONDS = 5.0  # after a failed request
PATH = "job-types/"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JobType:
    """One job type. The fields are documented in the API's `JobTypeShape`."""

    type: str
    title: str
    icon: str
    summary: str
    heading: str
    button: str
    job_title: str
    subject: str | None
    parameters: Mapping[str, Any]
    output: str | None
    produces: tuple[str, ...]
    memory: str = ""  # default limit, as a Kubernetes quantity


class JobTypes:
    """A cache of the job types, filled by requests of signed-in users."""

    def __init__(self) -> None:
        self._types: Mapping[str, JobType] = {}
        self._due_at = 0.0  # time.monotonic() of the next refresh
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="job-types")

    def all(self) -> Mapping[str, JobType]:
        """Return the types by name, in the API's order; empty before the first answer."""
        return self._types

    def refresh(self, client: Api) -> None:
        """Start a refresh if one is due. Waits for the answer only while there is none yet."""
        with self._lock:
            if time.monotonic() < self._due_at:
                return
            self._due_at = time.monotonic() + FRESH_SECONDS
        if self._types:
            self._pool.submit(copy_context().run, self._load, client)
        else:
            self._load(client)

    def store(self, answer: Mapping[str, Any]) -> None:
        """Use an answer of the API. Fields of a newer orchestrator are ignored."""
        self._types = {
            row["type"]: JobType(
                type=row["type"],
                title=row["title"],
                icon=row["icon"],
                summary=row["summary"],
                heading=row["heading"],
                button=row["button"],
                job_title=row["job_title"],
                subject=row["subject"],
                parameters=row["parameters"],
                output=row["output"],
                produces=tuple(row["produces"]),
                memory=str(row["resources"]["memory"]),
            )
            for row in answer["results"]
        }

    def _load(self, client: Api) -> None:
        try:
            self.store(client.get(PATH))
        except (ApiError, KeyError, TypeError) as error:
            self._due_at = time.monotonic() + RETRY_SECONDS
            log.warning("job types cannot be read", extra={"error": str(error)})


job_types = JobTypes()


def type_title(job_type: object) -> str:
    """Return the title of a type; until the title is known, its name with spaces."""
    known = job_types.all().get(str(job_type))
    return known.title if known else str(job_type).replace("_", " ").capitalize()


def type_icon(job_type: object) -> str:
    """Return the icon of a type; until it is known, the icon of jobs."""
    known = job_types.all().get(str(job_type))
    return known.icon if known else "jobs"


def type_subject(job_type: object) -> str | None:
    """Return the parameter with the name of a job's main object; None if there is none."""
    known = job_types.all().get(str(job_type))
    return known.subject if known else None


def type_output(job_type: object) -> tuple[str, str] | None:
    """Return (kind of the object that gets a new version, parameter with its name), or None."""
    known = job_types.all().get(str(job_type))
    return (known.produces[0], known.output) if known and known.output else None


def derived_title(job_type: object, parameters: Mapping[str, Any]) -> str:
    """Return the title of a job without a name, made from its text parameters."""
    known = job_types.all().get(str(job_type))
    texts = {name: value for name, value in parameters.items() if isinstance(value, str)}
    if known is None:
        return type_title(job_type)
    try:
        return known.job_title.format_map(texts)
    except KeyError:  # an old request without this parameter
        return known.title


def parameter_schema(job_type: object) -> Mapping[str, Any]:
    """Return the JSON Schema of a type's parameters; an empty object schema if it is not known."""
    known = job_types.all().get(str(job_type))
    return known.parameters if known else {"type": "object", "required": [], "properties": {}}
