"""Texts of a diagnosis."""

from typing import Any

import pytest

from jobs.contract import FailureReason
from jobs.core.resources import GIB
from jobs.diagnosis.failures import MemoryOutcome, RaisedAttempt, diagnose, never_fits

RESOURCES = {"requests": {"memory_bytes": 2**28}, "limits": {"memory_bytes": 2**28}}


def test_memory_is_shown_in_the_units_of_its_limit() -> None:
    facts = {"step": "load", "peak_bytes": 380 * 2**20, "limit_bytes": 2**28}
    found = diagnose(
        FailureReason.OUT_OF_MEMORY, detail=facts, resources=RESOURCES, timeout_seconds=60
    )
    assert found["summary"] == "Ran out of memory in step load. Used 380 MiB of its 256 MiB."
    assert found["next_steps"][0] == {
        "label": "Run again with 512 MiB",
        "patch": {"resources": {"memory": "512Mi"}},
        "actor": "user",
    }


def test_facts_that_are_not_numbers_are_ignored() -> None:
    facts = {"peak_bytes": "lots", "limit_bytes": ["many"]}
    found = diagnose(
        FailureReason.OUT_OF_MEMORY, detail=facts, resources=RESOURCES, timeout_seconds=60
    )
    assert found["summary"] == "Ran out of memory. Its limit is 256 MiB."


def test_facts_of_a_worker_are_bounded() -> None:
    """A worker runs the code of users, and its facts are in a message that many people read."""
    facts: dict[str, object] = {
        "step": "s\x00" * 100_000,
        "exit_code": "e" * 100_000,
        "signal": 10**400,
        "peak_bytes": 10**400,
    }
    for reason in FailureReason:
        body = diagnose(
            reason,
            detail=facts,
            resources={"limits": {"memory_bytes": GIB}},
            timeout_seconds=60,
        )
        assert len(str(body)) < 4000, reason
        assert "\x00" not in str(body)


def test_without_memory_max_the_second_step_sets_it() -> None:
    found = diagnose(FailureReason.OUT_OF_MEMORY, resources=RESOURCES, timeout_seconds=60)
    assert found["next_steps"][1] == {
        "label": "Run again with up to 1 GiB",
        "patch": {"resources": {"memory": "512Mi", "memory_max": "1Gi"}},
        "actor": "user",
    }


@pytest.mark.parametrize(
    ("memory", "code", "summary", "patch"),
    [
        (
            MemoryOutcome(GIB, 2 * GIB, 4 * GIB),
            "out_of_memory.raised",
            "Ran out of memory in step load. Its limit was 1 GiB. The next attempt gets 2 GiB.",
            None,
        ),
        (
            MemoryOutcome(4 * GIB, None, 4 * GIB),
            "out_of_memory.at_max",
            "Ran out of memory in step load. Its limit was 4 GiB. That is the most that the job"
            " may use (memory_max).",
            {"resources": {"memory": "8Gi", "memory_max": "8Gi"}},
        ),
        (
            MemoryOutcome(3 * GIB, None, 16 * GIB),
            "out_of_memory.on_machine",
            "Ran out of memory in step load. Its limit was 3 GiB. Its machine has no more.",
            None,
        ),
    ],
)
def test_with_memory_max_the_diagnosis_says_what_follows(
    memory: MemoryOutcome, code: str, summary: str, patch: dict[str, Any] | None
) -> None:
    cluster: Any = {"category": "out_of_memory", "summary": "Killed.", "next_steps": []}
    found = diagnose(
        FailureReason.OUT_OF_MEMORY,
        detail={"step": "load"},
        resources=RESOURCES,
        timeout_seconds=60,
        cluster_diagnosis=cluster,
        memory=memory,
    )
    assert (found["code"], found["summary"]) == (code, summary)
    assert found["next_steps"][0]["patch"] == patch


def test_a_raised_request_that_fits_nowhere_names_the_attempt_before() -> None:
    resources = {"requests": {"cpu_millicores": 1000, "memory_bytes": 8 * GIB}}
    found = never_fits(resources, cluster="eu", raised=RaisedAttempt(2, 4 * GIB, 16 * GIB))
    assert found["summary"] == (
        "Cannot start: requests 1 CPU and 8 GiB of memory, more than the cluster eu has."
        " Attempt 2 ran out of 4 GiB."
    )
    assert found["detail"].startswith("The memory was raised after attempt 2, up to 16 GiB")
    plain = never_fits(resources)
    assert plain["summary"].endswith("more than any cluster has.")
    assert plain["detail"].startswith("Request less")
