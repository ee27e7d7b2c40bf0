"""`python -m tests.e2e`, also `make e2e`: KUBECONFIG names the cluster, IMAGE_PREFIX and TAG the images. KEEP=1 leaves the namespace."""

import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mimir.dev.demo import run_demo
from mimir.dev.places import Places
from tests.e2e.cluster import Namespace, Unusable
from tests.e2e.forward import Forward

PROJECT, ENDED = "e2e", ("succeeded", "failed", "cancelled")
COMPONENTS = ("orchestrator", "frontend", "redis", "postgres")


class Installation:
    """A signed-in person's view of it."""

    def __init__(self, namespace: Namespace, way: Forward, token: str) -> None:
        self.namespace, self.way = namespace, way
        way.client.headers["Authorization"] = f"Bearer {token}"

    def json(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        """An answer's body. Raises: AssertionError for what is no success."""
        answer = self.way.call(method, path, **arguments)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:1000]}"
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    def submit(self, command: str, **fields: Any) -> str:
        """A job that runs a shell command; its id."""
        name = f"p{uuid.uuid4().hex[:8]}"
        steps = [{"id": "run", "uses": "command", "with": {"argv": ["sh", "-c", command]}}]
        self.json("POST", f"/api/v1/projects/{PROJECT}/pipelines/", json={"name": name, "definition": {"steps": steps}})
        body = {"type": "pipeline_execution", "parameters": {"pipeline": name}, **fields}
        return str(self.json("POST", f"/api/v1/projects/{PROJECT}/jobs/", json=body, headers={"Idempotency-Key": uuid.uuid4().hex})["id"])

    def job(self, job: str) -> dict[str, Any]:
        """As it is now."""
        return self.json("GET", f"/api/v1/jobs/{job}/")

    def wait(self, job: str, *statuses: str, seconds: float = 600.0) -> dict[str, Any]:
        """The job, once it stands in one of these."""
        end = time.monotonic() + seconds
        while (shown := self.job(job))["status"] not in statuses:
            assert shown["status"] not in ENDED, f"it {shown['status']}: {shown['reason']} {shown['message']}"
            assert time.monotonic() < end, f"after {seconds:.0f} s it is {shown['status']}: {shown['message']}"
            time.sleep(1)
        return shown

    def printed(self, job: str, text: bytes) -> None:
        """Wait until its log has a text."""
        end = time.monotonic() + 300
        while text not in (answer := self.way.call("GET", f"/api/v1/jobs/{job}/logs/")).content:
            assert time.monotonic() < end, f"its log is {answer.content[-500:]!r}"
            time.sleep(1)


def four_types(it: Installation, places: Places) -> None:
    """The demo: pipeline, training, inference, twin update, each using what the one before made."""
    assert run_demo(places, submit=True, say=lambda line: print(f"    {line}"))
    del it


def cancel(it: Installation) -> None:
    """A running job is cancelled and its pod goes."""
    job = it.submit("echo begun; sleep 900")
    it.printed(job, b"begun")
    it.json("POST", f"/api/v1/jobs/{job}/cancel/")
    it.wait(job, "cancelled", seconds=120)


def retry(it: Installation) -> None:
    """A failed job says its exit code, and runs again by the API."""
    job = it.submit("echo no; exit 3")
    failed = it.wait(job, "failed")
    assert failed["reason"] == "exit_code", failed
    again = str(it.json("POST", f"/api/v1/jobs/{job}/retry/")["id"])
    assert it.wait(again, "failed")["retry_of"] == job


def out_of_memory(it: Installation) -> None:
    """The limit is told, and what to ask for."""
    job = it.submit("python3 -c \"x = bytearray(b'x') * (900 * 2**20); print(len(x))\"", resources={"memory": "256Mi"})
    failed = it.wait(job, "failed")
    assert failed["reason"] == "out_of_memory", failed
    assert failed["diagnosis"]["next_steps"][0]["patch"] == {"resources": {"memory": "512Mi"}}, failed


def restarts(it: Installation) -> None:
    """Every component is restarted while a job runs; it ends well, in its first attempt, with its whole log."""
    job = it.submit("for i in $(seq 240); do echo line $i; sleep 1; done; echo done")
    it.printed(job, b"line 1")
    for component in COMPONENTS:
        print(f"    restarting {component}")
        it.namespace.restart(component)
        it.namespace.wait_ready()
        it.way.reopen()
    ended = it.wait(job, "succeeded", seconds=900)
    assert ended["attempt"] == 1, ended
    it.printed(job, b"done")
    answer = it.way.call("GET", f"/api/v1/jobs/{job}/logs/", params={"format": "raw"})
    assert answer.content.split(b"\n")[:-2] == [b"line %d" % number for number in range(1, 241)], answer.content[-300:]


def applied_again(it: Installation) -> None:
    """A second apply of the same manifests changes nothing that runs."""
    it.namespace.apply()
    it.namespace.wait_ready()


def clean(it: Installation) -> None:
    """No worker's Job or pod is left."""
    end = time.monotonic() + 180
    while left := it.namespace.objects("jobs,pods", "app=mimir-aip,component=worker"):
        assert time.monotonic() < end, [each["metadata"]["name"] for each in left]
        time.sleep(2)


CHECKS: tuple[Callable[[Installation], None], ...] = (cancel, retry, out_of_memory, restarts, applied_again, clean)


def main() -> int:
    """0 all held, 1 one did not, 2 there is no cluster."""
    try:
        namespace = Namespace(prefix=os.environ.get("IMAGE_PREFIX", "mimir-aip"), tag=os.environ.get("TAG", "latest"))
    except Unusable as unusable:
        print(unusable, file=sys.stderr)
        return 2
    print(f"namespace {namespace.name}")
    way = None
    try:
        namespace.make()
        namespace.wait_ready()
        way = Forward(namespace)
        way.wait()
        return _all(namespace, way)
    finally:
        if way is not None:
            way.close()
        if not os.environ.get("KEEP"):
            namespace.remove()


def _all(namespace: Namespace, way: Forward) -> int:
    admin = namespace.secret("mimir-admin")
    failed = 0
    with tempfile.TemporaryDirectory(prefix="mimir-e2e-") as folder:
        places = Places(Path(folder))
        places.demo.parent.mkdir(parents=True, exist_ok=True)
        places.demo.write_text(
            json.dumps({"frontend_url": way.url, "username": admin.get("username", "admin"), "password": admin["password"], "token": ""})
        )
        run_demo(places, submit=False, say=print)
        it = Installation(namespace, way, json.loads(places.demo.read_text())["token"])
        it.json("POST", "/api/v1/projects/", json={"slug": PROJECT, "name": "End to end"})
        checks: list[tuple[str, Callable[[], None]]] = [("four_types", lambda: four_types(it, places))]
        checks += [(check.__name__, lambda check=check: check(it)) for check in CHECKS]  # type: ignore[misc]
        for name, check in checks:
            began = time.monotonic()
            try:
                check()
                print(f"ok      {name} ({time.monotonic() - began:.0f} s)", flush=True)
            except AssertionError as error:
                failed += 1
                print(f"FAILED  {name}: {error}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
