"""The one thing that needs an administrator now, or that all is well. Pure: facts in, a sentence and its remedy out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.reasons import ADMINISTRATOR_REASONS, remedy

STORAGE_FREE_SHARE_LEAST = 0.05
LAG_SECONDS_MOST = 60.0
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Headline:
    """`level` is ok or attention."""

    level: str
    message: str
    remedy: str


WELL = Headline("ok", "All is well.", "")


def headline(system: Row) -> Headline:
    """The most pressing matter of the answer of GET /api/v1/system/ (without its headline): what stops everything comes first."""
    return next(_matters(system), WELL)


def _matters(system: Row) -> Iterator[Headline]:
    """Everything that needs an administrator, the most pressing first."""
    yield from _loops(system["components"])
    yield from _clusters(system["capacity"])
    yield from _storage(system["storage"], system["components"])
    yield from _redis(system["components"])
    yield from _lag(system["reconcile"]["lag_seconds"])
    yield from _failures(system["failures"])
    yield from _pauses(system["limits"])


def _loops(components: Sequence[Row]) -> Iterator[Headline]:
    tasks = {
        "dispatcher": "No waiting job starts until it runs again. Nothing is lost.",
        "reconciler": "No job whose worker vanished or ran out of time is ended until it runs again. Nothing is lost.",
    }
    for component, effect in tasks.items():
        states = [row["state"] for row in components if row["component"] == component]
        if "alive" not in states and "late" not in states:
            yield _attention(
                f"The {component} is away.",
                f"{effect} Start it: manage.py {component}, and look at its last log lines.",
            )


def _clusters(capacity: Sequence[Row]) -> Iterator[Headline]:
    for row in capacity:
        if row["unreachable_message"]:
            yield _attention(
                f"The cluster {row['cluster']} does not answer: {row['unreachable_message']}",
                "It gets no new jobs, and those that run there are left alone. Mend the way to it.",
            )
    if capacity and not any(row["enabled"] for row in capacity):
        yield _attention(
            "Every cluster is switched off: nothing starts.",
            "Enable one under Clusters in the admin.",
        )


def _storage(storage: Row, components: Sequence[Row]) -> Iterator[Headline]:
    for row in components:
        if row["component"] == "storage" and row["state"] != "alive":
            yield _attention(
                "The artifact storage cannot be used: workers and uploads wait for it.",
                row["message"],
            )
    free, total = storage["artifact_free_bytes"], storage["artifact_total_bytes"]
    if total and free is not None and free / total < STORAGE_FREE_SHARE_LEAST:
        yield _attention(
            f"The artifact storage is nearly full: {free / total:.0%} is free.",
            "Make it larger, or have ended jobs deleted after some days (RETENTION_JOBS_DAYS).",
        )


def _redis(components: Sequence[Row]) -> Iterator[Headline]:
    for row in components:
        if row["component"] == "redis" and row["state"] != "alive":
            yield _attention(
                "Redis does not answer.",
                "Jobs start a little later and pages follow more slowly; nothing is lost. Start it again.",
            )


def _lag(seconds: float | None) -> Iterator[Headline]:
    if seconds is not None and seconds > LAG_SECONDS_MOST:
        yield _attention(
            f"The reconciler has seen no cluster whole for {seconds:.0f} seconds.",
            "Look at its log: a pass fails, or takes too long.",
        )


def _failures(failures: Sequence[Row]) -> Iterator[Headline]:
    for row in failures:
        if row["reason"] in ADMINISTRATOR_REASONS:
            jobs = "1 job" if row["count"] == 1 else f"{row['count']} jobs"
            yield _attention(
                f"{jobs} failed in the last 24 hours with {row['reason']}.", remedy(row["reason"])
            )


def _pauses(limits: Sequence[Row]) -> Iterator[Headline]:
    for row in limits:
        if row["paused"]:
            what = {
                "global": "All starts are",
                "type": f"Starts of {row['key']} are",
                "project": f"Starts of the project {row['key']} are",
            }
            yield _attention(
                f"{what[row['scope']]} paused.",
                "Waiting jobs keep their places. Lift the pause under Limits in the admin.",
            )


def _attention(message: str, what_to_do: str) -> Headline:
    return Headline("attention", message, what_to_do)
