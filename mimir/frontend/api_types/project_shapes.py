"""Projects, their members, and the summary on the home page."""

from typing import TypedDict

from mimir.frontend.api_types.job_shapes import Job, NextStep


class Project(TypedDict):
    """Project in a list."""

    slug: str
    name: str
    description: str
    status: str
    role: str
    automatic_resources: bool
    created_at: str


class ProjectDetail(TypedDict):
    """Project with its storage use."""

    slug: str
    name: str
    description: str
    status: str
    role: str
    automatic_resources: bool
    created_at: str
    stored_bytes: int
    stored_bytes_max: int | None


class Member(TypedDict):
    """Membership of a user."""

    username: str
    role: str
    created_at: str


class SummaryCounts(TypedDict):
    """Numbers of jobs: ended in the last 24 hours, and currently running or waiting."""

    succeeded: int
    failed: int
    cancelled: int
    running: int
    waiting: int


class AttentionItem(TypedDict):
    """Failure without a later success."""

    kind: str
    job: Job | None
    title: str
    summary: str
    next_steps: list[NextStep]


class HourCounts(TypedDict):
    """Ended jobs of one hour."""

    at: str
    succeeded: int
    failed: int
    cancelled: int


class ResultRow(TypedDict):
    """Version or revision that a job created."""

    kind: str
    name: str
    version: int
    job: str
    at: str


class UsageNow(TypedDict):
    """Current use of the project."""

    running: int
    limit: int | None
    cpu_millicores: int
    memory_bytes: int


class Run(TypedDict):
    """One run of a job series."""

    job: str
    status: str
    seconds: float | None
    finished_at: str | None


class Producer(TypedDict):
    """Job series that creates versions of one dataset, model or twin."""

    kind: str
    name: str
    version: int
    job_type: str
    title: str
    last: list[Run]
    usual_seconds: float | None
    last_good_at: str | None


class Summary(TypedDict):
    """Summary of a project."""

    counts: SummaryCounts
    attention: list[AttentionItem]
    hourly: list[HourCounts]
    results: list[ResultRow]
    usage: UsageNow
    producers: list[Producer]
