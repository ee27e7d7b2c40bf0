"""Random acts on the fake's Jobs keep its invariants: one container per Job, no orphans."""

import json
import random
from collections import Counter
from typing import Any

import pytest

from tests.fakes.kubernetes.api import Api
from tests.fakes.kubernetes.cluster import Cluster, Settings
from tests.fakes.kubernetes.http import Reply, Request
from tests.fakes.kubernetes.resources import JOBS, PODS, has_condition, is_finished
from tests.fakes.kubernetes.scripts import Act, PodScript, Start
from tests.fakes.support import plain_job

JOB = "/apis/batch/v1/namespaces/mimir-aip/jobs"
NODES = ("node1", "node2")


class Chance:
    """Cluster with random acts."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.cluster = Cluster(Settings(seed=seed, nodes=NODES))
        self.api = Api(self.cluster)
        self.names: list[str] = []

    def step(self) -> None:
        self.dice.choice(
            (
                self.create,
                self.create,
                self.act,
                self.act,
                self.delete,
                self.node,
                self.wait,
                self.wait,
            )
        )()
        self.check()

    def create(self) -> None:
        name = f"job-{len(self.names)}"
        self.names.append(name)
        script = PodScript(
            self.dice.choice((Start.RUNS, Start.RUNS, self.dice.choice(list(Start)))),
            schedule_seconds=self.dice.choice((0, 3)),
            start_seconds=self.dice.choice((0, 5)),
            run_seconds=self.dice.choice((None, 0, 20)),
            end=self.dice.choice([each for each in Act if each is not Act.START]),
            exit_code=self.dice.choice((0, 1)),
            stop_seconds=self.dice.choice((0, 1, None)),
            node=self.dice.choice(("", *NODES)),
        )
        self.cluster.scripts.put(name, script)
        deadline = self.dice.choice((None, 30))
        spec: dict[str, Any] = {
            "ttlSecondsAfterFinished": 300,
            **({"activeDeadlineSeconds": deadline} if deadline else {}),
        }
        self.call("POST", JOB, json.dumps(plain_job(name, **spec)).encode())

    def act(self) -> None:
        if self.names:
            self.cluster.act(
                self.dice.choice(self.names),
                self.dice.choice(list(Act)),
                exit_code=self.dice.choice((0, 2)),
            )

    def delete(self) -> None:
        if self.names:
            policy = self.dice.choice(("Foreground", "Background"))
            self.call(
                "DELETE",
                f"{JOB}/{self.dice.choice(self.names)}",
                b'{"propagationPolicy":"%s"}' % policy.encode(),
            )

    def node(self) -> None:
        name = self.dice.choice(NODES)
        lost = self.cluster.nodes.is_up(name)
        (self.cluster.kubelets.node_lost if lost else self.cluster.kubelets.node_back)(name)
        self.cluster.clock.run_due()

    def wait(self) -> None:
        self.cluster.advance(self.dice.choice((1, 10, 60, 400)))

    def call(self, method: str, path: str, body: bytes) -> None:
        answer = self.api.handle(Request(method, path, {}, {}, body))
        assert isinstance(answer, Reply)
        assert answer.status in (200, 201, 404)

    def check(self) -> None:
        started = Counter(run.job_uid for run in self.cluster.ledger.runs)
        assert all(count == 1 for count in started.values())
        for version in self.cluster.store.all(JOBS):
            job = version.obj
            assert not (has_condition(job, "Complete") and has_condition(job, "Failed"))
            if has_condition(job, "Complete"):
                assert [
                    run.exit_code
                    for run in self.cluster.ledger.runs
                    if run.job_uid == job["metadata"]["uid"]
                ] == [0]
            if is_finished(job):
                assert "active" not in job["status"]

    def end(self) -> None:
        for name in NODES:
            if not self.cluster.nodes.is_up(name):
                self.cluster.kubelets.node_back(name)
        self.cluster.advance(100)
        for name in self.names:
            self.call("DELETE", f"{JOB}/{name}", b'{"propagationPolicy":"Foreground"}')
        self.cluster.advance(1000)


@pytest.mark.parametrize("first", range(0, 100, 50))
def test_nothing_is_left_when_all_is_deleted(first: int) -> None:
    for seed in range(first, first + 50):
        chance = Chance(seed)
        for _ in range(40):
            chance.step()
        chance.end()

        left = [version.key for kind in (JOBS, PODS) for version in chance.cluster.store.all(kind)]
        assert (seed, left) == (seed, [])
        assert (seed, [run for run in chance.cluster.ledger.runs if run.is_running]) == (seed, [])
