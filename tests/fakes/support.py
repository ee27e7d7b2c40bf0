"""Helpers for tests of a Kubernetes API.

Contains the product's Jobs, the official client, and waits by watch.
"""

import copy
import json
import os
import time
import uuid
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from kubernetes import client

from tests.fakes.kubernetes.client import FakeKubernetes

Json = dict[str, Any]
WAIT_SECONDS = 60
POD = "spec.template.spec"  # path for `changed`
IMAGE = os.environ.get("MIMIR_E2E_IMAGE", "busybox:1.36")


def plain_job(
    name: str = "", *, command: tuple[str, ...] = ("sh", "-c", "sleep 600"), **spec: Any
) -> Json:
    """Return a small Job that any cluster can run."""
    container = {
        "name": "worker",
        "image": IMAGE,
        "command": list(command),
        "env": [{"name": "ATTEMPT_ID", "value": str(uuid.uuid4())}],
        "resources": {
            "requests": {"cpu": "10m", "memory": "16Mi"},
            "limits": {"cpu": "100m", "memory": "32Mi"},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 2,
        "automountServiceAccountToken": False,
        "containers": [container],
    }
    labels = {"app": "mimir-aip", "component": "worker"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name or f"worker-job-{uuid.uuid4()}-1", "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "FailJob",
                        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                    }
                ]
            },
            "template": {"metadata": {"labels": labels}, "spec": pod},
            **spec,
        },
    }


def changed(job: Json, path: str, value: Any) -> Json:
    """Return a copy with one field set; a number in the path is an index."""
    copied = copy.deepcopy(job)
    place: Any = copied
    *parents, last = path.split(".")
    for name in parents:
        place = place[int(name)] if name.isdigit() else place[name]
    place[int(last) if last.isdigit() else last] = value
    return copied


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    data: bytes

    @property
    def json(self) -> Json:
        found: Json = json.loads(self.data)
        return found


class Jobs:
    """Official client of one namespace; a response of any status is returned, not raised."""

    def __init__(self, api: client.ApiClient, namespace: str) -> None:
        self.api, self.namespace = api, namespace

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        timeout: float = 30,
        content_type: str = "application/json",
        **query: Any,
    ) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        headers = {**self._headers(), "Content-Type": content_type}
        answer = self._pool.request(
            method,
            self._url(path, query),
            body=data,
            headers=headers,
            timeout=timeout,
            retries=False,
        )
        return Answer(answer.status, dict(answer.headers), answer.data)

    @property
    def _pool(self) -> Any:
        return self.api.rest_client.pool_manager

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        self.api.update_params_for_auth(headers, [], ["BearerToken"], None, None, None)
        return headers

    def _url(self, path: str, query: Json) -> str:
        return f"{self.api.configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")

    def path(self, plural: str, name: str = "") -> str:
        base = "/apis/batch/v1" if plural == "jobs" else "/api/v1"
        return f"{base}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    def create(self, job: Json, **query: Any) -> Answer:
        return self.call("POST", self.path("jobs"), job, **query)

    def get(self, plural: str, name: str) -> Answer:
        return self.call("GET", self.path(plural, name))

    def list(self, plural: str, **query: Any) -> Json:
        answer = self.call("GET", self.path(plural), **query)
        assert answer.status == 200, answer.data
        return answer.json

    def delete(self, plural: str, name: str, **options: Any) -> Answer:
        return self.call(
            "DELETE",
            self.path(plural, name),
            {"kind": "DeleteOptions", "apiVersion": "v1", **options} if options else None,
        )

    def pods_of(self, job: str) -> Any:
        return self.list("pods", labelSelector=f"batch.kubernetes.io/job-name={job}")["items"]

    def events_about(self, uid: str) -> Any:
        return self.list("events", fieldSelector=f"involvedObject.uid={uid}")["items"]

    def watch(
        self, plural: str, version: str, *, timeout: float = WAIT_SECONDS, **query: Any
    ) -> Generator[Json, None, None]:
        """Yield events after a version, until the stream ends or is idle for the timeout."""
        url = self._url(self.path(plural), {"watch": "true", "resourceVersion": version, **query})
        answer = self._pool.request(
            "GET",
            url,
            headers=self._headers(),
            preload_content=False,
            timeout=timeout,
            retries=False,
        )
        try:
            if answer.status != 200:
                yield {"type": "HTTP", "object": json.loads(answer.read())}
                return
            rest = b""
            for chunk in answer.stream(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield json.loads(line)
        finally:
            answer.close()


@dataclass
class Target:
    """Target of a contract test. `fares` scripts a fake; a real cluster needs no script."""

    api: client.ApiClient
    fake: FakeKubernetes | None
    jobs: Jobs = field(init=False)

    def enter(self, namespace: str) -> None:
        self.jobs = Jobs(self.api, namespace)
        answer = self.jobs.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        assert answer.status == 201, answer.data
        if self.fake:
            return
        self.until(
            "serviceaccounts", lambda: self.jobs.get("serviceaccounts", "default").status == 200
        )

    def leave(self) -> None:
        self.jobs.call("DELETE", f"/api/v1/namespaces/{self.jobs.namespace}")

    def fares(self, job: Json, **script: Any) -> None:
        if self.fake:
            self.fake.script(job["metadata"]["name"], **script)

    def until(self, plural: str, done: Callable[[], Any]) -> Any:
        """Return a condition's value once it is true, checked after each change, for a minute."""
        version = self.jobs.list(plural)["metadata"]["resourceVersion"]
        if found := done():
            return found
        end = time.monotonic() + WAIT_SECONDS
        for _ in self.jobs.watch(plural, version, timeoutSeconds=WAIT_SECONDS):
            if found := done():
                return found
            if time.monotonic() > end:
                break
        raise AssertionError("the condition did not become true")

    def phase_of(self, job: str) -> str:
        """Return the phase of the only pod, or an empty string."""
        pods = self.jobs.pods_of(job)
        return str(pods[0]["status"]["phase"]) if pods else ""


def name_of(job: Json) -> str:
    """Return the name of a Job."""
    return str(job["metadata"]["name"])


def conditions_of(job: Json) -> dict[str, str]:
    """Return the reasons of a Job's true conditions by type."""
    return {
        each["type"]: each["reason"]
        for each in job["status"].get("conditions", ())
        if each["status"] == "True"
    }
