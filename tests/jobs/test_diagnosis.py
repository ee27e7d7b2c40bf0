"""Texts of a diagnosis."""

from jobs.contract import FailureReason
from jobs.diagnosis.failures import diagnose

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
