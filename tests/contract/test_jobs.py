"""Jobs through the frontend's port: submit, list, wait, cancel, the queue and its limit."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.contract.conftest import QUEUED_MAX, Api, Person, command, job_body
from tests.support.waiting import wait_for

AsUser = Callable[[str | None], Api]
_KEYS = (
    "attempt attempts_used away cancel_requested_at cluster created_at created_by diagnosis "
    "finished_at id inputs labels max_attempts message name parameters priority progress "
    "project reason region resources result retry_of started_at status status_label "
    "status_text timeout_seconds type waiting"
)


def test_job_types_are_listed_with_their_parameters(api: Api) -> None:
    rows = {row["type"]: row for row in api.get("job-types/")["results"]}
    assert rows["pipeline_execution"]["parameters"]["required"] == ["pipeline"]
    assert rows["ml_training"]["job_title"] == "Train {model} on {dataset}"


@pytest.fixture(scope="module")
def sleeper(api: Api, project: str) -> str:
    """Create a pipeline that runs until it is stopped."""
    steps = [command("sleep", ["sleep", "600"])]
    api.post(f"projects/{project}/pipelines/", {"name": "sleeper", "definition": {"steps": steps}})
    return "sleeper"


def test_a_job_has_every_field_from_submit_to_end(api: Api, project: str) -> None:
    resources = {"cpu": "500m", "memory": "1Gi", "gpu": 0}
    body = job_body(
        name="Named",
        labels={"team": "blue"},
        priority="high",
        resources=resources,
        timeout_seconds=60,
        max_attempts=2,
    )
    created = api.post(f"projects/{project}/jobs/", body)
    assert set(created) == set(_KEYS.split())
    ended = api.ended(created["id"])
    expected = {
        "id": created["id"],
        "project": project,
        "name": "Named",
        "labels": {"team": "blue"},
        "type": "pipeline_execution",
        "status": "succeeded",
        "status_label": "Succeeded",
        "status_text": ended["message"] or "Done. Nothing was written to the project.",
        "reason": "",
        "diagnosis": None,
        "priority": "high",
        "parameters": {"pipeline": "echo"},
        "attempt": 1,
        "max_attempts": 2,
        "timeout_seconds": 60,
        "waiting": None,
        "away": None,
        "retry_of": None,
    }
    assert {key: ended[key] for key in expected} == expected
    assert ended["created_at"] <= ended["started_at"] <= ended["finished_at"]
    assert ended["resources"] == {
        **resources,
        "memory_max": None,
        "requests": resources,
        "recommended": None,
    }
    assert ended["inputs"] == [
        {"name": "pipeline", "kind": "pipeline", "pipeline": "echo", "version": 1}
    ]
    assert set(ended["progress"]) == {"fraction", "message"}


@pytest.mark.parametrize(
    ("requested_value", "requested"), [("512Mi", "512Mi"), ("3Gi", "2Gi"), ("8Gi", "8Gi")]
)
def test_a_request_is_the_default_up_to_the_limit_and_the_full_value_above_it(
    api: Api, project: str, requested_value: str, requested: str
) -> None:
    """The profile of pipelines: 1 to 2 CPU, 2 to 4 GB."""
    checked = api.post(
        f"projects/{project}/jobs/?dry_run=true",
        job_body(resources={"memory": requested_value}),
        200,
    )
    assert checked["resources"] == {
        "cpu": "2",
        "memory": requested_value,
        "memory_max": None,
        "gpu": 0,
        "requests": {"cpu": "1", "memory": requested, "gpu": 0},
        "recommended": None,
    }
    assert (checked["priority"], checked["max_attempts"]) == ("normal", 1)


def test_a_job_asks_for_a_cluster_and_its_attempt_says_where_it_ran(api: Api, project: str) -> None:
    path = f"projects/{project}/jobs/"
    checked = api.post(f"{path}?dry_run=true", job_body(cluster="local", region=None), 200)
    assert (checked["cluster"], checked["region"]) == ("local", None)
    ended = api.ended(api.post(path, job_body(cluster="local"))["id"])
    assert (ended["status"], ended["cluster"], ended["region"]) == ("succeeded", "local", None)
    assert [row["cluster"] for row in api.every(f"jobs/{ended['id']}/attempts/")] == ["local"]
    again = api.post(f"jobs/{ended['id']}/retry/", None)
    assert (again["cluster"], again["region"]) == ("local", None)
    for placement in ({"cluster": "moon"}, {"region": "moon"}):
        error = api.refused("POST", path, 400, *placement, json=job_body(**placement))
        assert "local" in error["detail"].get("cluster", "local"), "the message must list the names"


def test_the_result_names_the_datasets_it_wrote_and_its_steps(
    api: Api, ran: dict[str, Any]
) -> None:
    assert ran["result"]["datasets"] == [{"name": "large", "version": 1}]
    assert [step["id"] for step in ran["result"]["steps"]] == ["numbers", "large", "kept", "say"]
    versions = api.get(f"projects/{ran['project']}/datasets/large/")["versions"]
    # a retry writes another version
    of_this_job = [row for row in versions if row["job"] == ran["id"]]
    assert [(row["number"], row["row_count"]) for row in of_this_job] == [(1, 2)]
    read = [item for item in ran["inputs"] if item["kind"] == "dataset"]
    assert read == [{"name": "numbers", "kind": "dataset", "dataset": "numbers", "version": 1}]


def test_a_key_returns_the_same_job_again_and_never_another(
    api: Api, project: str, people: dict[str, Person], as_user: AsUser
) -> None:
    path, key = f"projects/{project}/jobs/", uuid.uuid4().hex
    first = api.post(path, job_body(), headers={"Idempotency-Key": key})
    again = api.post(path, job_body(), 200, headers={"Idempotency-Key": key})
    assert again["id"] == first["id"]
    error = api.refused(
        "POST", path, 409, "job", json=job_body(name="other"), headers={"Idempotency-Key": key}
    )
    assert (error["code"], error["detail"]["job"]) == ("idempotency_conflict", first["id"])
    assert (
        as_user(people["operator"].token).post(path, job_body(), headers={"Idempotency-Key": key})[
            "id"
        ]
        != first["id"]
    )


def test_one_key_twice_at_the_same_time_is_one_job(api: Api, project: str) -> None:
    path = f"projects/{project}/jobs/"
    for _ in range(3):
        key = uuid.uuid4().hex
        with ThreadPoolExecutor(6) as pool:
            answers = list(
                pool.map(
                    lambda _, key=key: api(
                        "POST", path, json=job_body(), headers={"Idempotency-Key": key}
                    ),
                    range(6),
                )
            )
        assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
        assert len({answer.json()["id"] for answer in answers}) == 1


def test_jobs_are_listed_newest_first_and_filtered(api: Api, paused: str) -> None:
    path = f"projects/{paused}/jobs/"
    created = [
        api.post(path, job_body(name=f"job {number}", labels={"number": str(number)}))["id"]
        for number in range(5)
    ]
    assert api.post(f"jobs/{created[0]}/cancel/", None, 202)["status"] == "cancelled"
    newest = created[::-1]
    assert [row["id"] for row in api.every(path, limit=2)] == newest
    assert [row["id"] for row in api.every(path, status="queued")] == newest[:-1]
    assert [row["id"] for row in api.every(path, status="cancelled")] == [created[0]]
    # A status may be repeated, and `next` keeps the filters.
    page = api(
        "GET", path, params=[("status", "queued"), ("status", "cancelled"), ("limit", "2")]
    ).json()
    found = list(page["results"])
    while page["next"]:
        page = api.get(page["next"])
        found += page["results"]
    assert [row["id"] for row in found] == newest
    assert [row["id"] for row in api.every(path, type="pipeline_execution")] == newest
    assert api.every(path, type="ml_training") == []
    assert [row["id"] for row in api.every(path, label="number=3")] == [created[3]]
    assert [row["id"] for row in api.every(path, q="job 2")] == [created[2]]
    api.refused("GET", path, 400, "status", params={"status": "ended"})
    api.refused("GET", path, 400, "type", params={"type": "nothing"})
    assert api.get(f"{path}counts/")["queued"] == 4


def test_a_waiting_job_reports_its_reason_and_position(api: Api, paused: str) -> None:
    first, second = (api.post(f"projects/{paused}/jobs/", job_body())["id"] for _ in range(2))
    shown = api.get(f"jobs/{second}/")
    assert shown["status"] == "queued"
    assert sorted(shown["waiting"]) == [
        "blocked_by",
        "detail",
        "estimate_seconds",
        "position",
        "rules",
    ]
    assert shown["waiting"]["blocked_by"] == "project_paused"
    assert shown["waiting"]["detail"]
    assert shown["waiting"]["position"] > api.get(f"jobs/{first}/")["waiting"]["position"]
    assert {"rule": "project_paused", "passes": False} in [
        {key: rule[key] for key in ("rule", "passes")} for rule in shown["waiting"]["rules"]
    ]


def test_wait_returns_at_the_end_or_after_the_given_seconds(
    api: Api, project: str, paused: str
) -> None:
    waiting = api.post(f"projects/{paused}/jobs/", job_body())["id"]
    answer = api("GET", f"jobs/{waiting}/", params={"wait": "0.5"})
    assert (answer.json()["status"], 0.4 < answer.elapsed.total_seconds() < 20) == ("queued", True)
    quick = api.post(f"projects/{project}/jobs/", job_body())["id"]
    answer = api("GET", f"jobs/{quick}/", params={"wait": "29"})
    assert answer.json()["status"] == "succeeded"
    assert answer.elapsed.total_seconds() < 28


def test_a_full_line_is_429_with_a_time_to_wait(api: Api, paused: str) -> None:
    path = f"projects/{paused}/jobs/"
    for _ in range(QUEUED_MAX):
        api.post(path, job_body())
    answer = api("POST", path, json=job_body())
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many")
    assert int(answer.headers["Retry-After"]) > 0
    assert api.get(f"{path}counts/")["queued"] == QUEUED_MAX


def test_a_queued_job_is_cancelled_at_once_and_again_without_harm(api: Api, paused: str) -> None:
    job = api.post(f"projects/{paused}/jobs/", job_body())["id"]
    assert [api.post(f"jobs/{job}/cancel/", None, 202)["status"] for _ in range(3)] == [
        "cancelled"
    ] * 3
    kinds = [event["kind"] for event in api.every(f"jobs/{job}/events/")]
    assert kinds.count("job.cancelled") == 1


def test_a_running_job_is_asked_to_stop_and_then_killed(
    api: Api, project: str, sleeper: str
) -> None:
    job = api.post(f"projects/{project}/jobs/", job_body(sleeper))["id"]
    wait_for(lambda: api.get(f"jobs/{job}/")["status"] == "running", "it runs")
    answers = [api.post(f"jobs/{job}/cancel/", None, 202) for _ in range(2)]
    assert {answer["status"] for answer in answers} <= {"cancelling", "cancelled"}
    ended = api.ended(job)
    assert (ended["status"], ended["reason"], ended["result"]) == ("cancelled", "cancelled", None)
    assert ended["cancel_requested_at"] is not None
    assert api.post(f"jobs/{job}/cancel/", None, 202)["status"] == "cancelled"


def test_an_ended_job_is_not_cancelled(
    api: Api, ran: dict[str, Any], failed: dict[str, Any]
) -> None:
    for job in (ran, failed):
        api.refused("POST", f"jobs/{job['id']}/cancel/", 409)
        assert api.get(f"jobs/{job['id']}/")["status"] == job["status"]


def test_limits_are_for_site_administrators(
    api: Api, people: dict[str, Person], as_user: AsUser, paused: str
) -> None:
    as_user(people["maintainer"].token).refused("GET", "limits/", 403)
    as_user(people["maintainer"].token).refused(
        "PATCH", "limits/", 403, json={"scope": "global", "max_jobs": 1}
    )
    assert {"scope": "project", "key": paused, "max_jobs": None, "paused": True} in api.every(
        "limits/"
    )
    api.refused(
        "PATCH",
        "limits/",
        400,
        "key",
        json={"scope": "project", "key": "no-such-project", "max_jobs": 1},
    )
    api.refused("PATCH", "limits/", 400, "key", json={"scope": "type", "key": "x", "max_jobs": 1})
    api.refused("PATCH", "limits/", 400, "max_jobs", json={"scope": "global", "max_jobs": -1})
    api.refused("PATCH", "limits/", 400, "scope", json={"scope": "galaxy"})


def test_jobs_held_by_a_pause_start_when_it_ends(api: Api, paused: str) -> None:
    job = api.post(f"projects/{paused}/jobs/", job_body())["id"]
    assert api.get(f"jobs/{job}/", wait=0.3)["status"] == "queued"
    assert (
        api(
            "PATCH", "limits/", json={"scope": "project", "key": paused, "paused": False}
        ).status_code
        == 200
    )
    assert api.ended(job)["status"] == "succeeded"


def test_a_member_of_a_lesser_role_sees_a_job_and_moves_none(
    api: Api, ran: dict[str, Any], people: dict[str, Person], as_user: AsUser
) -> None:
    viewer, stranger = as_user(people["viewer"].token), as_user(people["stranger"].token)
    assert viewer.get(f"jobs/{ran['id']}/") == api.get(f"jobs/{ran['id']}/")
    for act in ("cancel", "retry"):
        viewer.refused("POST", f"jobs/{ran['id']}/{act}/", 403)
        stranger.refused("POST", f"jobs/{ran['id']}/{act}/", 404)
    for part in ("", "events/", "logs/", "logs/search/", "usage/", "artifacts/", "attempts/"):
        stranger.refused(
            "GET",
            f"jobs/{ran['id']}/{part}",
            404,
            params={"q": "x"} if part == "logs/search/" else None,
        )
