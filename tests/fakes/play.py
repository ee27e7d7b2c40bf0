"""Fake cluster with one Job, in the process of the test."""

import json
from typing import Any

from tests.fakes.kubernetes.api import Api
from tests.fakes.kubernetes.cluster import Cluster, Settings
from tests.fakes.kubernetes.http import Reply, Request
from tests.fakes.kubernetes.resources import EVENTS, JOBS, PODS
from tests.fakes.kubernetes.scripts import PodScript
from tests.fakes.support import plain_job

JOB = "/apis/batch/v1/namespaces/mimir-aip/jobs"


class Play:
    """Cluster with one Job, `one`."""

    def __init__(
        self, *, script: PodScript | None = None, nodes: tuple[str, ...] = ("node1",), **spec: Any
    ) -> None:
        self.cluster = Cluster(Settings(nodes=nodes))
        self.api = Api(self.cluster)
        if script:
            self.cluster.scripts.put("one", script)
        self.call("POST", JOB, plain_job("one", **spec), 201)

    def call(
        self, method: str, path: str, body: Any = None, status: int = 200, **query: str
    ) -> Any:
        answer = self.api.handle(
            Request(method, path, query, {}, b"" if body is None else json.dumps(body).encode())
        )
        assert isinstance(answer, Reply)
        assert answer.status == status, answer.body
        return json.loads(answer.body)

    def delete(self, policy: str, **options: Any) -> Any:
        return self.call("DELETE", f"{JOB}/one", {"propagationPolicy": policy, **options})

    @property
    def job(self) -> Any:
        return next((version.obj for version in self.cluster.store.all(JOBS)), None)

    @property
    def pods(self) -> list[Any]:
        return [version.obj for version in self.cluster.store.all(PODS)]

    @property
    def pod(self) -> Any:
        (pod,) = self.pods
        return pod

    @property
    def runs(self) -> list[tuple[float, float | None, int | None]]:
        """Return the runs as seconds since the start and exit code."""
        start = self.cluster.settings.now
        return [
            (run.started_at - start, run.ended_at and run.ended_at - start, run.exit_code)
            for run in self.cluster.ledger.runs
        ]

    def conditions(self) -> dict[str, str]:
        return {each["type"]: each["reason"] for each in self.job["status"].get("conditions", ())}

    def disruption(self) -> str:
        return next(
            (
                each["reason"]
                for each in self.pod["status"]["conditions"]
                if each["type"] == "DisruptionTarget"
            ),
            "",
        )

    def events(self) -> list[str]:
        return [version.obj["reason"] for version in self.cluster.store.all(EVENTS)]
