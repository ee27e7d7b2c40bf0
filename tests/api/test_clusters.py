"""Cluster rows: permissions, validation, deletion, and the public list."""

import dataclasses
import threading
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections, transaction
from django.test import Client

from jobs.admission.admit import admit_once
from jobs.admission.waiting import job_waiting
from jobs.clusters.rows import cluster_ensure, cluster_reached, cluster_unreachable
from jobs.core import queue
from jobs.core.locks import ADMISSION_LOCK
from jobs.liveness.beats import beat_record
from jobs.models import Attempt, Cluster, Job
from tests.api.caller import Caller
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)

CAPACITY = {"jobs": 20, "cpu": "16", "memory": "64Gi", "gpu": 2}
EU: dict[str, Any] = {"name": "eu-1", "region": "eu", "capacity": CAPACITY}


@pytest.fixture
def boss() -> Caller:
    cluster_ensure()
    beat_record(component="dispatcher")
    return Caller(make.user("boss", is_superuser=True, is_staff=True))


@pytest.fixture
def kubeconfig(settings: Any, tmp_path: Path) -> Path:
    """A mounted file with two contexts, named by KUBECONFIG_FILE."""
    file = tmp_path / "config"
    file.write_text(
        "contexts:\n- {name: eu, context: {cluster: c, user: u}}\n- {name: us}\nusers:\n- {name: "
        "u, user: {token: hush-hush}}\n"
    )
    settings.ENV = dataclasses.replace(settings.ENV, kubeconfig_file=str(file))
    return file


def _made(boss: Caller, *, reached: bool = False, **fields: Any) -> dict[str, Any]:
    answer = boss.post("clusters/", EU | fields)
    assert answer.status_code == 201, answer.content
    if reached:
        cluster_reached(cluster=Cluster.objects.get(name=answer.json()["name"]))
    made: dict[str, Any] = answer.json()
    return made


def test_a_cluster_is_added_shown_changed_and_removed(boss: Caller, kubeconfig: Path) -> None:
    asked: dict[str, Any] = {
        "context": "eu",
        "namespace": "mimir",
        "orchestrator_url": "https://mimir.example.com/",
        "model_cache": "claim",
        "node_selector": {"example.com/pool": "jobs"},
        "tolerations": [
            {"key": "jobs", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}
        ],
        "gpu_node_selector": {"gpu": "yes"},
        "gpu_tolerations": [{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}],
        "away_grace_seconds": 1800,
    }
    made = _made(boss, **asked)
    health = {
        "state": "unknown",
        "reached_at": None,
        "unreachable_since": made["health"]["unreachable_since"],
        "message": "not checked yet",
    }
    nothing = {"jobs": 0, "cpu": "0", "memory": "0", "gpu": 0}
    expected = (
        EU | asked | {"launcher": "kubernetes", "enabled": True, "used": nothing, "health": health}
    )
    assert made == expected | {"orchestrator_url": "https://mimir.example.com"}
    read = boss.get("clusters/eu-1/")
    assert (read.json(), b"hush-hush" in read.content) == (made, False)
    assert [row["name"] for row in boss.get("clusters/").json()["results"]] == ["eu-1", "local"]
    changed = boss.send(
        "PATCH", "clusters/eu-1/", {"enabled": False, "capacity": {"memory": None, "cpu": "500m"}}
    )
    assert changed.json()["capacity"] == CAPACITY | {"memory": None, "cpu": "500m"}
    assert (changed.json()["enabled"], changed.json()["health"]["state"]) == (False, "disabled")
    assert boss.send("DELETE", "clusters/eu-1/").status_code == 204
    assert boss.get("clusters/eu-1/").status_code == 404


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"name": "EU"}, "name"),
        ({"name": "-a"}, "name"),
        ({"name": "a" * 64}, "name"),
        ({"name": "a\x00"}, "name"),
        ({"launcher": "process"}, "launcher"),
        ({"launcher": "docker"}, "launcher"),
        ({"region": "two words"}, "region"),
        ({"context": "eu"}, "context"),
        ({"namespace": "Upper"}, "namespace"),
        ({"orchestrator_url": "ftp://x"}, "orchestrator_url"),
        ({"orchestrator_url": "https://"}, "orchestrator_url"),
        ({"orchestrator_url": "https://me:secret@x"}, "orchestrator_url"),
        ({"orchestrator_url": "https://x:port"}, "orchestrator_url"),
        ({"orchestrator_url": "HTTPS://x"}, "orchestrator_url"),
        ({"model_cache": "disk"}, "model_cache"),
        ({"away_grace_seconds": 59}, "away_grace_seconds"),
        ({"away_grace_seconds": 604801}, "away_grace_seconds"),
        ({"node_selector": ["a"]}, "node_selector"),
        ({"node_selector": {"a b": "c"}}, "node_selector"),
        ({"node_selector": {"a/": "c"}}, "node_selector"),
        ({"node_selector": {"a": "b c"}}, "node_selector"),
        ({"node_selector": {"a": 1}}, "node_selector"),
        ({"node_selector": {str(number): "x" for number in range(33)}}, "node_selector"),
        ({"tolerations": {"key": "a"}}, "tolerations"),
        ({"tolerations": ["a"]}, "tolerations"),
        ({"tolerations": [{"key": "a", "effects": "NoSchedule"}]}, "tolerations"),
        ({"tolerations": [{"key": "a", "operator": "In"}]}, "tolerations"),
        ({"tolerations": [{"operator": "Equal"}]}, "tolerations"),
        ({"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}, "tolerations"),
        ({"tolerations": [{"key": "a", "effect": "NoWay"}]}, "tolerations"),
        (
            {"tolerations": [{"key": "a", "effect": "NoSchedule", "tolerationSeconds": 5}]},
            "tolerations",
        ),
        ({"gpu_tolerations": [{"key": ["a"]}]}, "gpu_tolerations"),
        ({"gpu_node_selector": {"a": None}}, "gpu_node_selector"),
        ({"capacity": {}}, "capacity.jobs"),
        ({"capacity": CAPACITY | {"jobs": -1}}, "capacity.jobs"),
        ({"capacity": CAPACITY | {"gpu": 2**70}}, "capacity.gpu"),
        ({"capacity": CAPACITY | {"cpu": "many"}}, "capacity.cpu"),
        ({"capacity": CAPACITY | {"memory": "9" * 18 + "Ti"}}, "capacity.memory"),
        ({"capacity": CAPACITY | {"mem": "1Gi"}}, "capacity.mem"),
        ({"capacity": 5}, "capacity"),
        ({"health": {}}, "health"),
    ],
)
def test_an_invalid_value_is_reported_at_its_field(
    boss: Caller, fields: dict[str, Any], path: str
) -> None:
    answer = boss.post("clusters/", EU | fields)
    assert (answer.status_code, list(answer.json()["detail"])) == (400, [path]), answer.content
    assert not Cluster.objects.exclude(name="local").exists()


def test_every_error_is_reported_at_once(boss: Caller) -> None:
    answer = boss.post(
        "clusters/",
        EU
        | {"name": "EU", "region": "a b", "capacity": {"jobs": -1, "cpu": "many", "memory": "x"}},
    )
    assert set(answer.json()["detail"]) == {
        "name",
        "region",
        "capacity.jobs",
        "capacity.cpu",
        "capacity.memory",
    }


def test_a_context_must_be_one_of_the_mounted_file(boss: Caller, kubeconfig: Path) -> None:
    def told() -> str:
        answer = boss.post("clusters/", EU | {"context": "ap"})
        return str(answer.json()["detail"]["context"])

    assert told() == "is not a context of KUBECONFIG_FILE: use eu, us"
    kubeconfig.write_text("token: hush-hush\n")
    assert told() == "the file of KUBECONFIG_FILE is not a kubeconfig with contexts"
    kubeconfig.unlink()
    assert "cannot be read here" in told()


def test_the_process_cluster_takes_no_kubernetes_fields_and_runs_nothing_twice(
    boss: Caller,
) -> None:
    Cluster.objects.update(launcher="process")
    answer = boss.send(
        "PATCH",
        "clusters/local/",
        {"namespace": "x", "tolerations": [{"operator": "Exists"}], "model_cache": "claim"},
    )
    assert set(answer.json()["detail"]) == {"namespace", "tolerations", "model_cache"}
    assert (
        boss.send("PATCH", "clusters/local/", {"region": "here", "capacity": {"jobs": 3}}).json()[
            "capacity"
        ]["jobs"]
        == 3
    )


def test_a_launcher_for_tests_is_refused_outside_them(boss: Caller, settings: Any) -> None:
    assert boss.post("clusters/", EU | {"launcher": "memory"}).status_code == 201
    settings.ENV = dataclasses.replace(settings.ENV, environment="production")
    assert boss.post("clusters/", EU | {"name": "eu-2", "launcher": "memory"}).status_code == 400


def test_a_stale_etag_cannot_overwrite_and_a_health_check_is_not_a_change(
    boss: Caller,
) -> None:
    _made(boss)
    etag = boss.get("clusters/eu-1/")["ETag"]
    cluster_reached(cluster=Cluster.objects.get(name="eu-1"))
    first = boss.send("PATCH", "clusters/eu-1/", {"region": "us"}, headers={"If-Match": etag})
    assert (first.status_code, first["ETag"] != etag) == (200, True)
    for method, body in (("PATCH", {"region": "ap"}), ("DELETE", None)):
        late = boss.send(method, "clusters/eu-1/", body, headers={"If-Match": etag})
        assert (late.status_code, late.json()["detail"]) == (
            412,
            {"etag": first["ETag"].partition("~")[0] + '"'},
        )
    assert boss.get("clusters/eu-1/").json()["region"] == "us"


def test_a_name_is_given_once(boss: Caller) -> None:
    _made(boss)
    again = boss.post("clusters/", EU)
    assert (again.status_code, again.json()["code"], list(again.json()["detail"])) == (
        409,
        "name_taken",
        ["name"],
    )


def test_a_cluster_with_attempts_stays_and_its_workers_keep_it_where_it_is(
    boss: Caller, kubeconfig: Path
) -> None:
    _made(boss, launcher="memory", reached=True)
    make.job(cluster="eu-1")
    admit_once()
    Cluster.objects.filter(name="eu-1").update(launcher="kubernetes")
    used = boss.get("clusters/eu-1/").json()["used"]
    assert used == {"jobs": 1, "cpu": "1", "memory": "2Gi", "gpu": 0}
    moved = boss.send("PATCH", "clusters/eu-1/", {"context": "us", "namespace": "there"})
    assert moved.status_code == 409, moved.content
    assert set(moved.json()["detail"]) == {"context", "namespace"}
    gone = boss.send("DELETE", "clusters/eu-1/")
    assert (gone.status_code, gone.json()["code"], "Disable it" in gone.json()["message"]) == (
        409,
        "cluster_in_use",
        True,
    )
    Attempt.objects.update(cleaned_up_at="2026-01-01T00:00:00Z")
    elsewhere = boss.send("PATCH", "clusters/eu-1/", {"context": "us"}).json()
    assert (
        elsewhere["context"],
        elsewhere["health"]["state"],
        elsewhere["health"]["reached_at"],
    ) == ("us", "unknown", None)
    assert boss.send("DELETE", "clusters/local/").status_code == 409
    Job.objects.all().delete()
    assert boss.send("DELETE", "clusters/eu-1/").status_code == 204


def test_a_cluster_is_not_removed_during_an_admission_pass(boss: Caller) -> None:
    """The deletion waits for the admission pass, and then finds the attempt that it created."""
    _made(boss, launcher="memory", reached=True)
    make.job(cluster="eu-1")
    answers: list[int] = []

    def delete() -> None:
        try:
            answers.append(boss.send("DELETE", "clusters/eu-1/").status_code)
        finally:
            connections.close_all()

    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADMISSION_LOCK])
        thread = threading.Thread(target=delete)
        thread.start()
        waited = _somebody_waits(thread)
        admit_once()
    thread.join()
    assert waited, "it was removed although a pass held the admission lock"
    assert (answers, Attempt.objects.get().cluster_id) == ([409], "eu-1")


def _somebody_waits(thread: threading.Thread) -> bool:
    """Return whether another session waits for the admission lock before `thread` ends."""
    while thread.is_alive():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            )
            if cursor.fetchone()[0]:
                return True
        threading.Event().wait(0.01)
    return False


def test_what_a_change_allows_starts_at_once(boss: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[bool] = []
    monkeypatch.setattr(queue, "wake_all", lambda: woken.append(connection.in_atomic_block))
    _made(boss)
    boss.send("PATCH", "clusters/eu-1/", {"enabled": False})
    boss.send("DELETE", "clusters/eu-1/")
    assert woken == [False, False, False]


def test_a_new_cluster_gets_no_work_before_it_has_answered(boss: Caller) -> None:
    _made(boss, launcher="memory")
    job = make.job(cluster="eu-1")
    assert admit_once() == []
    assert (
        job_waiting([job])[job.id]["detail"]
        == "Cluster eu-1 has not answered yet. Starts when it does."
    )
    cluster_reached(cluster=Cluster.objects.get(name="eu-1"))
    admit_once()
    assert Attempt.objects.get().cluster_id == "eu-1"


def test_health_is_what_the_loops_saw(boss: Caller) -> None:
    local = Cluster.objects.get()

    def health() -> dict[str, Any]:
        found: dict[str, Any] = boss.get("clusters/local/").json()["health"]
        return found

    assert health()["state"] == "unknown"
    cluster_reached(cluster=local)
    assert (health()["state"], health()["message"]) == ("ok", "")
    cluster_unreachable(cluster=local, message="connection refused")
    assert (health()["state"], health()["message"], health()["unreachable_since"] is None) == (
        "unreachable",
        "connection refused",
        False,
    )
    cluster_unreachable(cluster=local, message="not checked yet")
    assert health()["state"] == "unreachable", "no state depends on the text of a message"
    Cluster.objects.update(unreachable_since=None, reached_at="2026-01-01T00:00:00Z")
    assert health()["state"] == "unknown", (
        "nobody has looked lately: whether it answers is not known"
    )


def test_a_member_sees_names_and_regions_and_nothing_else(boss: Caller) -> None:
    _made(boss, enabled=False)
    project = make.project()
    member = Caller(project.created_by)
    assert member.get("projects/demo/clusters/").json() == {
        "results": [
            {"name": "eu-1", "region": "eu", "enabled": False},
            {"name": "local", "region": "", "enabled": True},
        ],
        "next": None,
    }
    assert {member.get(path).status_code for path in ("clusters/", "clusters/eu-1/")} == {403}


def test_a_list_of_clusters_costs_the_same_queries_whatever_is_in_it(
    boss: Caller, django_assert_num_queries: Any
) -> None:
    for number in range(5):
        _made(boss, name=f"eu-{number}")
    with django_assert_num_queries(3):  # the token's user, the rows, the resources held
        assert len(boss.get("clusters/").json()["results"]) == 6


def test_the_admin_adds_and_changes_by_the_same_rules(boss: Caller) -> None:
    client = Client()
    client.force_login(User.objects.get(username="boss"))
    form = {
        "name": "eu-1", "launcher": "kubernetes", "enabled": "on", "region": "eu", "model_cache": "empty_dir",  # noqa: E501
        "node_selector": "{}", "tolerations": "[]", "gpu_node_selector": "{}", "gpu_tolerations": "[]",  # noqa: E501
        "capacity_jobs": "5", "capacity_cpu_millicores": "0", "capacity_memory_bytes": "0", "capacity_gpus": "0",  # noqa: E501
        "away_grace_seconds": "600",
    }  # fmt: skip
    refused = client.post(
        "/admin/jobs/cluster/add/",
        form | {"name": "EU", "launcher": "process", "tolerations": "[1]"},
    )
    assert set(refused.context["adminform"].form.errors) == {"name", "launcher", "tolerations"}
    assert client.post("/admin/jobs/cluster/add/", form).status_code == 302
    assert Cluster.objects.get(name="eu-1").capacity_jobs == 5
    change = "/admin/jobs/cluster/eu-1/change/"
    bad = client.post(change, form | {"orchestrator_url": "https://me:secret@x.example"})
    assert set(bad.context["adminform"].form.errors) == {"orchestrator_url"}
    assert (
        client.post(change, form | {"capacity_jobs": "7", "launcher": "process"}).status_code == 302
    )
    row = Cluster.objects.get(name="eu-1")
    assert (row.capacity_jobs, row.launcher) == (7, "kubernetes")
    cluster_reached(cluster=row)
    make.job(cluster="eu-1")
    admit_once()
    told = client.post(change, form | {"capacity_jobs": "9", "namespace": "other"}, follow=True)
    assert b"Workers run at the current context" in told.content
    assert Cluster.objects.get(name="eu-1").capacity_jobs == 7
    assert client.post("/admin/jobs/cluster/eu-1/delete/", {"post": "yes"}).status_code == 403
    Job.objects.all().delete()
    assert client.post("/admin/jobs/cluster/eu-1/delete/", {"post": "yes"}).status_code == 302
    assert not Cluster.objects.filter(name="eu-1").exists()
