"""Control routes under /fake/, for tests.

Bodies and responses are JSON, except logs.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any
from urllib.parse import unquote

from tests.fakes.kubernetes.api import Api
from tests.fakes.kubernetes.cluster import Cluster, Settings
from tests.fakes.kubernetes.faults import rule_from_json
from tests.fakes.kubernetes.http import Refused, Reply, Request, as_json, json_reply
from tests.fakes.kubernetes.resources import JOBS, PODS, with_meta
from tests.fakes.kubernetes.scripts import Act, script_from_json
from tests.fakes.kubernetes.watch import Stream

Json = dict[str, Any]
_SETTINGS = ("seed", "now", "history", "latency_seconds", "namespaces", "nodes")


class Control:
    """Control routes of the current cluster, which `reset` replaces."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ticker: object = None  # a reference, to keep its task from garbage collection
        self.api = Api(Cluster(settings))

    @property
    def cluster(self) -> Cluster:
        return self.api.cluster

    def handle(self, request: Request) -> Reply:

        parts = [unquote(part) for part in request.path.strip("/").split("/")[1:]]
        route = self._routes().get((request.method, parts[0] if parts else ""))
        if route is None:
            return json_reply(
                {"message": f"no such control route: {request.method} {request.path}"}, 404
            )
        self.cluster.clock.run_due()
        try:
            if parts[0] == "logs":
                return self._logs(request, parts[1:])
            answer = route(json.loads(request.body or b"{}"), parts[1:], request.query)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            return json_reply({"message": f"{type(error).__name__}: {error}"}, 400)
        except Refused as refused:
            return refused.reply()
        self.cluster.clock.run_due()
        return Reply(200, as_json(answer))

    def _routes(self) -> dict[tuple[str, str], Callable[[Json, list[str], dict[str, str]], Any]]:
        return {
            ("POST", "reset"): self._reset,
            ("GET", "clock"): lambda body, rest, query: self._clock(),
            ("POST", "clock"): self._advance,
            ("POST", "scripts"): self._script,
            ("POST", "faults"): self._fault,
            ("GET", "faults"): lambda body, rest, query: {
                "faults": [rule.as_json() for rule in self.cluster.faults.rules]
            },
            ("DELETE", "faults"): lambda body, rest, query: self.cluster.faults.clear(),
            ("POST", "latency"): self._latency,
            ("GET", "ledger"): self._ledger,
            ("GET", "requests"): lambda body, rest, query: {
                "requests": [asdict(each) for each in self.api.requests]
            },
            ("DELETE", "requests"): lambda body, rest, query: self.api.requests.clear(),
            ("POST", "acts"): self._act,
            ("GET", "logs"): lambda body, rest, query: None,
            ("POST", "logs"): lambda body, rest, query: None,
            ("POST", "nodes"): self._node,
            ("POST", "watches"): self._watches,
            ("GET", "watches"): lambda body, rest, query: {
                "watches": [each.resource.plural for each in self.api.streams if each.open]
            },
            ("POST", "compact"): lambda body, rest, query: self.cluster.store.forget_history(),
            ("DELETE", "jobs"): self._delete_job,
            ("POST", "suspend"): self._suspend_job,
            ("POST", "events"): lambda body, rest, query: self.cluster.events.foreign(**body),
            ("GET", "counts"): lambda body, rest, query: {
                kind.plural: sum(1 for _ in self.cluster.store.all(kind)) for kind in (JOBS, PODS)
            },
        }

    def _reset(self, body: Json, rest: list[str], query: dict[str, str]) -> Json:
        """Replace the cluster by a new one with the start settings. Open watches break."""
        if unknown := set(body) - set(_SETTINGS):
            raise ValueError(f"unknown: {sorted(unknown)}; known: {_SETTINGS}")
        changes: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in body.items()
        }
        for stream in self.api.streams:
            stream.close(broken=True)
        self.cluster.close()
        self.api = Api(Cluster(replace(self.settings, **changes)))
        return self._clock()

    def _clock(self) -> Json:
        clock = self.cluster.clock
        return {
            "now": clock.now,
            "next_due": clock.next_due,
            "resourceVersion": str(self.cluster.store.number),
        }

    def _advance(self, body: Json, rest: list[str], query: dict[str, str]) -> Json:
        if self.cluster.clock.real:
            raise ValueError("the clock runs in real time")
        self.cluster.clock.advance_to(
            float(body["to"])
        ) if "to" in body else self.cluster.clock.advance(float(body["seconds"]))
        return self._clock()

    def _script(self, body: Json, rest: list[str], query: dict[str, str]) -> None:
        self.cluster.scripts.put(body.pop("job", "*"), script_from_json(body))

    def _fault(self, body: Json, rest: list[str], query: dict[str, str]) -> None:
        self.cluster.faults.add(rule_from_json(body))

    def _latency(self, body: Json, rest: list[str], query: dict[str, str]) -> None:
        self.cluster.settings = replace(
            self.cluster.settings, latency_seconds=float(body["seconds"])
        )

    def _ledger(self, body: Json, rest: list[str], query: dict[str, str]) -> Json:
        ledger = self.cluster.ledger
        runs = ledger.running if "running" in query else ledger.runs
        return {
            "now": self.cluster.clock.now,
            "runs": [run.as_json(with_env="env" in query) for run in runs],
        }

    def _act(self, body: Json, rest: list[str], query: dict[str, str]) -> Json:
        name, act = body.pop("name"), Act(body.pop("act"))
        return {"done": self.cluster.act(name, act, **body)}

    def _logs(self, request: Request, rest: list[str]) -> Reply:
        """Append to a log, rotate it to its last `?keep=<bytes>`, or read the log of the node."""
        state = self.cluster.state_of(rest[0])
        if state is None:
            return json_reply({"message": f"no pod of {rest[0]}"}, 404)
        if request.method == "GET":
            return Reply(200, state.log.read(), content_type="application/octet-stream")
        state.log.append(request.body, stamp=self.cluster.clock.micro_stamp()[:-1] + "000Z")
        if "keep" in request.query:
            state.log.rotate(int(request.query["keep"]))
        return json_reply({})

    def _node(self, body: Json, rest: list[str], query: dict[str, str]) -> None:
        name, what = body.pop("name"), body.pop("what")
        kubelets = self.cluster.kubelets
        if what == "add":
            self.cluster.nodes.add(name, **body)
            return
        if not self.cluster.nodes.knows(name):
            raise ValueError(f"no node {name}")
        {"lost": kubelets.node_lost, "back": kubelets.node_back, "gone": kubelets.node_gone}[what](
            name, **body
        )

    def _watches(self, body: Json, rest: list[str], query: dict[str, str]) -> Json:
        """Apply an action to the open watches of a kind, or of all kinds."""
        number = self.cluster.store.number

        def silence(stream: Stream) -> None:
            stream.silent = True

        deeds: dict[str, Callable[[Stream], None]] = {
            "cut": lambda stream: stream.close(broken=True),
            "end": lambda stream: stream.time_out(),
            "gone": lambda stream: stream.gone("too old resource version: 1 (2)"),
            "silence": silence,
            "bookmark": lambda stream: stream.bookmark(number),
        }
        return {"watches": self.api.each_stream(body.get("resource", ""), deeds[body["what"]])}

    def _suspend_job(self, body: Json, rest: list[str], query: dict[str, str]) -> Json:
        """Suspend a Job, running or not, as kubectl patch or a queue manager does."""
        found = [
            version.obj
            for version in self.cluster.store.all(JOBS)
            if version.key[1] == body["name"]
        ]
        for job in found:
            generation = job["metadata"]["generation"] + 1
            self.cluster.store.update(
                JOBS,
                with_meta({**job, "spec": {**job["spec"], "suspend": True}}, generation=generation),
            )
        return {"suspended": len(found)}

    def _delete_job(self, body: Json, rest: list[str], query: dict[str, str]) -> Json:
        """Delete Jobs as kubectl delete does, without an entry in the list of requests."""
        found = [
            version.obj for version in self.cluster.store.all(JOBS) if version.key[1] == rest[0]
        ]
        for job in found:
            self.cluster.jobs.delete(job, query.get("policy", "Background"))
        return {"deleted": len(found)}
