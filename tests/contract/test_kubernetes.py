"""The whole installation on a cluster.

API, dispatcher, reconciler and workers are real; only the API server is a fake.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from jobs.worker.environment import EXIT_FENCED
from mimir.dev.demo import run_demo
from mimir.dev.paths import ROOT, Places
from tests.chaos.beside import rows, wait_for_sweeps
from tests.fakes.kubernetes.client import FakeKubernetes
from tests.fakes.kubernetes.faults import Fault
from tests.fakes.kubernetes.realnode import RealNode, real_node
from tests.fakes.kubernetes.scripts import Act, Start
from tests.support.signin import sign_in
from tests.support.stack import Stack, running
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(180)
MANIFESTS = [
    ROOT / "deploy" / "k8s" / name / "mimir-aip.yaml" for name in ("development", "production")
]


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeKubernetes]:
    with FakeKubernetes(real_time=True) as created:
        yield created


@pytest.fixture(scope="module")
def node(fake: FakeKubernetes) -> Iterator[RealNode]:
    with real_node(fake) as created:
        yield created


@pytest.fixture(scope="module")
def stack(
    fake: FakeKubernetes, node: RealNode, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    settings = {
        "LAUNCHER": "kubernetes",
        "KUBECONFIG_FILE": str(fake.kubeconfig),
        "WORKER_NAMESPACE": fake.namespace,
        "CANCEL_GRACE": "3",
        "ORPHAN_GRACE": "1",
    }
    yield from running(Path(tmp_path_factory.mktemp("kubernetes")), **settings)


@pytest.fixture(autouse=True)
def _clean(fake: FakeKubernetes, stack: Stack) -> Iterator[None]:
    """Check after each test that the cluster has no remaining objects."""
    fake.script(start=Start.RUNS, stop_seconds=1.0)
    yield
    wait_for(lambda: not any(fake.counts().values()), "the cluster is clean", 60)


def _runs(stack: Stack, node: RealNode, job: str) -> None:
    wait_for(lambda: node.of(job), "its container runs")
    wait_for(lambda: b"begun" in stack.log(job, format="raw").content, "it has printed")


def test_a_job_runs_in_a_container_and_leaves_its_log_and_its_dataset(
    stack: Stack, fake: FakeKubernetes
) -> None:
    command = {
        "id": "say",
        "uses": "command",
        "with": {"argv": ["sh", "-c", "echo begun; seq 1000"]},
    }
    job = stack.submit([*stack.writing("numbers"), command])
    assert stack.end_of(job)["status"] == "succeeded"
    stack.assert_whole_log(job)
    assert stack.rows_of("numbers") == 100
    kinds = [event["kind"] for event in stack.events(job)]
    assert {"job.admitted", "job.launched", "job.claimed", "job.succeeded"} <= set(kinds)


def test_all_four_job_types_run_in_containers_each_using_the_previous_result(
    stack: Stack,
) -> None:
    assert run_demo(Places(stack.var), submit=True, say=print)


def test_a_running_job_is_cancelled(stack: Stack, node: RealNode) -> None:
    job = stack.submit("echo begun; sleep 600")
    _runs(stack, node, job)
    stack.call("POST", f"/api/v1/jobs/{job}/cancel/")
    assert stack.end_of(job)["status"] == "cancelled"


def test_the_log_of_a_killed_worker_is_joined_from_its_pod(
    stack: Stack, node: RealNode, tmp_path: Path
) -> None:
    """The orchestrator is unavailable while the worker prints, and all processes of the worker are
    killed.

    The log of the pod has the printed lines.
    """
    go = tmp_path / "go"
    job = stack.submit(
        f"echo begun; while [ ! -e {go} ]; do sleep 0.05; done; seq 2000; echo last; sleep 600",
        max_attempts=1,
    )
    _runs(stack, node, job)
    container = node.of(job)
    assert container
    web = stack.kill("web", signal.SIGSTOP)
    try:
        go.touch()
        wait_for(lambda: b"F last\n" in container.printed, "the pod's log has it")
        container.kill()
    finally:
        os.kill(web, signal.SIGCONT)
    ended = wait_for(
        lambda: stack.attempts(job)[0]["gone_at"] and stack.attempts(job)[0], "it is seen gone"
    )
    log = stack.log(job, format="raw")
    assert log.headers["Log-Complete"] == "false"
    assert log.content.split()[:3] == [b"begun", b"1", b"2"]
    assert b"\n2000\nlast\n" in log.content
    assert ended["reason"]
    stack.call("POST", f"/api/v1/jobs/{job}/cancel/")
    stack.end_of(job)


def test_out_of_memory_names_the_limit_and_the_memory_to_request(
    stack: Stack, node: RealNode, fake: FakeKubernetes
) -> None:
    job = stack.submit("echo begun; sleep 600", resources={"memory": "256Mi"})
    _runs(stack, node, job)
    fake.act(f"worker-job-{job}-1", Act.OUT_OF_MEMORY)
    ended = stack.end_of(job)
    assert (ended["status"], ended["reason"]) == ("failed", "out_of_memory")
    assert "256 MiB" in ended["diagnosis"]["summary"]
    assert ended["diagnosis"]["next_steps"][0]["patch"] == {"resources": {"memory": "512Mi"}}


@pytest.mark.parametrize(
    ("start", "category", "text"),
    [
        (Start.IMAGE_NOT_FOUND, "image_not_found", "mimir-aip/worker"),
        (Start.QUOTA, "quota_exceeded", "quota"),
        (Start.NO_CPU, "unschedulable_cpu", "CPU"),
        (Start.NO_SECRET, "missing_secret", "secret"),
    ],
)
def test_a_waiting_worker_names_its_cause_and_continues_once_it_is_fixed(
    stack: Stack, fake: FakeKubernetes, start: Start, category: str, text: str
) -> None:
    fake.script(start=start)
    job = stack.submit("true")
    wait_for(lambda: fake.counts()["jobs"], "its Job is made")
    started = time.monotonic()
    reported = wait_for(
        lambda: (
            (shown := stack.job(job))["diagnosis"]
            and shown["diagnosis"]["category"] == category
            # The amounts are known once the watch of Jobs has the Job of the pod.
            and text in shown["message"]
            and shown
        ),
        "it is told",
    )
    print(f"{category} told after {time.monotonic() - started:.2f} s")
    assert reported["status"] == "launching"
    assert reported["diagnosis"]["next_steps"]
    assert "job.waits" in [event["kind"] for event in stack.events(job)]
    fake.script(start=Start.RUNS)
    fake.act(f"worker-job-{job}-1", Act.START)
    ended = stack.end_of(job)
    assert (ended["status"], ended["diagnosis"], ended["attempt"]) == ("succeeded", None, 1)


def test_an_unanswered_launch_is_reported_and_does_not_block_others(
    stack: Stack, fake: FakeKubernetes
) -> None:
    """The launch by a hint fails at once, and the launch by the sweep hangs.

    The following sweeps still run.
    """
    fake.fault(Fault.TIMEOUT_BEFORE_COMMIT, verb="create", resource="jobs", seconds=0.2)
    fake.fault(Fault.TIMEOUT_BEFORE_COMMIT, verb="create", resource="jobs", seconds=15)
    job = stack.submit("true")
    reported = wait_for(
        lambda: (shown := stack.job(job))["diagnosis"] and shown, "the job says why it waits"
    )
    assert (reported["status"], reported["diagnosis"]["category"]) == (
        "launching",
        "cluster_unreachable",
    )
    wait_for_sweeps(stack)
    assert fake.counts()["jobs"] == 0, "all of this while the launch hangs"
    ended = stack.end_of(job)
    assert (ended["status"], ended["diagnosis"], ended["attempt"]) == ("succeeded", None, 1)


def test_a_worker_that_runs_without_an_observer_is_adopted(
    stack: Stack, node: RealNode, fake: FakeKubernetes
) -> None:
    job = stack.submit("echo begun; sleep 4; echo done")
    _runs(stack, node, job)
    for name in ("dispatcher", "reconciler", "web"):
        stack.kill(name)
    assert stack.end_of(job)["status"] == "succeeded"
    assert stack.job(job)["attempt"] == 1
    stack.assert_whole_log(job)
    assert len([run for run in fake.ledger() if run.job == f"worker-job-{job}-1"]) == 1


def test_an_evicted_worker_is_reported_as_evicted_and_retried(
    stack: Stack, node: RealNode, fake: FakeKubernetes
) -> None:
    """The worker reports that it was asked to stop; only the cluster knows the cause."""
    fake.script(start=Start.RUNS, stop_seconds=30.0)
    job = stack.submit("echo begun; sleep 600")
    _runs(stack, node, job)
    fake.act(f"worker-job-{job}-1", Act.EVICT_REQUEST)
    evicted = node.of(job)
    assert evicted
    evicted.process.send_signal(signal.SIGTERM)
    wait_for(lambda: node.of(job, 2), "it runs again")
    assert evicted.process.returncode == 143
    assert stack.attempts(job)[0]["reason"] == "evicted_by_request"
    stack.call("POST", f"/api/v1/jobs/{job}/cancel/")
    assert stack.end_of(job)["status"] == "cancelled"


def test_a_pod_whose_job_was_taken_from_it_is_removed(
    stack: Stack, node: RealNode, fake: FakeKubernetes
) -> None:
    """The Job is deleted, but not its pod: the worker continues, and its result counts."""
    job = stack.submit("echo begun; sleep 3")
    _runs(stack, node, job)
    fake.delete_job(f"worker-job-{job}-1", policy="Orphan")
    assert stack.end_of(job)["status"] == "succeeded"


def _long_ago(stack: Stack, job: str) -> None:
    """Make the last heartbeat two minutes older, and wait until the reconciler has recorded it."""
    rows(
        stack,
        "UPDATE jobs_attempt SET heartbeat_at = heartbeat_at - interval '2 minutes' WHERE job_id "
        "= %s RETURNING 1",
        job,
    )
    noted = "SELECT 1 FROM jobs_attempt WHERE job_id = %s AND unheard_heartbeat_at = heartbeat_at"
    wait_for(lambda: rows(stack, noted, job), "it is noted")


def _as_if_later(stack: Stack) -> None:
    """Simulate that web was up, and the cluster unreachable, for longer than the grace period."""
    rows(stack, "UPDATE jobs_webuptime SET counted_seconds = counted_seconds + 1000 RETURNING 1")
    rows(
        stack,
        "UPDATE jobs_cluster SET away_seconds = away_seconds + 1000, away_web_seconds = "
        "away_web_seconds + 1000 RETURNING 1",
    )


def test_on_an_unreachable_cluster_a_worker_with_heartbeats_continues_and_a_silent_one_is_lost(
    stack: Stack, node: RealNode, fake: FakeKubernetes
) -> None:
    with_heartbeat, silent = (
        stack.submit("echo begun; sleep 600"),
        stack.submit("echo begun; sleep 600"),
    )
    _runs(stack, node, with_heartbeat)
    _runs(stack, node, silent)
    beats = "SELECT beat_at, counted_seconds FROM jobs_webuptime"
    before = rows(stack, beats)[0]
    container = node.of(silent)
    assert container
    fake.fault(Fault.DROP_BEFORE_COMMIT, count=None)
    fake.watches("cut")
    os.kill(container.process.pid, signal.SIGSTOP)
    try:
        wait_for(
            lambda: (
                stack.call("GET", "/api/v1/clusters/local/").json()["health"]["state"]
                == "unreachable"
            ),
            "it is away",
        )
        _long_ago(stack, silent)
        reported = wait_for(lambda: stack.job(silent)["away"], "it is told")
        assert (reported["cluster"], reported["heard_at"] < reported["lost_at"]) == ("local", True)
        with closing(sign_in(stack)) as person:
            shown = person.get(f"/jobs/{silent}/").text
            assert "Its cluster and its worker do not answer" in shown
            assert "The cluster local has not answered since" in shown
            assert "worker do not answer" not in person.get(f"/jobs/{with_heartbeat}/").text
        assert (stack.job(with_heartbeat)["status"], stack.job(with_heartbeat)["away"]) == (
            "running",
            None,
        )
        _as_if_later(stack)
        ended = wait_for(
            lambda: (each := stack.attempts(silent)[0])["gone_at"] and each,
            "it is given up, and counts as gone",
        )
        assert (ended["reason"], ended["counts"], ended["log_complete"]) == (
            "heartbeat_lost",
            False,
            False,
        )
        assert stack.job(with_heartbeat)["status"] == "running"
    finally:
        fake.clear_faults()
        os.kill(container.process.pid, signal.SIGCONT)
    assert container.process.wait(30) == EXIT_FENCED, "it was answered 410"
    assert rows(stack, beats)[0][0] > before[0], "web beats"
    stack.wait_status(silent, "running")
    assert [each["number"] for each in stack.attempts(silent)] == [1, 2]
    wait_for(
        lambda: (
            not [run for run in fake.ledger(running=True) if run.job == f"worker-job-{silent}-1"]
        ),
        "the old worker is gone",
    )
    assert (stack.job(with_heartbeat)["attempt"], stack.job(with_heartbeat)["status"]) == (
        1,
        "running",
    )
    for job in (with_heartbeat, silent):
        stack.call("POST", f"/api/v1/jobs/{job}/cancel/")
        assert stack.end_of(job)["status"] == "cancelled"


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.parent.name)
def test_the_role_grants_what_was_used_and_no_more(fake: FakeKubernetes, manifest: Path) -> None:
    """Runs last: checks the permissions used by all tests above."""
    roles = [
        each
        for each in yaml.safe_load_all(manifest.read_text())
        if each["kind"] == "Role" and each["metadata"]["name"] == "orchestrator"
    ]
    granted = {
        resource: set(rule["verbs"]) for rule in roles[0]["rules"] for resource in rule["resources"]
    }
    used: dict[str, set[str]] = {}
    for each in fake.requests():
        used.setdefault(each["resource"], set()).add(each["verb"])
    assert used == granted
