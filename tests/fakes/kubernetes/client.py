"""Client of the fake for tests.

Starts the process of the fake, calls its control routes, and writes the kubeconfig that the
official client uses to reach it.
"""

import http.client
import json
import ssl
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlencode

from tests.fakes.kubernetes.faults import Fault, Rule
from tests.fakes.kubernetes.ledger import Run
from tests.fakes.kubernetes.scripts import Act, PodScript
from tests.support.tls import certificate_file

ROOT = Path(__file__).parents[3]
CONTEXT = "fake"


def write_kubeconfig(path: Path, *fakes: "FakeKubernetes") -> Path:
    """Write one kubeconfig with a context for each cluster; the first is the current one."""
    found: dict[str, Any] = {}
    for fake in fakes:
        each = json.loads(fake.kubeconfig.read_text())
        found = {
            **each,
            **{
                name: found.get(name, []) + each[name] for name in ("clusters", "users", "contexts")
            },
        }
    path.write_text(json.dumps({**found, "current-context": fakes[0].context}))
    path.chmod(0o600)
    return path


class ControlError(RuntimeError):
    """The fake rejected a control request."""


class FakeKubernetes:
    """Fake API server in a separate process: `with FakeKubernetes() as fake:`.

    Its methods are thread-safe.
    """

    def __init__(
        self,
        *,
        real_time: bool = False,
        latency_seconds: float = 0.0,
        seed: int = 0,
        tls: bool = False,
        namespace: str = "mimir-aip",
        context: str = CONTEXT,
    ) -> None:
        self._options = ["--seed", str(seed), "--latency-ms", str(latency_seconds * 1000)] + (
            ["--real-time"] if real_time else []
        )
        self._tls, self.namespace, self.context = tls, namespace, context
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> "FakeKubernetes":
        self._folder = tempfile.TemporaryDirectory(prefix="fake-kubernetes-")
        folder = Path(self._folder.name)
        cert = certificate_file(folder) if self._tls else None
        options = self._options + (["--cert", str(cert)] if cert else [])
        argv = [sys.executable, "-m", "tests.fakes.kubernetes", "--port", "0", *options]
        self._process = subprocess.Popen(
            argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            self.__exit__(None, None, None)
            raise RuntimeError("the fake Kubernetes API did not start; see its error above")
        started = json.loads(line)
        self.port, self.token = started["port"], started["token"]
        self.url = f"{'https' if cert else 'http'}://127.0.0.1:{self.port}"
        self._context = ssl.create_default_context(cafile=str(cert)) if cert else None
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(json.dumps(self._kubeconfig(cert)))
        self.kubeconfig.chmod(0o600)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._connection:
            self._connection.close()
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._folder.cleanup()

    def _kubeconfig(self, cert: Path | None) -> dict[str, Any]:
        cluster = {"server": self.url, **({"certificate-authority": str(cert)} if cert else {})}
        name = self.context
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": {"token": self.token}}],
            "contexts": [
                {
                    "name": name,
                    "context": {"cluster": name, "user": name, "namespace": self.namespace},
                }
            ],
        }

    @property
    def pid(self) -> int:
        return self._process.pid

    # time

    def reset(self, **settings: Any) -> None:
        """Replace the cluster by a new one. Options: seed, now, history, latency_seconds,
        namespaces, nodes.
        """
        self._call("POST", "reset", settings)

    @property
    def now(self) -> float:
        """The cluster's time, in seconds since 1970."""
        return float(self._call("GET", "clock")["now"])

    def advance(self, seconds: float) -> float:
        """Advance the clock and return the new time."""
        return float(self._call("POST", "clock", {"seconds": seconds})["now"])

    def advance_to(self, then: float) -> float:
        return float(self._call("POST", "clock", {"to": then})["now"])

    @property
    def next_due(self) -> float | None:
        """Return the time of the next scheduled change."""
        due = self._call("GET", "clock")["next_due"]
        return None if due is None else float(due)

    # orders

    def script(self, job: str = "*", script: PodScript | None = None, **fields: Any) -> None:
        """Set the behaviour of a Job's pods, by name or pattern with `*` (`*` alone: all other
        Jobs).
        """
        self._call("POST", "scripts", {"job": job, **(asdict(script) if script else {}), **fields})

    def fault(self, fault: Fault, rule: Rule | None = None, **fields: Any) -> None:
        """Add a fault rule.

        Fields: verb, resource, name, count (1; None for always), skip, probability, seconds,
        changes, answer, message.
        """
        given = (
            {name: value for name, value in asdict(rule).items() if name != "fired"} if rule else {}
        )
        self._call("POST", "faults", {**given, **fields, "fault": fault})

    def faults(self) -> list[dict[str, Any]]:
        """Return the fault rules, each with its count `fired`."""
        found: list[dict[str, Any]] = self._call("GET", "faults")["faults"]
        return found

    def clear_faults(self) -> None:
        self._call("DELETE", "faults")

    def latency(self, seconds: float) -> None:
        """Delay each response of the API by this number of real seconds."""
        self._call("POST", "latency", {"seconds": seconds})

    # what happens

    def act(self, name: str, act: Act, *, exit_code: int = 0, message: str = "") -> bool:
        """Apply an act to a pod, selected by its own name or the name of its Job.

        Return False if it came too late.
        """
        return bool(
            self._call(
                "POST",
                "acts",
                {"name": name, "act": act, "exit_code": exit_code, "message": message},
            )["done"]
        )

    def exit(self, name: str, exit_code: int = 0) -> bool:
        """End the container of a pod."""
        return self.act(name, Act.EXIT, exit_code=exit_code)

    def delete_job(self, name: str, *, policy: str = "Background") -> int:
        """Delete Jobs as a kubectl user does, and return their number."""
        return int(self._call("DELETE", f"jobs/{quote(name)}?policy={policy}")["deleted"])

    def event(self, *, kind: str, name: str, reason: str, message: str) -> None:
        """Record an event about an object that the fake does not keep, such as a volume claim."""
        about = {"kind": kind, "name": name, "namespace": self.namespace}
        self._call("POST", "events", {**about, "reason": reason, "message": message})

    def suspend_job(self, name: str) -> int:
        """Suspend Jobs, as an administrator or a queue manager does, and return their number."""
        return int(self._call("POST", "suspend", {"name": name})["suspended"])

    def delete_pod(self, name: str, *, force: bool = False) -> bool:
        """Delete a pod, by its name or the name of its Job, as a kubectl user does."""
        return self.act(name, Act.FORCE_DELETE if force else Act.DELETE)

    def add_node(self, name: str, **fields: Any) -> None:
        """Add a node. Options: labels, allocatable, taints."""
        self._call("POST", "nodes", {"name": name, "what": "add", **fields})

    def node_lost(self, name: str = "node1", *, toleration_seconds: float = 300.0) -> None:
        """Stop the reports of a node; its containers continue. Its pods are deleted later."""
        self._call(
            "POST",
            "nodes",
            {"name": name, "what": "lost", "toleration_seconds": toleration_seconds},
        )

    def node_back(self, name: str = "node1") -> None:
        self._call("POST", "nodes", {"name": name, "what": "back"})

    def node_gone(self, name: str = "node1") -> None:
        """Remove the machine and its Node object."""
        self._call("POST", "nodes", {"name": name, "what": "gone"})

    # logs

    def append_log(self, name: str, data: bytes, *, keep: int | None = None) -> None:
        """Append to a container's log.

        `keep`: then rotate the log to at most this number of bytes, in whole lines.
        """
        self._raw("POST", f"logs/{quote(name)}" + ("" if keep is None else f"?keep={keep}"), data)

    def log(self, name: str) -> bytes:
        return self._raw("GET", f"logs/{quote(name)}")

    # watches

    def watches(self, what: str, resource: str = "") -> int:
        """Apply an action to the open watches of a kind (empty: all) and return their number.

        The actions are cut, end, gone, silence and bookmark.
        """
        return int(self._call("POST", "watches", {"what": what, "resource": resource})["watches"])

    def open_watches(self) -> list[str]:
        """Return the kinds that are watched now."""
        found: list[str] = self._call("GET", "watches")["watches"]
        return found

    def compact(self) -> None:
        """Compact the history: watches and list pages from before now get 410."""
        self._call("POST", "compact")

    # what was

    def ledger(self, *, running: bool = False, env: bool = False) -> list[Run]:
        """Return the containers that ran, in start order; `env` adds their environment."""
        flags = {name: "1" for name, wanted in (("running", running), ("env", env)) if wanted}
        return [Run(**run) for run in self._call("GET", f"ledger?{urlencode(flags)}")["runs"]]

    def requests(self) -> list[dict[str, Any]]:
        """Return the API's requests.

        Each has at, method, path, verb and resource as in RBAC, namespace, name, status, fault,
        pages_on.
        """
        found: list[dict[str, Any]] = self._call("GET", "requests")["requests"]
        return found

    def clear_requests(self) -> None:
        self._call("DELETE", "requests")

    def counts(self) -> dict[str, int]:
        """Return the numbers of Jobs and pods."""
        found: dict[str, int] = self._call("GET", "counts")
        return found

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        return json.loads(
            self._raw(method, path, json.dumps(body).encode() if body is not None else b"")
        )

    def _raw(self, method: str, path: str, body: bytes = b"") -> bytes:
        with self._lock:
            if self._connection is None:
                self._connection = (
                    http.client.HTTPSConnection(
                        "127.0.0.1", self.port, context=self._context, timeout=60
                    )
                    if self._context
                    else http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
                )
            try:
                self._connection.request(
                    method, f"/fake/{path}", body, {"Authorization": f"Bearer {self.token}"}
                )
                answer = self._connection.getresponse()
                data = answer.read()
            except (OSError, http.client.HTTPException):
                self._connection.close()
                self._connection = None
                raise
        if answer.status >= 400:
            raise ControlError(json.loads(data)["message"])
        return data
