"""Contract of a Kubernetes API, by the official client.

Runs against the fake; with MIMIR_E2E=1 against the cluster of KUBECONFIG.
"""

import itertools
from typing import Any

import pytest
import urllib3

from tests.fakes.support import Target, changed, plain_job

UUID = "00000000-0000-4000-8000-000000000000"


def _name(job: dict[str, Any]) -> str:
    return str(job["metadata"]["name"])


def _conditions(job: dict[str, Any]) -> dict[str, str]:
    return {
        each["type"]: each["reason"]
        for each in job["status"].get("conditions", ())
        if each["status"] == "True"
    }


def test_a_created_job_has_its_identity_and_its_defaults(target: Target) -> None:
    job = plain_job()

    answer = target.jobs.create(job, fieldValidation="Strict")

    assert answer.status == 201
    meta, spec = answer.json["metadata"], answer.json["spec"]
    assert meta["uid"]
    assert int(meta["resourceVersion"]) > 0
    assert meta["generation"] == 1
    assert meta["creationTimestamp"].endswith("Z")
    assert spec["selector"]["matchLabels"] == {"batch.kubernetes.io/controller-uid": meta["uid"]}
    assert spec["template"]["metadata"]["labels"]["batch.kubernetes.io/job-name"] == _name(job)
    assert (spec["completionMode"], spec["suspend"], spec["parallelism"]) == (
        "NonIndexed",
        False,
        1,
    )


def test_the_same_name_twice_already_exists(target: Target) -> None:
    job = plain_job()
    first = target.jobs.create(job).json

    answer = target.jobs.create(job)

    assert answer.status == 409
    assert (answer.json["reason"], answer.json["code"]) == ("AlreadyExists", 409)
    assert target.jobs.get("jobs", _name(job)).json["metadata"]["uid"] == first["metadata"]["uid"]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_missing_object_is_not_found(target: Target, method: str) -> None:
    answer = target.jobs.call(method, target.jobs.path("jobs", "nothing"))

    assert answer.status == 404
    assert answer.json["reason"] == "NotFound"
    assert answer.json["details"] == {"name": "nothing", "group": "batch", "kind": "jobs"}


POD = "spec.template.spec"


@pytest.mark.parametrize(
    ("path", "value", "status", "says"),
    [
        ("spec.templat", {}, 400, 'unknown field "spec.templat"'),
        (
            f"{POD}.containers.0.imagePullPolicies",
            "Never",
            400,
            'unknown field "spec.template.spec.containers[0].imagePullPolicies"',
        ),
        ("spec.backoffLimit", "0", 400, "cannot unmarshal string"),
        (f"{POD}.containers.0.resources.limits.memory", "12Q", 400, "quantities must match"),
        (f"{POD}.containers.0.env.0.value", 3, 400, "cannot unmarshal number"),
        ("spec.backoffLimit", -1, 422, "spec.backoffLimit: Invalid value: -1"),
        (f"{POD}.restartPolicy", "Always", 422, "spec.template.spec.restartPolicy"),
        (f"{POD}.containers", [], 422, "spec.template.spec.containers: Required value"),
        (
            f"{POD}.containers.0.image",
            "",
            422,
            "spec.template.spec.containers[0].image: Required value",
        ),
        (f"{POD}.containers.0.imagePullPolicy", "Sometimes", 422, 'Unsupported value: "Sometimes"'),
        (
            f"{POD}.containers.0.resources.requests.cpu",
            "2",
            422,
            "must be less than or equal to cpu limit",
        ),
        (
            f"{POD}.containers.0.volumeMounts",
            [{"name": "data", "mountPath": "/data"}],
            422,
            'volumeMounts[0].name: Not found: "data"',
        ),
        ("spec.podReplacementPolicy", "TerminatingOrFailed", 422, "spec.podReplacementPolicy"),
        ("metadata.name", "Worker_1", 422, "a lowercase RFC 1123 subdomain"),
        (
            "metadata.labels.job-type",
            "pipeline execution",
            422,
            "a valid label must be an empty string or consist of",
        ),
        ("metadata.labels.job-type", "a" * 64, 422, "must be no more than 63"),
    ],
)
def test_an_invalid_job_is_refused_with_the_reason(
    target: Target, path: str, value: Any, status: int, says: str
) -> None:
    answer = target.jobs.create(
        changed(plain_job("refused"), path, value), fieldValidation="Strict"
    )

    assert answer.status == status
    assert says in answer.json["message"]
    assert answer.json["reason"] == {400: "BadRequest", 422: "Invalid"}[status]
    assert target.jobs.list("jobs")["items"] == []


def test_an_unknown_field_is_dropped_with_a_warning_unless_strict(target: Target) -> None:
    answer = target.jobs.create(changed(plain_job(), "spec.templat", {}))

    assert answer.status == 201
    assert (
        'unknown field \\"spec.templat\\"' in answer.headers["Warning"]
        or 'unknown field "spec.templat"' in answer.headers["Warning"]
    )
    assert "templat" not in answer.json["spec"]


def test_a_namespace_that_is_not_there_is_not_found(target: Target) -> None:
    answer = target.jobs.call("POST", "/apis/batch/v1/namespaces/mimir-nowhere/jobs", plain_job())

    assert answer.status == 404
    assert answer.json["message"] == 'namespaces "mimir-nowhere" not found'


def test_what_a_job_runs_cannot_be_changed(target: Target) -> None:
    job = plain_job()
    target.jobs.create(job)
    patch = {"spec": {"template": {"spec": {"restartPolicy": "OnFailure"}}}}

    answer = target.jobs.call(
        "PATCH",
        target.jobs.path("jobs", _name(job)),
        patch,
        content_type="application/merge-patch+json",
    )

    assert answer.status == 422
    assert "field is immutable" in answer.json["message"]


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("attempt=1", {"a", "b"}),
        ("attempt==2", {"c"}),
        ("attempt!=1", {"c", "d"}),
        ("attempt", {"a", "b", "c"}),
        ("!attempt", {"d"}),
        ("attempt in (1,2),kind=x", {"a", "c"}),
        ("attempt notin (1)", {"c", "d"}),
        ("attempt=3", set()),
    ],
)
def test_a_list_is_chosen_by_labels(target: Target, selector: str, found: set[str]) -> None:
    for name, labels in {
        "a": {"attempt": "1", "kind": "x"},
        "b": {"attempt": "1", "kind": "y"},
        "c": {"attempt": "2", "kind": "x"},
        "d": {"kind": "x"},
    }.items():
        assert (
            target.jobs.create(
                changed(plain_job(name, suspend=True), "metadata.labels", labels)
            ).status
            == 201
        )

    assert {
        _name(job) for job in target.jobs.list("jobs", labelSelector=selector)["items"]
    } == found


def test_a_selector_that_cannot_be_read_is_refused(target: Target) -> None:
    assert target.jobs.call("GET", target.jobs.path("jobs"), labelSelector="a in (").status == 400
    assert (
        target.jobs.call("GET", target.jobs.path("jobs"), fieldSelector="spec.nothing=1").status
        == 400
    )


def test_the_pages_of_a_list_are_one_snapshot(target: Target) -> None:
    for index in range(5):
        target.jobs.create(plain_job(f"job-{index}", suspend=True))
    pages = [target.jobs.list("jobs", limit=2)]
    target.jobs.create(plain_job("job-9", suspend=True))
    while token := pages[-1]["metadata"].get("continue"):
        pages.append(target.jobs.list("jobs", **{"limit": 2, "continue": token}))

    assert [[_name(job) for job in page["items"]] for page in pages] == [
        ["job-0", "job-1"],
        ["job-2", "job-3"],
        ["job-4"],
    ]
    assert len({page["metadata"]["resourceVersion"] for page in pages}) == 1
    assert pages[0]["metadata"]["remainingItemCount"] == 3
    assert pages[0]["kind"] == "JobList"
    assert "kind" not in pages[0]["items"][0]


def test_a_watch_continues_from_a_list_in_order(target: Target) -> None:
    target.jobs.create(plain_job("before", suspend=True))
    version = target.jobs.list("jobs")["metadata"]["resourceVersion"]
    target.jobs.create(plain_job("one", suspend=True))
    target.jobs.create(
        changed(plain_job("other", suspend=True), "metadata.labels", {"app": "other"})
    )
    target.jobs.delete("jobs", "one", propagationPolicy="Background")

    seen = []
    for event in target.jobs.watch(
        "jobs", version, labelSelector="app=mimir-aip", timeoutSeconds=30
    ):
        seen.append(event)
        if event["type"] == "DELETED":
            break

    assert {_name(event["object"]) for event in seen} == {"one"}
    assert (seen[0]["type"], seen[0]["object"]["kind"]) == ("ADDED", "Job")
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in seen]
    assert versions == sorted(set(versions))
    assert versions[0] > int(version)


def test_a_watch_without_a_version_begins_with_what_is_there(target: Target) -> None:
    for name in ("one", "two"):
        target.jobs.create(plain_job(name, suspend=True))

    events = list(itertools.islice(target.jobs.watch("jobs", "", timeoutSeconds=30), 2))

    assert {(event["type"], _name(event["object"])) for event in events} == {
        ("ADDED", "one"),
        ("ADDED", "two"),
    }


def test_a_watch_from_an_expired_version_gets_410(target: Target) -> None:
    first = next(target.jobs.watch("jobs", "1", timeoutSeconds=30))

    assert first["type"] in ("ERROR", "HTTP")
    assert (first["object"]["kind"], first["object"]["code"]) == ("Status", 410)


def test_a_watch_ends_after_its_time(target: Target) -> None:
    version = target.jobs.list("jobs")["metadata"]["resourceVersion"]

    assert list(target.jobs.watch("jobs", version, timeoutSeconds=1)) == []


def test_a_successful_worker_completes_its_job(target: Target) -> None:
    job = plain_job(command=("sh", "-c", "echo hello; exit 0"))
    target.fares(job, run_seconds=0.2)
    uid = target.jobs.create(job).json["metadata"]["uid"]

    done = target.until(
        "jobs",
        lambda: (
            (found := target.jobs.get("jobs", _name(job)).json)["status"].get("succeeded") and found
        ),
    )

    assert set(_conditions(done)) == {"SuccessCriteriaMet", "Complete"}
    assert done["status"]["completionTime"]
    (pod,) = target.jobs.pods_of(_name(job))
    assert pod["status"]["phase"] == "Succeeded"
    assert pod["metadata"]["ownerReferences"][0]["uid"] == uid
    assert pod["metadata"]["name"].startswith(f"{_name(job)}-")
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (0, "Completed")
    reasons = {event["reason"] for event in target.jobs.events_about(pod["metadata"]["uid"])}
    assert {"Scheduled", "Pulled", "Created", "Started"} <= reasons


def test_a_worker_that_ends_badly_fails_its_job_without_a_second_pod(target: Target) -> None:
    job = plain_job(command=("sh", "-c", "exit 3"))
    target.fares(job, run_seconds=0.2, exit_code=3)
    target.jobs.create(job)

    done = target.until(
        "jobs",
        lambda: (
            (found := target.jobs.get("jobs", _name(job)).json)
            and "Failed" in _conditions(found)
            and found
        ),
    )

    assert _conditions(done) == {
        "FailureTarget": "BackoffLimitExceeded",
        "Failed": "BackoffLimitExceeded",
    }
    (pod,) = target.jobs.pods_of(_name(job))
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3


def test_the_deadline_takes_the_pod_away(target: Target) -> None:
    job = plain_job(activeDeadlineSeconds=2)
    target.jobs.create(job)

    done = target.until(
        "jobs",
        lambda: (
            (found := target.jobs.get("jobs", _name(job)).json)
            and "Failed" in _conditions(found)
            and found
        ),
    )

    assert _conditions(done) == {"FailureTarget": "DeadlineExceeded", "Failed": "DeadlineExceeded"}
    target.until("pods", lambda: not target.jobs.pods_of(_name(job)))


def test_a_pod_that_no_node_takes_says_so(target: Target) -> None:
    job = changed(plain_job(), f"{POD}.nodeSelector", {"mimir-aip/nowhere": "true"})
    target.fares(job, start="no-node-matches")
    target.jobs.create(job)

    def waiting() -> Any:
        return [
            each
            for pod in target.jobs.pods_of(_name(job))
            for each in pod["status"].get("conditions", ())
            if each["status"] == "False"
        ]

    (condition,) = target.until("pods", waiting)

    assert (condition["type"], condition["reason"]) == ("PodScheduled", "Unschedulable")
    assert "didn't match Pod's node affinity/selector" in condition["message"]


def test_a_running_workers_log_can_be_read_by_its_end_and_by_its_length(target: Target) -> None:
    job = plain_job(command=("sh", "-c", "echo one; echo two; sleep 600"))
    target.jobs.create(job)
    target.until("pods", lambda: target.phase_of(_name(job)) == "Running")
    if target.fake:
        target.fake.append_log(_name(job), b"one\ntwo\n")
    path = target.jobs.path("pods", target.jobs.pods_of(_name(job))[0]["metadata"]["name"]) + "/log"

    assert target.jobs.call("GET", path, container="worker").data == b"one\ntwo\n"
    assert target.jobs.call("GET", path, tailLines=1).data == b"two\n"
    assert target.jobs.call("GET", path, limitBytes=5).data == b"one\nt"
    stamp, word = target.jobs.call("GET", path, tailLines=1, timestamps="true").data.split(b" ")
    assert (stamp[4:5], stamp[-1:], word) == (b"-", b"Z", b"two\n")
    assert target.jobs.call("GET", path, container="other").status == 400
    assert target.jobs.call("GET", target.jobs.path("pods", "nothing") + "/log").status == 404


def test_deleted_in_the_foreground_the_pods_go_first(target: Target) -> None:
    job = plain_job()
    target.jobs.create(job)
    target.until("pods", lambda: target.phase_of(_name(job)) == "Running")
    version = target.jobs.list("jobs")["metadata"]["resourceVersion"]

    answer = target.jobs.delete("jobs", _name(job), propagationPolicy="Foreground")

    assert answer.status == 200
    seen = []
    for event in target.jobs.watch("jobs", version, timeoutSeconds=60):
        seen.append(event)
        if event["type"] == "DELETED":
            break
    marked = next(
        event["object"]["metadata"]
        for event in seen
        if "deletionTimestamp" in event["object"]["metadata"]
    )
    assert "foregroundDeletion" in marked["finalizers"]
    assert target.jobs.pods_of(_name(job)) == []
    assert target.jobs.get("jobs", _name(job)).status == 404


def test_deleted_in_the_background_the_job_goes_first(target: Target) -> None:
    job = plain_job()
    target.jobs.create(job)
    target.until("pods", lambda: target.phase_of(_name(job)) == "Running")

    answer = target.jobs.delete("jobs", _name(job), propagationPolicy="Background")

    assert (answer.status, answer.json["status"]) == (200, "Success")
    assert target.jobs.get("jobs", _name(job)).status == 404
    target.until("pods", lambda: not target.jobs.pods_of(_name(job)))


def test_a_job_of_another_uid_is_not_deleted(target: Target) -> None:
    job = plain_job()
    target.jobs.create(job)

    answer = target.jobs.delete("jobs", _name(job), preconditions={"uid": UUID})

    assert (answer.status, answer.json["reason"]) == (409, "Conflict")
    assert target.jobs.get("jobs", _name(job)).status == 200


def test_a_quota_on_jobs_refuses_the_next_one(target: Target) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "few"},
        "spec": {"hard": {"count/jobs.batch": "0"}},
    }
    assert target.jobs.call("POST", target.jobs.path("resourcequotas"), quota).status == 201
    target.until(
        "resourcequotas",
        lambda: target.fake or target.jobs.get("resourcequotas", "few").json["status"].get("hard"),
    )

    answer = target.jobs.create(plain_job("too-many"))

    assert (answer.status, answer.json["reason"]) == (403, "Forbidden")
    assert (
        "exceeded quota: few, requested: count/jobs.batch=1, used: count/jobs.batch=0, limited: count/jobs.batch=0"
        in answer.json["message"]
    )


def test_without_its_token_nobody_is_let_in(target: Target) -> None:
    at = target.jobs.api.configuration
    stranger = urllib3.PoolManager(ca_certs=at.ssl_ca_cert)
    answer = stranger.request(
        "GET", at.host + target.jobs.path("jobs"), headers={"Authorization": "Bearer no"}
    )
    stranger.clear()

    assert answer.status == 401
    assert b'"reason":"Unauthorized"' in answer.data.replace(b": ", b":")
