"""Stored diagnoses are readable, also those of the previous release."""

from typing import Any

import pytest

from jobs.diagnosis.kubernetes import no_answer
from jobs.diagnosis.stored import ended_summary, read_diagnosis

OLD: dict[str, Any] = {
    "category": "image_not_found",
    "summary": "The image a does not exist.",
    "detail": "An administrator has to push the image.",
    "next_steps": [
        {"label": "Push the image", "patch": None},
        {"label": "Run again", "patch": {}},
        {"label": "Nothing to do: wait", "patch": None},
    ],
}


def test_a_diagnosis_of_this_release_is_read_as_it_was_stored() -> None:
    body = no_answer("it timed out").body()
    assert read_diagnosis({**body, "since": "2026-01-01"}) == body


def test_a_diagnosis_of_the_previous_release_gets_the_new_fields() -> None:
    found = read_diagnosis(OLD)
    assert found is not None
    assert (found["code"], found["params"]) == ("image_not_found", {})
    assert (found["summary"], found["detail"]) == (OLD["summary"], OLD["detail"])
    assert [step["actor"] for step in found["next_steps"]] == ["administrator", "user", "nobody"]


@pytest.mark.parametrize(
    ("category", "actor"),
    [("exit_code", "user"), ("image_not_found", "administrator"), ("unknown", "administrator")],
)
def test_a_stored_step_without_a_request_is_done_by_who_can_fix_the_reason(
    category: str, actor: str
) -> None:
    found = read_diagnosis({**OLD, "category": category})
    assert found is not None
    assert found["next_steps"][0]["actor"] == actor


@pytest.mark.parametrize("stored", [None, {}, "text", {"summary": "no category"}])
def test_anything_else_is_not_a_diagnosis(stored: object) -> None:
    assert read_diagnosis(stored) is None


def test_a_wait_of_another_release_keeps_its_sentence_when_it_ends() -> None:
    assert ended_summary(OLD) == OLD["summary"]
    assert ended_summary({**OLD, "code": "unknown.cause", "params": {}}) == OLD["summary"]
    assert ended_summary(no_answer("").body()).startswith("Never started: the cluster has not")
