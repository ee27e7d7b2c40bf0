"""Handle the verbs create, update, patch and delete."""

import json
from typing import Any

from tests.fakes.kubernetes.cluster import Cluster
from tests.fakes.kubernetes.http import Refused, Reply, Request, json_reply
from tests.fakes.kubernetes.quotas import quota_refusal
from tests.fakes.kubernetes.reads import fits, not_found
from tests.fakes.kubernetes.resources import (
    EVENTS,
    JOBS,
    NAMESPACES,
    PODS,
    QUOTAS,
    Object,
    Resource,
    key_of,
)
from tests.fakes.kubernetes.routes import Route
from tests.fakes.kubernetes.shapes import job_with_defaults
from tests.fakes.kubernetes.validation import check_job, check_job_update

POLICIES = ("Foreground", "Background", "Orphan")


def name_in(request: Request) -> str:
    """Return the name in the body of a create request, for faults that select by name.

    Empty if the body has none.
    """
    if request.method != "POST":
        return ""
    try:
        return str(json.loads(request.body)["metadata"]["name"])
    except (ValueError, KeyError, TypeError):
        return ""


def write(cluster: Cluster, request: Request, route: Route) -> Reply:
    """Handle a write request. Raises: Refused."""
    if route.verb == "create":
        return _create(cluster, request, route)
    if route.verb in ("update", "patch"):
        return _update(cluster, request, route)
    if route.verb == "delete":
        return _delete(cluster, request, route)
    return _delete_many(cluster, request, route)


def _body(request: Request) -> Object:
    try:
        body = json.loads(request.body or b"null")
    except ValueError as error:
        raise Refused(
            400, "BadRequest", f"couldn't get version/kind; json parse error: {error}"
        ) from error
    if not isinstance(body, dict):
        raise Refused(
            400,
            "BadRequest",
            "couldn't get version/kind; json parse error: the body has to be an object",
        )
    return body


def _create(cluster: Cluster, request: Request, route: Route) -> Reply:
    resource = route.resource
    if route.subresource == "eviction" and resource is PODS:
        return _evict(cluster, route)
    if route.name or resource not in (JOBS, NAMESPACES, QUOTAS):
        raise Refused(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
    body = _body(request)
    warnings: list[str] = []
    if resource is JOBS:
        body, warnings = check_job(body, request.query.get("fieldValidation", "Warn"))
    meta = _named(cluster, dict(body.get("metadata") or {}), route)
    obj = {**body, "metadata": meta}
    if resource.namespaced:
        _admit(cluster, resource, obj)
    if cluster.store.get(resource, key_of(obj)):
        message = f'{resource.qualified} "{meta["name"]}" already exists'
        raise Refused(
            409,
            "AlreadyExists",
            message,
            name=meta["name"],
            group=resource.group,
            kind=resource.plural,
        )
    if request.query.get("dryRun"):
        return json_reply(obj, 201)
    obj = _store(cluster, resource, obj)
    version = cluster.store.version(resource, key_of(obj))
    if version is None:
        raise RuntimeError("the created object does not exist")
    headers = {"Warning": ", ".join(f'299 - "{words}"' for words in warnings)} if warnings else {}
    return Reply(201, version.raw, headers)


def _named(cluster: Cluster, meta: dict[str, Any], route: Route) -> dict[str, Any]:
    """Return the metadata with a name and the namespace of the path."""
    if route.resource.namespaced:
        if meta.get("namespace", route.namespace) != route.namespace:
            raise Refused(
                400,
                "BadRequest",
                "the namespace of the provided object does not match the namespace sent on the "
                "request",
            )
        meta["namespace"] = route.namespace
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = meta["generateName"][:58] + cluster.store.new_suffix()
    if not meta.get("name"):
        raise Refused(
            422,
            "Invalid",
            f'{route.resource.kind} "" is invalid: metadata.name: Required value: name or '
            "generateName is required",
        )
    return meta


def _admit(cluster: Cluster, resource: Resource, obj: Object) -> None:
    """Check the admission of an object. Raises: Refused, for a missing namespace or a quota."""
    namespace = obj["metadata"]["namespace"]
    if cluster.store.get(NAMESPACES, ("", namespace)) is None:
        raise not_found(NAMESPACES, namespace)
    if refusal := quota_refusal(cluster.store, resource, obj) if resource is JOBS else "":
        name = obj["metadata"]["name"]
        message = f'{resource.qualified} "{name}" is forbidden: {refusal}'
        raise Refused(
            403, "Forbidden", message, name=name, group=resource.group, kind=resource.plural
        )


def _store(cluster: Cluster, resource: Resource, obj: Object) -> Object:
    if resource is NAMESPACES:
        return cluster.add_namespace(obj["metadata"]["name"])
    if resource is JOBS:
        uid = cluster.store.new_uid()
        return cluster.store.create(resource, job_with_defaults(obj, uid=uid), uid=uid)
    kept = {
        name: value for name, value in obj.items() if name not in ("kind", "apiVersion", "status")
    }
    return cluster.store.create(resource, kept)


def _update(cluster: Cluster, request: Request, route: Route) -> Reply:
    """Replace an object or apply a merge patch; only for Jobs and their metadata."""
    if route.resource is not JOBS or route.subresource:
        raise Refused(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
    old = cluster.store.get(JOBS, (route.namespace, route.name))
    if old is None:
        raise not_found(JOBS, route.name)
    body = _body(request)
    if route.verb == "patch" and "merge-patch" not in request.headers.get("content-type", ""):
        raise Refused(415, "UnsupportedMediaType", "this fake knows merge patches only")
    new = merged(old, body) if route.verb == "patch" else {**body, "status": old["status"]}
    told = (new.get("metadata") or {}).get("resourceVersion", old["metadata"]["resourceVersion"])
    if told != old["metadata"]["resourceVersion"]:
        message = (
            "the object has been modified; please apply your changes to the latest version and "
            "try again"
        )
        raise Refused(
            409,
            "Conflict",
            f'Operation cannot be fulfilled on jobs.batch "{route.name}": {message}',
        )
    check_job_update(old, new)
    own = (
        "uid",
        "creationTimestamp",
        "namespace",
        "name",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    )
    meta = {
        **new["metadata"],
        **{name: old["metadata"][name] for name in own if name in old["metadata"]},
    }
    changed = new["spec"] != old["spec"]
    meta["generation"] += changed
    cluster.store.update(JOBS, {"metadata": meta, "spec": new["spec"], "status": old["status"]})
    version = cluster.store.version(JOBS, key_of(old))
    return Reply(200, version.raw if version else b"{}")


def merged(old: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    found = dict(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), value)
    return found


def _options(request: Request) -> dict[str, Any]:
    """Return the DeleteOptions of the body, else of the query."""
    body = _body(request) if request.body.strip() else {}
    query = request.query
    grace = body.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    policy = body.get("propagationPolicy") or query.get("propagationPolicy") or ""
    if policy and policy not in POLICIES:
        known = ", ".join(f'"{each}"' for each in POLICIES)
        message = (
            'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Invalid value: '
            f'"{policy}": needs to be one of {known}'
        )
        raise Refused(422, "Invalid", message)
    return {
        "grace": None if grace is None else float(grace),
        "policy": policy,
        "preconditions": body.get("preconditions") or {},
    }


def _delete(cluster: Cluster, request: Request, route: Route) -> Reply:
    resource, key = route.resource, (route.namespace, route.name)
    obj = cluster.store.get(resource, key)
    if obj is None:
        raise not_found(resource, route.name)
    options = _options(request)
    meta = obj["metadata"]
    for field, label in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        wanted = options["preconditions"].get(field)
        if wanted and wanted != meta[field]:
            why = (
                f"Precondition failed: {label} in precondition: {wanted}, {label} in object meta: "
                f"{meta[field]}"
            )
            raise Refused(
                409,
                "Conflict",
                f'Operation cannot be fulfilled on {resource.qualified} "{route.name}": {why}',
                name=route.name,
            )
    left = _deleted(cluster, resource, obj, options)
    if left:
        return json_reply({"kind": resource.kind, "apiVersion": resource.api_version, **left})
    details = {
        "name": route.name,
        **({"group": resource.group} if resource.group else {}),
        "kind": resource.plural,
        "uid": meta["uid"],
    }
    headers = {}
    if resource is JOBS and not options["policy"]:
        message = (
            "child pods are preserved by default when jobs are deleted; set "
            "propagationPolicy=Background to remove them or set "
        )
        headers["Warning"] = f'299 - "{message}propagationPolicy=Orphan to suppress this warning"'
    done = json_reply(
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": details,
        }
    )
    done.headers = headers
    return done


def _deleted(
    cluster: Cluster, resource: Resource, obj: Object, options: dict[str, Any]
) -> Object | None:
    """Return the remaining object after a deletion, if any."""
    if resource is JOBS:
        return cluster.jobs.delete(obj, options["policy"] or "Orphan")
    if resource is PODS:
        grace = options["grace"]
        return cluster.kubelets.delete(obj, grace_seconds=grace, force=grace == 0)
    if resource is NAMESPACES:
        for kind in (JOBS, PODS, EVENTS, QUOTAS):
            for version in [
                each for each in cluster.store.all(kind) if each.key[0] == obj["metadata"]["name"]
            ]:
                _deleted(cluster, kind, version.obj, {"policy": "Background", "grace": None})
    cluster.store.remove(resource, key_of(obj))
    return None


def _delete_many(cluster: Cluster, request: Request, route: Route) -> Reply:
    options, wanted = _options(request), fits(route, request.query)
    for version in [each for each in cluster.store.all(route.resource) if wanted(each)]:
        _deleted(
            cluster,
            route.resource,
            version.obj,
            {**options, "policy": options["policy"] or "Background"},
        )
    return json_reply({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})


def _evict(cluster: Cluster, route: Route) -> Reply:
    from tests.fakes.kubernetes.scripts import Act

    if cluster.store.get(PODS, (route.namespace, route.name)) is None:
        raise not_found(PODS, route.name)
    cluster.act(route.name, Act.EVICT_REQUEST)
    return json_reply(
        {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}, 201
    )
