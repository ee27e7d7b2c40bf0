"""Limits of size and number, for attempts, projects and users."""

from dataclasses import dataclass

from mimir.env import parse
from mimir.env.setting import GIB, MIB, setting


@dataclass(frozen=True)
class Quotas:
    """Limits of size and number, for attempts, projects and users."""

    log_bytes_max: int = setting(
        parse.integer(1), str(2 * GIB), "Size of the log of one attempt, in bytes."
    )
    spool_bytes_max: int = setting(
        parse.integer(MIB),
        str(256 * MIB),
        "Log that a worker buffers while the orchestrator is unreachable, in bytes.",
    )
    artifact_bytes_max: int = setting(
        parse.integer(1), str(10 * GIB), "Size of all artifacts of one attempt, in bytes."
    )
    artifact_count_max: int = setting(
        parse.integer(1), "1000", "Number of artifacts of one attempt."
    )
    model_cache_bytes_max: int = setting(
        parse.integer(0),
        str(10 * GIB),
        "Models of one project that a worker machine keeps between jobs, in bytes.",
    )
    event_bytes_max: int = setting(
        parse.integer(256), str(16 * 1024), "Data of one event, in bytes."
    )
    event_count_max: int = setting(parse.integer(1), "100000", "Number of events of one attempt.")
    result_bytes_max: int = setting(
        parse.integer(256), str(64 * 1024), "Result of one job, in bytes."
    )
    definition_bytes_max: int = setting(
        parse.integer(256),
        str(256 * 1024),
        "One definition, or the parameters of one job, in bytes.",
    )
    twin_entities_max: int = setting(parse.integer(1), "200000", "Number of entities of one twin.")
    twin_changes_bytes_max: int = setting(
        parse.integer(1024),
        str(64 * 1024**2),
        "Changes that one update of a twin may report, in bytes.",
    )
    projects_per_user: int = setting(
        parse.integer(0),
        "100",
        "Projects that one user may create. 0: no limit. Administrators have none.",
    )
    project_bytes_max: int = setting(
        parse.integer(0),
        str(200 * GIB),
        "Storage of a project without its own limit, in bytes. 0: no limit.",
    )
    queued_jobs_per_project: int = setting(
        parse.integer(1), "10000", "Waiting jobs of one project. Above it: 429."
    )
