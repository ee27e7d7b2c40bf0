"""Failed jobs through the frontend's port: their diagnosis, next steps and retries."""

import uuid
from typing import Any

from tests.contract.conftest import Api, command, job_body


def test_a_failed_job_says_why_and_what_to_do(api: Api, failed: dict[str, Any]) -> None:
    assert (failed["status"], failed["attempt"], failed["attempts_used"]) == ("failed", 2, 2)
    assert failed["reason"]
    assert failed["message"]
    diagnosis = failed["diagnosis"]
    assert sorted(diagnosis) == ["category", "code", "detail", "next_steps", "params", "summary"]
    assert diagnosis["next_steps"]
    assert all(sorted(step) == ["actor", "label", "patch"] for step in diagnosis["next_steps"])
    assert [row["number"] for row in api.every(f"jobs/{failed['id']}/attempts/")] == [1, 2]


def test_a_next_steps_patch_is_a_request_that_is_accepted(api: Api, failed: dict[str, Any]) -> None:
    patches = [
        step["patch"] for step in failed["diagnosis"]["next_steps"] if step["patch"] is not None
    ]
    for patch in patches:
        assert api.post(
            f"projects/{failed['project']}/jobs/?dry_run=true", {**job_body("fails"), **patch}, 200
        )["valid"]


def test_a_retry_is_a_new_job_with_the_same_request(api: Api, failed: dict[str, Any]) -> None:
    again = api.post(f"jobs/{failed['id']}/retry/", None)
    assert again["retry_of"] == failed["id"]
    same = (
        "project",
        "type",
        "parameters",
        "inputs",
        "resources",
        "labels",
        "priority",
        "max_attempts",
        "timeout_seconds",
    )
    assert {key: again[key] for key in same} == {key: failed[key] for key in same}
    assert api.ended(again["id"])["status"] == "failed"
    assert api.get(f"jobs/{failed['id']}/") == failed


def test_a_retry_reads_the_versions_the_first_one_read(api: Api, ran: dict[str, Any]) -> None:
    steps = [command("other", ["true"])]
    api.post(
        f"projects/{ran['project']}/pipelines/", {"name": "rich", "definition": {"steps": steps}}
    )
    again = api.ended(api.post(f"jobs/{ran['id']}/retry/", None)["id"])
    assert again["inputs"] == ran["inputs"]
    assert [step["id"] for step in again["result"]["steps"]] == ["numbers", "large", "kept", "say"]


def test_a_retry_with_a_key_is_one_retry(api: Api, failed: dict[str, Any]) -> None:
    key = {"Idempotency-Key": uuid.uuid4().hex}
    first = api.post(f"jobs/{failed['id']}/retry/", None, headers=key)
    again = api.post(f"jobs/{failed['id']}/retry/", None, 200, headers=key)
    assert again["id"] == first["id"]
    assert api.ended(first["id"])["status"] == "failed"
    # The same key for another job's retry counts as another body, although the bodies are equal.
    api.refused("POST", f"jobs/{first['id']}/retry/", 409, "job", headers=key)


def test_a_job_that_has_not_ended_is_not_retried(api: Api, paused: str) -> None:
    job = api.post(f"projects/{paused}/jobs/", job_body())["id"]
    api.refused("POST", f"jobs/{job}/retry/", 409)
