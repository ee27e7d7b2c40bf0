"""Handle the verbs get and list, and read logs."""

import base64
import binascii
import json
from bisect import bisect_right
from collections.abc import Mapping
from itertools import islice
from typing import Any

from tests.fakes.kubernetes.cluster import Cluster
from tests.fakes.kubernetes.faults import Rule
from tests.fakes.kubernetes.http import Refused, Reply, Request
from tests.fakes.kubernetes.resources import PODS, Key, Resource
from tests.fakes.kubernetes.routes import Route
from tests.fakes.kubernetes.selectors import BadSelector, field_test, label_test
from tests.fakes.kubernetes.store import Expired, Version
from tests.fakes.kubernetes.watch import Fits

_NOTHING: dict[str, str] = {}


def read(cluster: Cluster, request: Request, route: Route, stale: Rule | None) -> Reply:
    """Handle a read request. Raises: Refused."""
    if route.subresource == "log" and route.resource is PODS:
        return _log(cluster, request, route)
    if route.verb == "list":
        return _list(cluster, request, route, stale)
    version = cluster.store.version(route.resource, (route.namespace, route.name))
    if version is None or route.subresource not in ("", "status"):
        raise not_found(route.resource, route.name)
    return Reply(200, version.raw)


def not_found(resource: Resource, name: str) -> Refused:
    details: dict[str, Any] = {
        "name": name,
        **({"group": resource.group} if resource.group else {}),
        "kind": resource.plural,
    }
    return Refused(404, "NotFound", f'{resource.qualified} "{name}" not found', **details)


def fits(route: Route, query: Mapping[str, str]) -> Fits:
    """Return the selector filter of a request. Raises: Refused."""
    try:
        labels = label_test(query.get("labelSelector", ""))
        by_field = field_test(route.resource.plural, query.get("fieldSelector", ""))
    except BadSelector as bad:
        raise Refused(400, "BadRequest", str(bad)) from bad
    namespace, name, any_labels, any_field = (
        route.namespace,
        route.name,
        not query.get("labelSelector"),
        not query.get("fieldSelector"),
    )

    def test(version: Version) -> bool:
        if (namespace and version.key[0] != namespace) or (name and version.key[1] != name):
            return False
        return (any_labels or labels(version.obj["metadata"].get("labels", _NOTHING))) and (
            any_field or by_field(version.obj)
        )

    return test


def number_in(query: Mapping[str, str], name: str) -> int | None:
    """Parse a number of the query. Raises: Refused."""
    if not query.get(name):
        return None
    try:
        return int(query[name])
    except ValueError:
        raise Refused(
            400, "BadRequest", f'{name}: Invalid value: "{query[name]}": expected an integer'
        ) from None


def _list(cluster: Cluster, request: Request, route: Route, stale: Rule | None) -> Reply:
    query, resource, store = request.query, route.resource, cluster.store
    wanted, limit = fits(route, query), number_in(query, "limit") or 0
    start = ("", "")
    if token := query.get("continue"):
        number, start = _opened(token)
    try:
        if query.get("continue"):
            versions = store.kept(resource, number)
        else:
            number, versions = _snapshot(cluster, query, resource, stale)
    except Expired as expired:
        raise Refused(410, "Expired", str(expired)) from expired
    first, last = _range(versions, start, route.namespace)
    found = list(
        islice(filter(wanted, islice(versions, first, last)), limit + 1 if limit else None)
    )
    meta: dict[str, object] = {"resourceVersion": str(number)}
    if limit and len(found) > limit:
        store.keep(resource, number, versions)
        found = found[:limit]
        meta["continue"] = _token(number, found[-1])
        if not (query.get("labelSelector") or query.get("fieldSelector")):
            meta["remainingItemCount"] = last - first - limit
    return Reply(200, _body(resource, meta, found, request.headers.get("accept", "")))


def _body(resource: Resource, meta: dict[str, object], found: list[Version], accept: str) -> bytes:
    if "as=PartialObjectMetadataList" in accept:
        items = b",".join(
            json.dumps({"metadata": each.obj["metadata"]}, separators=(",", ":")).encode()
            for each in found
        )
        head = {
            "kind": "PartialObjectMetadataList",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": meta,
        }
    else:
        items = b",".join([each.item for each in found])
        head = {
            "kind": f"{resource.kind}List",
            "apiVersion": resource.api_version,
            "metadata": meta,
        }
    return json.dumps(head, separators=(",", ":")).encode()[:-1] + b',"items":[' + items + b"]}"


def _snapshot(
    cluster: Cluster, query: Mapping[str, str], resource: Resource, stale: Rule | None
) -> tuple[int, list[Version]]:
    """Return the objects of a list.

    A stale list is possible on a real server: a lagging cache at version 0, or a true snapshot that
    arrives late. Raises: Expired, Refused.
    """
    store, version_requested = cluster.store, query.get("resourceVersion", "")
    if stale is not None and not stale.seconds:
        return store.as_of(resource, changes=stale.changes)
    if stale is not None and version_requested == "0":
        return store.as_of(resource, at=cluster.clock.now - stale.seconds)
    if version_requested not in ("", "0"):
        number = number_in(query, "resourceVersion") or 0
        if number > store.number:
            raise Refused(
                504,
                "Timeout",
                f"Too large resource version: {number}, current: {store.number}",
                retryAfterSeconds=1,
            )
        if query.get("resourceVersionMatch") == "Exact" and number != store.number:
            return number, store.at_version(resource, number)
    number, versions = store.number, store.snapshot(resource)
    if stale is not None:
        cluster.advance(stale.seconds)
    return number, versions


def _range(versions: list[Version], start: Key, namespace: str) -> tuple[int, int]:
    """Return the part of a sorted snapshot after `start`, in one namespace or (empty) in all."""
    first = bisect_right(versions, max(start, (namespace, "")), key=lambda version: version.key)
    last = len(versions)
    if namespace:
        last = bisect_right(versions, (namespace, chr(0x10FFFF)), key=lambda version: version.key)
    return first, last


def _token(number: int, last: Version) -> str:
    return base64.urlsafe_b64encode(
        json.dumps({"v": "meta.k8s.io/v1", "rv": number, "start": last.key}).encode()
    ).decode()


def _opened(token: str) -> tuple[int, tuple[str, str]]:
    try:
        data = json.loads(base64.urlsafe_b64decode(token))
        return int(data["rv"]), (str(data["start"][0]), str(data["start"][1]))
    except (binascii.Error, ValueError, KeyError, IndexError, TypeError):
        raise Refused(400, "BadRequest", "continue key is not valid") from None


def _log(cluster: Cluster, request: Request, route: Route) -> Reply:
    """Read the log of a container from the kubelet of its node.

    Available only while the pod's object and the node exist.
    """
    pod = cluster.store.get(PODS, (route.namespace, route.name))
    if pod is None:
        raise not_found(PODS, route.name)
    query = request.query
    container = pod["spec"]["containers"][0]["name"]
    if query.get("container", container) != container:
        raise Refused(
            400, "BadRequest", f"container {query['container']} is not valid for pod {route.name}"
        )
    if query.get("follow") in ("true", "1") or query.get("previous") in ("true", "1"):
        raise Refused(400, "BadRequest", "this fake gives no previous logs and follows none")
    state = cluster.kubelets.states[pod["metadata"]["uid"]]
    if not state.node:
        raise Refused(400, "BadRequest", f"pod {route.name} does not have a host assigned")
    if not cluster.nodes.is_up(state.node):
        url = f"https://10.244.0.1:10250/containerLogs/{route.namespace}/{route.name}/{container}"
        raise Refused(
            500,
            "InternalError",
            f'Get "{url}": dial tcp 10.244.0.1:10250: connect: no route to host',
        )
    if state.run is None:
        waiting: dict[str, Any] = next(
            (
                each["state"].get("waiting", {})
                for each in pod["status"].get("containerStatuses", ())
            ),
            {},
        )
        why = waiting.get("reason", "ContainerCreating")
        raise Refused(
            400,
            "BadRequest",
            f'container "{container}" in pod "{route.name}" is waiting to start: {why}',
        )
    text = state.log.read(
        tail_lines=number_in(query, "tailLines"),
        limit_bytes=number_in(query, "limitBytes"),
        timestamps=query.get("timestamps") in ("true", "1"),
        since=query.get("sinceTime", ""),
    )
    return Reply(200, text, content_type="text/plain")
