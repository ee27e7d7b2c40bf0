"""API server without I/O: maps a request to a response or watch and applies injected faults."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.fakes.kubernetes import reads, writes
from tests.fakes.kubernetes.cluster import Cluster
from tests.fakes.kubernetes.faults import MUTATING, Fault, Rule
from tests.fakes.kubernetes.http import Refused, Reply, Request, json_reply
from tests.fakes.kubernetes.resources import NODES
from tests.fakes.kubernetes.routes import Route, route_of
from tests.fakes.kubernetes.store import Change
from tests.fakes.kubernetes.watch import Stream

KEPT_REQUESTS = 100_000
_OPEN_PATHS = ("/healthz", "/livez", "/readyz", "/version")
HANG_SECONDS = 30.0  # real time; after it the connection of the client breaks
_BEFORE = {
    Fault.ERROR_BEFORE_COMMIT,
    Fault.DROP_BEFORE_COMMIT,
    Fault.TIMEOUT_BEFORE_COMMIT,
    Fault.FORBIDDEN,
    Fault.INVALID,
    Fault.QUOTA,
    Fault.TOO_MANY_REQUESTS,
    Fault.LIST_GONE,
    Fault.WATCH_REFUSED,
}
_AFTER = {
    Fault.ERROR_AFTER_COMMIT,
    Fault.DROP_AFTER_COMMIT,
    Fault.TIMEOUT_AFTER_COMMIT,
    Fault.FORBIDDEN_AFTER_COMMIT,
}


@dataclass(slots=True)
class ReceivedRequest:
    """One request that the server received, with its response status and fault."""

    at: float
    method: str
    path: str
    verb: str
    resource: str
    namespace: str
    name: str
    status: int = 0
    fault: str = ""
    pages_on: bool = False  # a further page of a list


class Api:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.requests: deque[ReceivedRequest] = deque(maxlen=KEPT_REQUESTS)
        self.streams: list[Stream] = []
        cluster.store.listeners.append(self._tell)

    def _tell(self, change: Change) -> None:
        closed = False
        for stream in self.streams:
            stream.see(change)
            closed = closed or not stream.open
        if closed:
            self.streams = [stream for stream in self.streams if stream.open]

    def handle(self, request: Request) -> Reply | Stream:
        """Answer a request and take the steps that are due. Never raises because of a client's
        request.
        """
        clock = self.cluster.clock
        clock.run_due()
        if request.path in _OPEN_PATHS:
            return self._about_itself(request)
        try:
            route = route_of(request)
        except Refused as refused:
            return refused.reply()
        name = route.name or writes.name_in(request)
        received = ReceivedRequest(
            clock.now,
            request.method,
            request.path,
            route.verb,
            route.rbac_resource,
            route.namespace,
            name,
        )
        received.pages_on = "continue" in request.query
        self.requests.append(received)
        rule = self.cluster.faults.on_request(route.verb, route.rbac_resource, name)
        answer = self._answer(request, route, rule, name)
        received.fault = rule.fault if rule else ""
        received.status = answer.status if isinstance(answer, Reply) else 200
        answer.delay_seconds += self.cluster.settings.latency_seconds
        clock.run_due()
        return answer

    def _about_itself(self, request: Request) -> Reply:
        """Answer requests that need no permission. A fault for any resource applies too."""
        rule = self.cluster.faults.on_request("get", "", request.path)
        if rule and rule.fault in _BEFORE | _AFTER:
            return self._trouble(rule.fault, Route(NODES, "get", name=request.path), rule)
        if request.path == "/version":
            return json_reply(
                {"major": "1", "minor": "34", "gitVersion": "v1.34.9", "platform": "linux/amd64"}
            )
        return Reply(200, b"ok", content_type="text/plain; charset=utf-8")

    def _answer(
        self, request: Request, route: Route, rule: Rule | None, name: str
    ) -> Reply | Stream:
        if rule is None:
            return self._do(request, route)
        if rule.fault in _BEFORE:
            return self._trouble(rule.fault, replace(route, name=name), rule)
        if rule.fault is Fault.LATE_COMMIT:
            self.cluster.clock.after(rule.seconds, lambda: self._do_late(request, route))
            return self._trouble(
                rule.answer, replace(route, name=name), rule, hang_seconds=HANG_SECONDS
            )
        if rule.fault is Fault.LIST_STALE:
            return self._do(request, route, rule)
        answer = self._do(request, route)
        if rule.fault in _AFTER:
            if isinstance(answer, Stream):
                answer.close()
            return self._trouble(rule.fault, replace(route, name=name), rule)
        answer.delay_seconds += rule.seconds
        return answer

    def _do_late(self, request: Request, route: Route) -> None:
        self._do(request, route)

    def _do(self, request: Request, route: Route, stale: Rule | None = None) -> Reply | Stream:
        try:
            if route.verb in MUTATING:
                return writes.write(self.cluster, request, route)
            if route.verb == "watch":
                return self._watch(request, route)
            return reads.read(self.cluster, request, route, stale)
        except Refused as refused:
            return refused.reply()

    def _trouble(
        self, fault: Fault, route: Route, rule: Rule, *, hang_seconds: float = 0.0
    ) -> Reply:
        """Return the client's view of a fault."""
        if fault in (Fault.DROP_BEFORE_COMMIT, Fault.DROP_AFTER_COMMIT):
            return Reply(0, b"", lost=True)
        if fault in (Fault.TIMEOUT_BEFORE_COMMIT, Fault.TIMEOUT_AFTER_COMMIT):
            return Reply(
                0, b"", lost=True, delay_seconds=hang_seconds or rule.seconds or HANG_SECONDS
            )
        return _refusal(fault, route, rule).reply()

    def _watch(self, request: Request, route: Route) -> Stream:
        query, cluster = request.query, self.cluster
        fits = reads.fits(route, query)
        bookmarks = query.get("allowWatchBookmarks", "") in ("true", "1")
        stream = Stream(cluster.clock, cluster.faults, route.resource, fits, bookmarks=bookmarks)
        stream.start(cluster.store, query.get("resourceVersion", ""))
        if seconds := reads.number_in(query, "timeoutSeconds"):
            cluster.clock.after(float(seconds), stream.time_out)
        if stream.open:
            self.streams.append(stream)
        return stream

    # by hand

    def each_stream(self, plural: str, what: Callable[[Stream], None]) -> int:
        """Apply a function to the open watches of a kind (empty: all) and return their number."""
        chosen = [
            stream
            for stream in self.streams
            if stream.open and plural in ("", stream.resource.plural)
        ]
        for stream in chosen:
            what(stream)
        self.streams = [stream for stream in self.streams if stream.open]
        return len(chosen)


def _refusal(fault: Fault, route: Route, rule: Rule) -> Refused:
    """Return the refusal of a request that the server answers."""
    if fault in (Fault.FORBIDDEN, Fault.FORBIDDEN_AFTER_COMMIT):
        return _forbidden(route, rule)
    what = route.resource.qualified
    makers: dict[Fault, Callable[[], Refused]] = {
        Fault.TOO_MANY_REQUESTS: lambda: Refused(
            429,
            "TooManyRequests",
            rule.message or "The apiserver is overloaded, please try again later.",
            headers={"Retry-After": str(int(rule.seconds))},
            retryAfterSeconds=int(rule.seconds),
        ),
        Fault.INVALID: lambda: Refused(
            422,
            "Invalid",
            rule.message
            or (
                f'{route.resource.kind}.{route.resource.group} "{route.name}" is invalid: '
                "spec: Invalid value"
            ),
        ),
        Fault.QUOTA: lambda: Refused(
            403,
            "Forbidden",
            rule.message
            or f'{what} "{route.name}" is forbidden: exceeded quota: mimir, requested: '
            "count/jobs.batch=1, used: count/jobs.batch=10, "
            "limited: count/jobs.batch=10",
        ),
        Fault.LIST_GONE: lambda: Refused(
            410, "Expired", rule.message or "The provided continue parameter is too old."
        ),
        Fault.WATCH_REFUSED: lambda: Refused(
            410, "Expired", rule.message or "too old resource version: 1 (2)"
        ),
    }
    if fault in makers:
        return makers[fault]()
    return Refused(
        500,
        "InternalError",
        rule.message or "Internal error occurred: etcdserver: request timed out",
    )


def _forbidden(route: Route, rule: Rule) -> Refused:
    user = 'User "system:serviceaccount:mimir-aip:mimir-dispatcher" cannot'
    sentence = (
        f"{route.resource.qualified} is forbidden: {user} {route.verb} resource "
        f'"{route.resource.plural}" in API group "{route.resource.group}"'
    )
    return Refused(
        403,
        "Forbidden",
        rule.message or f'{sentence} in the namespace "{route.namespace}"',
        kind=route.resource.plural,
    )
