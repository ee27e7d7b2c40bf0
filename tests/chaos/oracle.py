"""Invariants of an ended job, checked by effects outside the product's database."""

from dataclasses import dataclass
from typing import Any

from tests.chaos.learning import outcome_faults
from tests.support.installation import left_of
from tests.support.stack import Stack

TERMINAL_EVENTS = ("job.succeeded", "job.failed", "job.cancelled")


@dataclass(frozen=True, slots=True)
class Expected:
    """Allowed ends of a job as (status, reason) pairs, the output of a complete run, and the
    dataset of which it writes one version.

    `made`: the name of the outcome of a job that is not a pipeline. Such a job has no command that
    writes into the oracle, and its log is not known.
    """

    ends: frozenset[tuple[str, str]]
    stdout: str = ""
    project: str = "demo"
    dataset: str = ""
    made: str = ""


def violations(stack: Stack, job: str, expected: Expected) -> list[str]:
    """Return one sentence for each violated invariant.

    Empty for a correct job: it has ended and its workers are cleaned up.
    """
    shown = stack.job(job)
    attempts = stack.attempts(job)
    found = [*_one_end(stack, shown, expected), *_runs(stack, shown, expected)]
    found += [*_logs(stack, shown, attempts, expected), *_outcome(stack, shown, expected)]
    found += [
        f"attempt {attempt['number']} is not gone" for attempt in attempts if not attempt["gone_at"]
    ]
    found += [f"a process is left: {line}" for line in left_of(job)]
    found += [f"a worker's folder is left: {name}" for name in stack.workers() if job in name]
    return [f"{job}: {sentence}" for sentence in found]


def _one_end(stack: Stack, shown: dict[str, Any], expected: Expected) -> list[str]:
    found = []
    events = stack.events(shown["id"])
    if [event["seq"] for event in events] != list(range(1, len(events) + 1)):
        found.append("its events are not numbered without gaps")
    ends = [event["kind"] for event in events if event["kind"] in TERMINAL_EVENTS]
    if ends != [f"job.{shown['status']}"]:
        found.append(f"it {shown['status']}, and its ends are {ends}")
    if (shown["status"], shown["reason"]) not in expected.ends:
        found.append(
            f"it {shown['status']} ({shown['reason']}: {shown['message']}), which it should not"
        )
    return found


def _runs(stack: Stack, shown: dict[str, Any], expected: Expected) -> list[str]:
    if expected.made:
        return []
    runs = stack.ran_as(shown["id"])
    found = []
    if len(set(runs)) != len(runs):
        found.append(f"an attempt ran twice: {runs}")
    if runs != sorted(runs):
        found.append(f"its attempts ran out of order: {runs}")
    if shown["status"] == "succeeded" and runs[-1:] != [shown["attempt"]]:
        found.append(f"attempt {shown['attempt']} won, but those that ran are {runs}")
    return found


def _logs(
    stack: Stack, shown: dict[str, Any], attempts: list[dict[str, Any]], expected: Expected
) -> list[str]:
    """Check that the winner's log is complete and each other log is a marked prefix of its output."""  # noqa: E501
    found = []
    for attempt in attempts:
        number = attempt["number"]
        raw = (
            ""
            if expected.made
            else stack.log(shown["id"], attempt=number, format="raw", stream="stdout").text
        )
        won = shown["status"] == "succeeded" and number == shown["attempt"]
        if won and (raw != expected.stdout or not attempt["log_complete"]):
            found.append(
                f"the log of the winning attempt {number} is not what it printed: {len(raw)} of "
                f"{len(expected.stdout)} characters"
            )
        if not expected.stdout.startswith(raw):
            found.append(
                f"the log of attempt {number} has lines that were lost or doubled: {raw[-200:]!r}"
            )
        if (
            not attempt["log_complete"]
            and "stderr F mimir: " not in stack.log(shown["id"], attempt=number).text
        ):
            found.append(f"the log of attempt {number} is not complete and does not say so")
    return found


def _outcome(stack: Stack, shown: dict[str, Any], expected: Expected) -> list[str]:
    if expected.made:
        return outcome_faults(stack, expected.project, shown["type"], expected.made, shown)
    if not expected.dataset:
        return []
    versions, wanted = (
        stack.versions(expected.dataset, project=expected.project),
        int(shown["status"] == "succeeded"),
    )
    return (
        []
        if versions == wanted
        else [f"it {shown['status']} and its dataset has {versions} versions instead of {wanted}"]
    )
