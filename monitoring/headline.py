"""The most urgent problem of the installation, with its remedy. Pure."""

from collections.abc import Iterator, Sequence

from jobs.reasons import ADMINISTRATOR_REASONS, remedy
from monitoring.state_types import (
    CapacityState,
    ComponentState,
    FailureCount,
    HeadlineState,
    InstallationState,
    LimitState,
    StorageState,
)

STORAGE_FREE_SHARE_LEAST = 0.05
LAG_SECONDS_MOST = 60.0
WELL: HeadlineState = {"level": "ok", "message": "Everything is healthy.", "remedy": ""}


def headline(system: InstallationState) -> HeadlineState:
    """Return the most urgent problem of the state that GET /api/v1/system/ returns."""
    return next(_matters(system), WELL)


def _matters(system: InstallationState) -> Iterator[HeadlineState]:
    """Yield all problems, the most urgent first."""
    yield from _loops(system["components"])
    yield from _clusters(system["capacity"])
    yield from _storage(system["storage"], system["components"])
    yield from _redis(system["components"])
    yield from _database(system["components"])
    yield from _lag(system["reconcile"]["lag_seconds"])
    yield from _failures(system["failures"])
    yield from _pauses(system["limits"])


def _loops(components: Sequence[ComponentState]) -> Iterator[HeadlineState]:
    tasks = {
        "dispatcher": "No job starts until it runs again. No data is lost.",
        "reconciler": (
            "Jobs with a lost or timed-out worker are not ended until it runs again. No data is "
            "lost."
        ),
    }
    for component, effect in tasks.items():
        states = [row["state"] for row in components if row["component"] == component]
        if "alive" not in states and "late" not in states:
            yield _attention(
                f"The {component} is not running.",
                f"{effect} Start it: manage.py {component}, and check its log.",
            )


def _clusters(capacity: Sequence[CapacityState]) -> Iterator[HeadlineState]:
    for row in capacity:
        if row["unreachable_message"]:
            yield _attention(
                f"The cluster {row['cluster']} does not answer: {row['unreachable_message']}",
                "It gets no new jobs; running jobs are not touched. Restore the connection to it.",
            )
    if capacity and not any(row["enabled"] for row in capacity):
        yield _attention(
            "Every cluster is disabled. No job can start.",
            "Enable one under Clusters in the admin.",
        )


def _storage(
    storage: StorageState, components: Sequence[ComponentState]
) -> Iterator[HeadlineState]:
    for row in components:
        if row["component"] == "storage" and row["state"] != "alive":
            yield _attention(
                "The artifact storage is unavailable. Workers and uploads wait for it.",
                row["message"],
            )
    free, total = storage["artifact_free_bytes"], storage["artifact_total_bytes"]
    if total and free is not None and free / total < STORAGE_FREE_SHARE_LEAST:
        yield _attention(
            f"The artifact storage is nearly full: {free / total:.0%} is free.",
            "Enlarge it, or set RETENTION_JOBS_DAYS to delete old jobs.",
        )


def _redis(components: Sequence[ComponentState]) -> Iterator[HeadlineState]:
    for row in components:
        if row["component"] == "redis" and row["state"] != "alive":
            yield _attention(
                "Redis does not answer.",
                "Jobs start later and pages update more slowly. No data is lost. Restart it.",
            )


def _database(components: Sequence[ComponentState]) -> Iterator[HeadlineState]:
    for row in components:
        if row["component"] == "database" and row["message"]:
            yield _attention(
                "PostgreSQL accepts too few connections for all processes under load.",
                row["message"],
            )


def _lag(seconds: float | None) -> Iterator[HeadlineState]:
    if seconds is not None and seconds > LAG_SECONDS_MOST:
        yield _attention(
            f"The reconciler has seen no cluster whole for {seconds:.0f} seconds.",
            "Check its log: a pass fails, or takes too long.",
        )


def _failures(failures: Sequence[FailureCount]) -> Iterator[HeadlineState]:
    for row in failures:
        if row["reason"] in ADMINISTRATOR_REASONS:
            jobs = "1 job" if row["count"] == 1 else f"{row['count']} jobs"
            yield _attention(
                f"{jobs} failed in the last 24 hours with {row['reason']}.", remedy(row["reason"])
            )


def _pauses(limits: Sequence[LimitState]) -> Iterator[HeadlineState]:
    for row in limits:
        if row["paused"]:
            what = {
                "global": "All starts are",
                "type": f"Starts of {row['key']} are",
                "project": f"Starts of the project {row['key']} are",
            }
            yield _attention(
                f"{what[row['scope']]} paused.",
                "Waiting jobs keep their position. Remove the pause under Limits in the admin.",
            )


def _attention(message: str, what_to_do: str) -> HeadlineState:
    return {"level": "attention", "message": message, "remedy": what_to_do}
