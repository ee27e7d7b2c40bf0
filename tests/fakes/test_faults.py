"""Each fault of the fake: what the client receives, and what the server does nevertheless."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import urllib3

from tests.fakes.kubernetes.client import ControlError, FakeKubernetes
from tests.fakes.kubernetes.faults import Fault
from tests.fakes.support import Jobs, plain_job

Request = Callable[[], Any]
LOST = (urllib3.exceptions.ProtocolError, urllib3.exceptions.TimeoutError)
COMMITTED = {
    Fault.LATENCY: True,
    Fault.TOO_MANY_REQUESTS: False,
    Fault.ERROR_BEFORE_COMMIT: False,
    Fault.ERROR_AFTER_COMMIT: True,
    Fault.DROP_BEFORE_COMMIT: False,
    Fault.DROP_AFTER_COMMIT: True,
    Fault.TIMEOUT_BEFORE_COMMIT: False,
    Fault.TIMEOUT_AFTER_COMMIT: True,
    Fault.LATE_COMMIT: False,
    Fault.FORBIDDEN: False,
    Fault.FORBIDDEN_AFTER_COMMIT: True,
    Fault.INVALID: False,
    Fault.QUOTA: False,
}
ANSWERS = {
    Fault.LATENCY: (201, ""),
    Fault.TOO_MANY_REQUESTS: (429, "TooManyRequests"),
    Fault.ERROR_BEFORE_COMMIT: (500, "InternalError"),
    Fault.ERROR_AFTER_COMMIT: (500, "InternalError"),
    Fault.LATE_COMMIT: (500, "InternalError"),
    Fault.FORBIDDEN: (403, "Forbidden"),
    Fault.FORBIDDEN_AFTER_COMMIT: (403, "Forbidden"),
    Fault.INVALID: (422, "Invalid"),
    Fault.QUOTA: (403, "Forbidden"),
}


def _names(jobs: Jobs) -> list[str]:
    return [job["metadata"]["name"] for job in jobs.list("jobs")["items"]]


@pytest.mark.parametrize("fault", list(COMMITTED))
def test_a_create_under_each_fault(fake: FakeKubernetes, jobs: Jobs, fault: Fault) -> None:
    fake.fault(fault, verb="create", resource="jobs", seconds=0.02)
    create: Request = lambda: jobs.create(plain_job("one"))  # noqa: E731

    if fault in ANSWERS:
        answer = create()
        assert (answer.status, answer.json.get("reason", "")) == ANSWERS[fault]
    else:
        with pytest.raises(LOST):
            create()

    assert _names(jobs) == (["one"] if COMMITTED[fault] else [])
    assert [run.job for run in fake.ledger()] == (["one"] if COMMITTED[fault] else [])
    assert [rule["fired"] for rule in fake.faults()] == [1]
    assert [each["fault"] for each in fake.requests() if each["verb"] == "create"] == [fault]


def test_every_fault_has_its_test() -> None:
    """A new fault needs a row in a table of this file."""
    assert set(COMMITTED) | set(ON_WATCHES) | {
        Fault.LIST_STALE,
        Fault.LIST_GONE,
        Fault.WATCH_REFUSED,
    } == set(Fault)


def test_a_retry_after_header_has_whole_seconds(fake: FakeKubernetes, jobs: Jobs) -> None:
    fake.fault(Fault.TOO_MANY_REQUESTS, seconds=7)

    answer = jobs.create(plain_job("one"))

    assert answer.headers["Retry-After"] == "7"
    assert answer.json["details"] == {"retryAfterSeconds": 7}


def test_latency_is_real_time(fake: FakeKubernetes, jobs: Jobs) -> None:
    fake.latency(0.05)
    begun = time.monotonic()

    jobs.create(plain_job("one"))

    assert time.monotonic() - begun >= 0.05


@pytest.mark.parametrize(
    "answer",
    [
        Fault.ERROR_BEFORE_COMMIT,
        Fault.DROP_BEFORE_COMMIT,
        Fault.TIMEOUT_BEFORE_COMMIT,
        Fault.FORBIDDEN,
    ],
)
def test_a_late_create_is_executed_after_its_delay(
    fake: FakeKubernetes, jobs: Jobs, answer: Fault
) -> None:
    fake.fault(Fault.LATE_COMMIT, verb="create", seconds=40, answer=answer)
    try:
        jobs.create(plain_job("late"), timeout=0.2 if answer is Fault.TIMEOUT_BEFORE_COMMIT else 30)
    except LOST:
        pass

    fake.advance(39)
    assert _names(jobs) == []
    fake.advance(1)

    assert _names(jobs) == ["late"]
    assert [run.job for run in fake.ledger()] == ["late"]


def test_a_late_create_of_an_existing_name_changes_nothing(
    fake: FakeKubernetes, jobs: Jobs
) -> None:
    fake.fault(Fault.LATE_COMMIT, verb="create", seconds=40)
    jobs.create(plain_job("one"))
    uid = jobs.create(plain_job("one")).json["metadata"]["uid"]

    fake.advance(41)

    assert jobs.get("jobs", "one").json["metadata"]["uid"] == uid
    assert len(fake.ledger()) == 1


def test_a_late_delete_removes_the_object_that_exists_then(
    fake: FakeKubernetes, jobs: Jobs
) -> None:
    jobs.create(plain_job("one"))
    fake.fault(Fault.LATE_COMMIT, verb="delete", seconds=5)

    assert jobs.delete("jobs", "one", propagationPolicy="Background").status == 500
    assert _names(jobs) == ["one"]
    fake.advance(5)

    assert _names(jobs) == []
    assert fake.ledger(running=True) == []


def test_a_fault_matches_verb_resource_and_name_and_ends_with_its_count(
    fake: FakeKubernetes, jobs: Jobs
) -> None:
    fake.fault(Fault.FORBIDDEN, verb="create", resource="jobs", name="bad-*", count=2, skip=1)

    statuses = [
        jobs.create(plain_job(name)).status for name in ("good", "bad-1", "bad-2", "bad-3", "bad-4")
    ]

    assert statuses == [201, 201, 403, 403, 201]


def test_random_faults_are_determined_by_the_seed(fake: FakeKubernetes, jobs: Jobs) -> None:
    def statuses() -> list[int]:
        fake.reset(seed=7)
        fake.fault(Fault.ERROR_BEFORE_COMMIT, verb="list", probability=0.5, count=None)
        return [jobs.call("GET", jobs.path("jobs")).status for _ in range(20)]

    first = statuses()

    assert set(first) == {200, 500}
    assert statuses() == first


def test_a_list_can_return_an_earlier_state(fake: FakeKubernetes, jobs: Jobs) -> None:
    jobs.create(plain_job("one", suspend=True))
    fake.advance(10)
    jobs.create(plain_job("two", suspend=True))
    now = jobs.list("jobs")["metadata"]["resourceVersion"]
    fake.fault(Fault.LIST_STALE, resource="jobs", changes=1)
    fake.fault(Fault.LIST_STALE, resource="jobs", seconds=5)

    stale = jobs.list("jobs")
    cached = jobs.list("jobs", resourceVersion="0")

    for found in (stale, cached):
        assert [job["metadata"]["name"] for job in found["items"]] == ["one"]
        assert int(found["metadata"]["resourceVersion"]) < int(now)
    assert _names(jobs) == ["one", "two"]


def test_a_true_list_can_arrive_late(fake: FakeKubernetes, jobs: Jobs) -> None:
    fake.script(run_seconds=3)
    jobs.create(plain_job("one"))
    fake.fault(Fault.LIST_STALE, resource="jobs", seconds=5)

    (job,) = jobs.list("jobs")["items"]

    assert job["status"]["active"] == 1
    assert fake.ledger(running=True) == []


def test_a_list_with_an_expired_cursor_must_start_again(fake: FakeKubernetes, jobs: Jobs) -> None:
    for index in range(3):
        jobs.create(plain_job(f"job-{index}", suspend=True))
    token = jobs.list("jobs", limit=1)["metadata"]["continue"]
    fake.fault(Fault.LIST_GONE, verb="list")
    ordered = jobs.call("GET", jobs.path("jobs"), limit=1, **{"continue": token})
    jobs.create(plain_job("job-9", suspend=True))
    fake.compact()

    forgotten = jobs.call("GET", jobs.path("jobs"), limit=1, **{"continue": token})

    assert [(each.status, each.json["reason"]) for each in (ordered, forgotten)] == [
        (410, "Expired")
    ] * 2


def _watched(fake: FakeKubernetes, jobs: Jobs, fault: Fault | None, **fields: Any) -> list[str]:
    """Create three Jobs with a fault on the second and return the events of a watch."""
    version = jobs.list("jobs")["metadata"]["resourceVersion"]
    if fault:
        fake.fault(fault, resource="jobs", name="two", **fields)
    for name in ("one", "two", "three"):
        jobs.create(plain_job(name, suspend=True))
    stream = jobs.watch("jobs", version, timeoutSeconds=5)
    names = [next(stream)["object"]["metadata"]["name"]]
    fake.advance(5)
    try:
        names += [
            event["object"]["metadata"].get("name") or str(event["object"]["code"])
            for event in stream
        ]
    except urllib3.exceptions.ProtocolError:
        names.append("cut")
    return names


ON_WATCHES = {
    Fault.WATCH_DROP: ["one", "three"],
    Fault.WATCH_DOUBLE: ["one", "two", "two", "three"],
    Fault.WATCH_LATE: ["one"],
    Fault.WATCH_SILENT: ["one"],
    Fault.WATCH_CUT: ["one", "cut"],
    Fault.WATCH_GONE: ["one", "410"],
}


@pytest.mark.parametrize("fault", [None, *ON_WATCHES])
def test_a_watch_under_each_fault(fake: FakeKubernetes, jobs: Jobs, fault: Fault | None) -> None:
    names = _watched(fake, jobs, fault, **({"seconds": 30} if fault is Fault.WATCH_LATE else {}))

    assert names == (ON_WATCHES[fault] if fault else ["one", "two", "three"])


def test_late_events_arrive_in_order_after_their_delay(fake: FakeKubernetes, jobs: Jobs) -> None:
    version = jobs.list("jobs")["metadata"]["resourceVersion"]
    fake.fault(Fault.WATCH_LATE, name="one", seconds=30)
    stream = jobs.watch("jobs", version)
    for name in ("one", "two"):
        jobs.create(plain_job(name, suspend=True))
    held = iter(stream)

    fake.advance(1)  # before the stream is open: nothing is reported yet
    first = _next_of(held, fake, 30)

    assert [first, next(held)["object"]["metadata"]["name"]] == ["one", "two"]


def _next_of(stream: Any, fake: FakeKubernetes, seconds: float) -> str:
    """Let time pass with an open watch and return the name in its next event."""

    def later() -> None:
        while fake.open_watches() != ["jobs"]:
            pass
        fake.advance(seconds)

    thread = threading.Thread(target=later, daemon=True)
    thread.start()
    name = str(next(stream)["object"]["metadata"]["name"])
    thread.join()
    return name


def test_a_watch_can_be_refused_as_too_old(fake: FakeKubernetes, jobs: Jobs) -> None:
    fake.fault(Fault.WATCH_REFUSED, resource="pods")

    (only,) = jobs.watch("pods", jobs.list("pods")["metadata"]["resourceVersion"])

    assert (only["type"], only["object"]["code"], only["object"]["reason"]) == (
        "HTTP",
        410,
        "Expired",
    )


def test_a_watch_from_before_the_kept_history_gets_an_error_event(
    fake: FakeKubernetes, jobs: Jobs
) -> None:
    version = jobs.list("jobs")["metadata"]["resourceVersion"]
    jobs.create(plain_job("one", suspend=True))
    fake.compact()

    (only,) = jobs.watch("jobs", version)

    assert (only["type"], only["object"]["code"]) == ("ERROR", 410)


@pytest.mark.parametrize(
    ("what", "names"), [("cut", "cut"), ("end", "end"), ("gone", "410"), ("silence", "end")]
)
def test_open_watches_can_be_ended_by_request(
    fake: FakeKubernetes, jobs: Jobs, what: str, names: str
) -> None:
    jobs.create(plain_job("one", suspend=True))
    stream = jobs.watch("jobs", "", timeoutSeconds=60)
    assert next(stream)["object"]["metadata"]["name"] == "one"

    assert fake.watches(what, "jobs") == 1
    still_open = fake.open_watches()
    jobs.create(plain_job("two", suspend=True))
    fake.advance(60)

    try:
        event = next(stream, None)
        outcome = str(event["object"]["code"]) if event else "end"
    except urllib3.exceptions.ProtocolError:
        outcome = "cut"
    assert (outcome, still_open) == (names, ["jobs"] if what == "silence" else [])


def test_bookmarks_are_sent_periodically_and_at_the_end(fake: FakeKubernetes, jobs: Jobs) -> None:
    jobs.create(plain_job("one", suspend=True))
    stream = jobs.watch("jobs", "", allowWatchBookmarks="true", timeoutSeconds=90)
    next(stream)
    jobs.create(plain_job("two", suspend=True))
    next(stream)
    newest = jobs.list("jobs")["metadata"]["resourceVersion"]

    fake.advance(100)

    bookmarks = list(stream)
    assert [event["type"] for event in bookmarks] == ["BOOKMARK", "BOOKMARK"]
    assert {event["object"]["metadata"]["resourceVersion"] for event in bookmarks} == {newest}
    assert bookmarks[0]["object"]["kind"] == "Job"


def test_an_unreachable_cluster_does_not_return_its_version(
    fake: FakeKubernetes, jobs: Jobs
) -> None:
    fake.fault(Fault.DROP_BEFORE_COMMIT, count=None)

    with pytest.raises(LOST):
        jobs.call("GET", "/version")
    with pytest.raises(LOST):
        jobs.list("jobs")
    fake.clear_faults()

    assert jobs.call("GET", "/version").json["minor"] == "34"


def test_an_invalid_control_request_is_rejected(fake: FakeKubernetes) -> None:
    with pytest.raises(
        ControlError, match="unknown in a fault: verbs; known: answer, changes, count"
    ):
        fake.fault(Fault.QUOTA, verbs="create")
    with pytest.raises(ControlError, match="answer must be one of"):
        fake.fault(Fault.LATE_COMMIT, answer=Fault.QUOTA)
    with pytest.raises(ControlError, match="unknown in a script: runs"):
        fake.script("one", runs=3)


def test_requests_are_recorded_in_terms_of_rbac(fake: FakeKubernetes, jobs: Jobs) -> None:
    jobs.create(plain_job("one"))
    (pod,) = jobs.pods_of("one")
    jobs.call("GET", jobs.path("pods", pod["metadata"]["name"]) + "/log")
    jobs.list("jobs", limit=1)
    next(jobs.watch("jobs", ""))
    jobs.get("jobs", "one")
    jobs.delete("jobs", "one", propagationPolicy="Foreground")

    outcome = [
        (each["verb"], each["resource"], each["name"], each["status"]) for each in fake.requests()
    ]

    assert outcome == [
        ("create", "jobs", "one", 201),
        ("list", "pods", "", 200),
        ("get", "pods/log", pod["metadata"]["name"], 200),
        ("list", "jobs", "", 200),
        ("watch", "jobs", "", 200),
        ("get", "jobs", "one", 200),
        ("delete", "jobs", "one", 200),
    ]
