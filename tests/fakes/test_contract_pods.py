"""Contract of a Kubernetes API: pods of a Job, their termination, logs and deletion."""

from typing import Any

from tests.fakes.support import POD, Target, changed, conditions_of, name_of, plain_job


def test_a_successful_worker_completes_its_job(target: Target) -> None:
    job = plain_job(command=("sh", "-c", "echo hello; exit 0"))
    target.fares(job, run_seconds=0.2)
    uid = target.jobs.create(job).json["metadata"]["uid"]

    done = target.until(
        "jobs",
        lambda: (
            (found := target.jobs.get("jobs", name_of(job)).json)["status"].get("succeeded")
            and found
        ),
    )

    assert set(conditions_of(done)) == {"SuccessCriteriaMet", "Complete"}
    assert done["status"]["completionTime"]
    (pod,) = target.jobs.pods_of(name_of(job))
    assert pod["status"]["phase"] == "Succeeded"
    assert pod["metadata"]["ownerReferences"][0]["uid"] == uid
    assert pod["metadata"]["name"].startswith(f"{name_of(job)}-")
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (0, "Completed")
    reasons = {event["reason"] for event in target.jobs.events_about(pod["metadata"]["uid"])}
    assert {"Scheduled", "Pulled", "Created", "Started"} <= reasons


def test_a_failed_worker_fails_its_job_without_a_second_pod(target: Target) -> None:
    job = plain_job(command=("sh", "-c", "exit 3"))
    target.fares(job, run_seconds=0.2, exit_code=3)
    target.jobs.create(job)

    done = target.until(
        "jobs",
        lambda: (
            (found := target.jobs.get("jobs", name_of(job)).json)
            and "Failed" in conditions_of(found)
            and found
        ),
    )

    assert conditions_of(done) == {
        "FailureTarget": "BackoffLimitExceeded",
        "Failed": "BackoffLimitExceeded",
    }
    (pod,) = target.jobs.pods_of(name_of(job))
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3


def test_the_deadline_removes_the_pod(target: Target) -> None:
    job = plain_job(activeDeadlineSeconds=2)
    target.jobs.create(job)

    done = target.until(
        "jobs",
        lambda: (
            (found := target.jobs.get("jobs", name_of(job)).json)
            and "Failed" in conditions_of(found)
            and found
        ),
    )

    assert conditions_of(done) == {
        "FailureTarget": "DeadlineExceeded",
        "Failed": "DeadlineExceeded",
    }
    target.until("pods", lambda: not target.jobs.pods_of(name_of(job)))


def test_an_unschedulable_pod_reports_it(target: Target) -> None:
    job = changed(plain_job(), f"{POD}.nodeSelector", {"mimir-aip/nowhere": "true"})
    target.fares(job, start="no-node-matches")
    target.jobs.create(job)

    def waiting() -> Any:
        return [
            each
            for pod in target.jobs.pods_of(name_of(job))
            for each in pod["status"].get("conditions", ())
            if each["status"] == "False"
        ]

    (condition,) = target.until("pods", waiting)

    assert (condition["type"], condition["reason"]) == ("PodScheduled", "Unschedulable")
    assert "didn't match Pod's node affinity/selector" in condition["message"]


def test_the_log_of_a_running_worker_can_be_read_by_tail_and_by_byte_limit(target: Target) -> None:
    job = plain_job(command=("sh", "-c", "echo one; echo two; sleep 600"))
    target.jobs.create(job)
    target.until("pods", lambda: target.phase_of(name_of(job)) == "Running")
    if target.fake:
        target.fake.append_log(name_of(job), b"one\ntwo\n")
    path = (
        target.jobs.path("pods", target.jobs.pods_of(name_of(job))[0]["metadata"]["name"]) + "/log"
    )

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
    target.until("pods", lambda: target.phase_of(name_of(job)) == "Running")
    version = target.jobs.list("jobs")["metadata"]["resourceVersion"]

    answer = target.jobs.delete("jobs", name_of(job), propagationPolicy="Foreground")

    assert answer.status == 200
    types = []
    for event in target.jobs.watch("jobs", version, timeoutSeconds=60):
        types.append(event)
        if event["type"] == "DELETED":
            break
    marked = next(
        event["object"]["metadata"]
        for event in types
        if "deletionTimestamp" in event["object"]["metadata"]
    )
    assert "foregroundDeletion" in marked["finalizers"]
    assert target.jobs.pods_of(name_of(job)) == []
    assert target.jobs.get("jobs", name_of(job)).status == 404


def test_deleted_in_the_background_the_job_goes_first(target: Target) -> None:
    job = plain_job()
    target.jobs.create(job)
    target.until("pods", lambda: target.phase_of(name_of(job)) == "Running")

    answer = target.jobs.delete("jobs", name_of(job), propagationPolicy="Background")

    assert (answer.status, answer.json["status"]) == (200, "Success")
    assert target.jobs.get("jobs", name_of(job)).status == 404
    target.until("pods", lambda: not target.jobs.pods_of(name_of(job)))
