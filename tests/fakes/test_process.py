"""Process of the fake: start, end and connections."""

import json
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from kubernetes import client, config

from tests.fakes.kubernetes.client import CONTEXT, FakeKubernetes, write_kubeconfig
from tests.fakes.support import Jobs, plain_job

ROOT = Path(__file__).parents[2]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """Start the process from the command line and read its first line."""
    argv = [sys.executable, "-m", "tests.fakes.kubernetes", "--port", "0"]
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert set(json.loads(process.stdout.readline())) == {"port", "token"}
        yield process
        process.kill()


def test_it_ends_with_its_standard_input(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    process.stdin.close()

    assert process.wait(10) == 0


def test_it_ends_on_sigterm(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)

    assert process.wait(10) == 0


def test_with_tls_only_its_own_certificate_is_trusted() -> None:
    with FakeKubernetes(tls=True) as fake:
        api = config.new_client_from_config(str(fake.kubeconfig), context=CONTEXT)  # type: ignore[no-untyped-call]
        jobs = Jobs(api, fake.namespace)
        assert jobs.create(plain_job("one")).status == 201
        assert fake.counts() == {"jobs": 1, "pods": 1}
        api.close()
        stranger = urllib3.PoolManager(cert_reqs=ssl.CERT_REQUIRED)
        with pytest.raises(urllib3.exceptions.SSLError):
            stranger.request("GET", f"{fake.url}/version", retries=False)
        stranger.clear()


def test_its_kubeconfig_is_readable_only_by_its_owner_and_names_the_namespace(
    fake: FakeKubernetes,
) -> None:
    assert fake.kubeconfig.stat().st_mode & 0o077 == 0
    contexts, active = config.list_kube_config_contexts(str(fake.kubeconfig))  # type: ignore[no-untyped-call]

    assert [each["name"] for each in contexts] == [CONTEXT]
    assert active["context"]["namespace"] == "mimir-aip"


def test_one_kubeconfig_can_have_several_clusters(fake: FakeKubernetes, tmp_path: Path) -> None:
    with FakeKubernetes(context="east", namespace="workers") as east:
        path = write_kubeconfig(tmp_path / "kubeconfig", fake, east)
        east.reset(namespaces=["workers"])
        for context, namespace in ((CONTEXT, "mimir-aip"), ("east", "workers")):
            api = config.new_client_from_config(str(path), context=context)  # type: ignore[no-untyped-call]
            assert Jobs(api, namespace).create(plain_job(f"in-{context}")).status == 201
            api.close()

        assert [[run.job for run in each.ledger()] for each in (fake, east)] == [
            ["in-fake"],
            ["in-east"],
        ]


def test_the_typed_client_parses_its_responses(fake: FakeKubernetes, jobs: Jobs) -> None:
    batch: Any = client.BatchV1Api(jobs.api)
    core: Any = client.CoreV1Api(jobs.api)
    batch.create_namespaced_job(fake.namespace, plain_job("one"), field_validation="Strict")

    (job,) = batch.list_job_for_all_namespaces(label_selector="app=mimir-aip").items
    (pod,) = core.list_namespaced_pod(fake.namespace, field_selector="status.phase=Running").items
    (node,) = core.list_node().items
    events = core.list_namespaced_event(
        fake.namespace, field_selector=f"involvedObject.uid={pod.metadata.uid}"
    ).items

    assert (job.status.active, pod.spec.node_name, node.metadata.name) == (1, "node1", "node1")
    assert {event.reason for event in events} == {"Scheduled", "Pulled", "Created", "Started"}


def test_a_list_can_have_only_metadata(fake: FakeKubernetes, jobs: Jobs) -> None:
    jobs.create(plain_job("one", suspend=True))
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    headers = {"Authorization": f"Bearer {fake.token}", "Accept": accept}
    answer = jobs.api.rest_client.pool_manager.request(
        "GET", fake.url + jobs.path("jobs"), headers=headers
    )

    found = json.loads(answer.data)
    assert found["kind"] == "PartialObjectMetadataList"
    assert [list(item) for item in found["items"]] == [["metadata"]]


def test_a_list_can_have_an_exact_version(fake: FakeKubernetes, jobs: Jobs) -> None:
    version = jobs.create(plain_job("one", suspend=True)).json["metadata"]["resourceVersion"]
    jobs.create(plain_job("two", suspend=True))

    then = jobs.list("jobs", resourceVersion=version, resourceVersionMatch="Exact")
    later = jobs.call("GET", jobs.path("jobs"), resourceVersion=str(int(version) + 1000))

    assert [job["metadata"]["name"] for job in then["items"]] == ["one"]
    assert then["metadata"]["resourceVersion"] == version
    assert (later.status, later.json["reason"]) == (504, "Timeout")


def test_a_reset_removes_everything_and_breaks_the_watches(
    fake: FakeKubernetes, jobs: Jobs
) -> None:
    jobs.create(plain_job("one"))
    stream = jobs.watch("jobs", "")
    next(stream)

    fake.reset(namespaces=["placed"], nodes=["a", "b"], now=5e8)

    with pytest.raises(urllib3.exceptions.ProtocolError):
        next(stream)
    assert (fake.counts(), fake.ledger(), fake.requests(), fake.open_watches()) == (
        {"jobs": 0, "pods": 0},
        [],
        [],
        [],
    )
    assert fake.now == 5e8
    assert jobs.create(plain_job("one")).status == 404


def test_time_can_be_advanced_from_one_due_change_to_the_next(
    fake: FakeKubernetes, jobs: Jobs
) -> None:
    fake.script("one", run_seconds=42)
    jobs.create(plain_job("one"))
    begun = fake.now
    due = fake.next_due
    assert due is not None

    assert fake.advance_to(due) == begun + 42
    assert [run.exit_code for run in fake.ledger()] == [0]
