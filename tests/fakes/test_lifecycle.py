"""Life of a Job and its pod in the fake, and its ledger. Runs without a process."""

import pytest

from tests.fakes.kubernetes.http import Reply, Request
from tests.fakes.kubernetes.resources import EVENTS, JOBS
from tests.fakes.kubernetes.scripts import Act, PodScript, Start
from tests.fakes.play import JOB, Play
from tests.fakes.support import changed, plain_job

DISRUPTED = [{"type": "DisruptionTarget", "status": "True"}]


def test_a_pod_completes_by_the_clock_alone() -> None:
    play = Play(
        script=PodScript(
            create_seconds=1, schedule_seconds=2, start_seconds=3, run_seconds=4, exit_code=3
        )
    )
    phases = []
    for _ in range(11):
        phases.append(play.pods[0]["status"]["phase"] if play.pods else "none")
        play.cluster.advance(1)

    assert phases == ["none", *["Pending"] * 5, *["Running"] * 4, "Failed"]
    assert play.runs == [(6.0, 10.0, 3)]
    assert play.conditions() == {
        "FailureTarget": "BackoffLimitExceeded",
        "Failed": "BackoffLimitExceeded",
    }


def test_the_ledger_knows_the_attempt_and_its_environment() -> None:
    play = Play()
    (run,) = play.cluster.ledger.runs
    sent = {
        each["name"]: each["value"]
        for each in play.job["spec"]["template"]["spec"]["containers"][0]["env"]
    }

    assert (run.job, run.job_uid, run.node) == ("one", play.job["metadata"]["uid"], "node1")
    assert (run.pod, run.pod_uid) == (play.pod["metadata"]["name"], play.pod["metadata"]["uid"])
    assert (run.attempt_id, run.env) == (sent["ATTEMPT_ID"], sent)
    assert "env" not in run.as_json()


@pytest.mark.parametrize(
    "start", [each for each in Start if each not in (Start.RUNS, Start.BAD_COMMAND)]
)
def test_the_cause_of_a_waiting_pod_can_be_fixed(start: Start) -> None:
    play = Play(script=PodScript(start))
    play.cluster.advance(120)
    assert play.runs == []
    assert "Failed" not in play.conditions()

    play.cluster.act("one", Act.START)

    assert [ended for _, ended, _ in play.runs] == [None]
    assert play.pod["status"]["phase"] == "Running"


def test_a_bad_command_never_runs() -> None:
    play = Play(script=PodScript(Start.BAD_COMMAND))

    assert play.runs == []
    assert (
        play.pod["status"]["containerStatuses"][0]["state"]["terminated"]["reason"] == "StartError"
    )
    assert play.conditions()["Failed"] == "BackoffLimitExceeded"


def test_a_pod_rejected_by_admission_is_not_created_and_is_retried() -> None:
    play = Play(script=PodScript(Start.WEBHOOK))
    play.cluster.advance(31)

    assert play.pods == []
    assert play.events().count("FailedCreate") == 3
    assert "active" not in play.job["status"]


@pytest.mark.parametrize(
    ("act", "reason", "disruption", "failed"),
    [
        (Act.OUT_OF_MEMORY, None, "", "BackoffLimitExceeded"),
        (Act.EVICT_MEMORY, "Evicted", "TerminationByKubelet", "PodFailurePolicy"),
        (Act.EVICT_DISK, "Evicted", "TerminationByKubelet", "PodFailurePolicy"),
        (Act.EVICT_EMPTY_DIR, "Evicted", "", "BackoffLimitExceeded"),
        (Act.NODE_SHUTDOWN, "Terminated", "TerminationByKubelet", "PodFailurePolicy"),
    ],
)
def test_a_pod_stopped_by_its_kubelet_can_still_be_read(
    act: Act, reason: str | None, disruption: str, failed: str
) -> None:
    play = Play()

    assert play.cluster.act("one", act)

    assert (play.pod["status"]["phase"], play.pod["status"].get("reason")) == ("Failed", reason)
    assert (play.disruption(), play.conditions()["Failed"]) == (disruption, failed)
    assert play.runs == [(0.0, 0.0, 137)]
    assert not play.cluster.act("one", act)


@pytest.mark.parametrize(
    ("act", "failed"),
    [
        (Act.EVICT_REQUEST, "PodFailurePolicy"),
        (Act.PREEMPT, "PodFailurePolicy"),
        (Act.DELETE, "BackoffLimitExceeded"),
        (Act.FORCE_DELETE, "BackoffLimitExceeded"),
    ],
)
def test_a_removed_pod_leaves_only_the_condition_of_its_job(act: Act, failed: str) -> None:
    play = Play()

    assert play.cluster.act("one", act)

    assert play.pods == []
    assert play.conditions()["Failed"] == failed
    assert [ended for _, ended, _ in play.runs] == [0.0]


def test_a_worker_that_ignores_sigterm_is_killed_after_the_grace_period() -> None:
    play = Play(script=PodScript(stop_seconds=None))
    play.cluster.act("one", Act.DELETE)
    assert play.pod["metadata"]["deletionGracePeriodSeconds"] == 2
    assert play.pod["status"]["phase"] == "Running"

    play.cluster.advance(2)

    assert play.pods == []
    assert play.runs == [(0.0, 2.0, 137)]


def test_with_ignore_a_second_pod_of_the_same_attempt_is_created_silently() -> None:
    play = Play(podFailurePolicy={"rules": [{"action": "Ignore", "onPodConditions": DISRUPTED}]})
    play.cluster.act("one", Act.EVICT_MEMORY)
    play.cluster.advance(10)

    assert [pod["status"]["phase"] for pod in play.pods] == ["Failed", "Running"]
    assert play.conditions() == {}
    assert len({run.attempt_id for run in play.cluster.ledger.runs}) == 1
    assert [ended for _, ended, _ in play.runs] == [0.0, None]


def test_a_backoff_limit_gives_a_second_pod_after_a_while() -> None:
    play = Play(backoffLimit=1)
    play.cluster.act("one", Act.EXIT, exit_code=1)
    assert [ended for _, ended, _ in play.runs] == [0.0]
    play.cluster.advance(10)
    assert [ended for _, ended, _ in play.runs] == [0.0, None]

    play.cluster.act("one", Act.EXIT, exit_code=1)

    assert play.job["status"]["failed"] == 2
    assert play.conditions()["Failed"] == "BackoffLimitExceeded"


def test_a_finished_job_is_deleted_with_its_pod_after_its_ttl() -> None:
    play = Play(ttlSecondsAfterFinished=300)
    play.cluster.act("one", Act.EXIT)
    play.cluster.advance(299)
    assert play.job

    play.cluster.advance(1)

    assert (play.job, play.pods) == (None, [])


def test_without_a_policy_a_deleted_jobs_pod_runs_on() -> None:
    play = Play()
    play.call("DELETE", f"{JOB}/one")

    assert play.job is None
    assert "ownerReferences" not in play.pod["metadata"]
    assert [ended for _, ended, _ in play.runs] == [None]


def test_deleted_in_the_foreground_the_job_stays_until_its_pod_has_gone() -> None:
    play = Play(script=PodScript(stop_seconds=1))
    left = play.delete("Foreground")
    assert left["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert play.pod["metadata"]["deletionTimestamp"]

    play.cluster.advance(1)

    assert (play.job, play.pods) == (None, [])
    assert play.runs == [(0.0, 1.0, 143)]


def test_a_job_can_be_deleted_and_created_again_under_its_name() -> None:
    play = Play()
    first = play.job["metadata"]["uid"]
    play.delete("Background")
    play.call("POST", JOB, plain_job("one"), 201)

    assert play.job["metadata"]["uid"] != first
    assert [ended for _, ended, _ in play.runs] == [0.0, None]


def test_the_pods_of_a_silent_node_continue_and_are_killed_when_it_reconnects() -> None:
    play = Play()
    kubelets = play.cluster.kubelets
    kubelets.node_lost("node1")
    play.cluster.advance(299)
    assert "deletionTimestamp" not in play.pod["metadata"]

    play.cluster.advance(1)
    assert play.disruption() == "DeletionByTaintManager"
    assert play.pod["metadata"]["deletionTimestamp"]
    play.cluster.advance(3600)
    assert (play.pod["status"]["phase"], play.job["status"]["terminating"], play.conditions()) == (
        "Running",
        1,
        {},
    )
    assert [ended for _, ended, _ in play.runs] == [None]

    kubelets.node_back("node1")
    play.cluster.advance(0)

    assert play.pods == []
    assert play.conditions()["Failed"] == "PodFailurePolicy"
    assert play.runs == [(0.0, 3900.0, 143)]


def test_a_job_deleted_while_its_node_is_disconnected_waits_for_the_node() -> None:
    play = Play()
    play.cluster.kubelets.node_lost("node1")
    play.delete("Foreground")
    play.cluster.advance(1000)
    assert play.job["metadata"]["deletionTimestamp"]
    assert [ended for _, ended, _ in play.runs] == [None]

    play.cluster.kubelets.node_back("node1")
    play.cluster.advance(0)

    assert (play.job, play.pods) == (None, [])
    assert play.runs == [(0.0, 1000.0, 143)]


def test_a_pod_force_deleted_on_a_silent_node_still_runs_there() -> None:
    play = Play()
    play.cluster.kubelets.node_lost("node1")
    play.delete("Background")
    play.cluster.act("one", Act.FORCE_DELETE)
    play.cluster.advance(100)
    assert (play.job, play.pods) == (None, [])
    assert [ended for _, ended, _ in play.runs] == [None]

    play.cluster.kubelets.node_back("node1")
    play.cluster.advance(0)

    assert play.runs == [(0.0, 100.0, 143)]


def test_a_container_that_ended_on_a_silent_node_is_reported_later() -> None:
    play = Play()
    play.cluster.kubelets.node_lost("node1", toleration_seconds=1e9)
    play.cluster.act("one", Act.EXIT)
    play.cluster.advance(50)
    assert play.pod["status"]["phase"] == "Running"

    play.cluster.kubelets.node_back("node1")
    play.cluster.advance(0)

    assert play.runs == [(0.0, 0.0, 0)]
    assert play.conditions()["Complete"] == "CompletionsReached"


def test_a_removed_node_ends_its_pods() -> None:
    play = Play()
    play.cluster.kubelets.node_lost("node1")
    play.cluster.kubelets.node_gone("node1")
    play.cluster.advance(0)

    assert play.pods == []
    assert play.conditions()["Failed"] == "PodFailurePolicy"
    assert [ended for _, ended, _ in play.runs] == [0.0]


def test_a_log_is_readable_while_its_node_exists_and_rotation_drops_its_start() -> None:
    play = Play()
    state = play.cluster.state_of("one")
    assert state
    state.log.append(b"one\ntw", stamp="2026-01-01T00:00:00.000000000Z")
    state.log.append(b"o\nthree\n", stamp="2026-01-01T00:00:01.000000000Z")
    path = f"/api/v1/namespaces/mimir-aip/pods/{play.pod['metadata']['name']}/log"

    def log(**query: str) -> bytes:
        answer = play.api.handle(Request("GET", path, query, {}))
        assert isinstance(answer, Reply)
        return answer.body

    assert log() == b"one\ntwo\nthree\n"
    assert log(sinceTime="2026-01-01T00:00:01Z") == b"three\n"
    state.log.rotate(10)
    assert log() == b"two\nthree\n"
    play.cluster.kubelets.node_lost("node1")
    assert b"no route to host" in log()


def test_a_quota_of_a_namespace_counts_what_runs() -> None:
    play = Play()
    quota = {"metadata": {"name": "small"}, "spec": {"hard": {"requests.cpu": "15m"}}}
    play.call("POST", "/api/v1/namespaces/mimir-aip/resourcequotas", quota, 201)
    play.call("POST", JOB, plain_job("two"), 201)
    refused = next(
        version.obj
        for version in play.cluster.store.all(EVENTS)
        if version.obj["reason"] == "FailedCreate"
    )
    assert (
        "exceeded quota: small, requested: requests.cpu=10m, used: requests.cpu=10m, limited: "
        "requests.cpu=15m"
    ) in refused["message"]

    play.cluster.act("one", Act.EXIT)
    play.cluster.advance(10)

    assert [run.job for run in play.cluster.ledger.runs] == ["one", "two"]


def test_a_dry_run_leaves_nothing() -> None:
    play = Play()
    play.call("POST", JOB, plain_job("two"), 201, dryRun="All")
    play.call("POST", JOB, changed(plain_job("three"), "spec.parallelism", -1), 422, dryRun="All")

    assert [version.key[1] for version in play.cluster.store.all(JOBS)] == ["one"]


def test_the_same_seed_gives_the_same_names() -> None:
    assert Play().pod["metadata"]["name"] == Play().pod["metadata"]["name"]


def test_a_slowly_terminating_pod_can_be_force_deleted() -> None:
    play = Play(script=PodScript(stop_seconds=None))
    play.cluster.act("one", Act.DELETE)
    play.cluster.advance(1)

    play.cluster.act("one", Act.FORCE_DELETE)

    assert play.pods == []
    assert play.runs == [(0.0, 1.0, 137)]
