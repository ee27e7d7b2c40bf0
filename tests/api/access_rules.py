"""Access rules: the required caller of every route, method and WebSocket of the orchestrator."""

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

# Required caller. `signed`: any signed-in user; `site`: a site administrator; `worker`: the token
# of its own attempt.
PUBLIC, SIGNED, SITE, STAFF, PAGE = "public", "signed", "site", "staff", "page"
VIEWER, OPERATOR, MAINTAINER, WORKER = "viewer", "operator", "maintainer", "worker"
_JOB = {"type": "pipeline_execution", "parameters": {"pipeline": "echo"}}
TWIN = {
    "types": [
        {"name": "thing", "key": {"name": "id"}, "properties": [{"name": "n", "type": "number"}]}
    ]
}
_DEFINITION = {"steps": [{"id": "a", "uses": "command", "with": {"argv": ["true"]}}]}
RULES: dict[tuple[str, str], tuple[str, Any]] = {
    ("api/schema/", "GET"): (SIGNED, None),
    ("api/docs/", "GET"): (PAGE, None),
    ("metrics", "GET"): (
        PUBLIC,
        None,
    ),  # `mimir.api.port_access` asks for METRICS_TOKEN first; the frontend does not pass it on
    ("api/v1/job-types/", "GET"): (SIGNED, None),
    ("api/v1/step-types/", "GET"): (SIGNED, None),
    ("api/v1/session/", "POST"): (PUBLIC, {"username": "x", "password": "y"}),
    ("api/v1/session/", "GET"): (SIGNED, None),
    ("api/v1/session/", "DELETE"): (SIGNED, None),
    ("api/v1/sessions/", "GET"): (SIGNED, None),
    ("api/v1/sessions/", "DELETE"): (SIGNED, None),
    ("api/v1/sessions/<uuid:session_id>/", "DELETE"): ("own", None),
    ("api/v1/password/", "POST"): ("password", {"current_password": "wrong", "new_password": "y"}),
    ("api/v1/password-link/", "POST"): ("link", {"uid": "MQ", "token": "x-y"}),
    ("api/v1/users/", "GET"): (SITE, None),
    ("api/v1/users/", "POST"): (SITE, {"username": "new"}),
    ("api/v1/users/<str:username>/", "GET"): (SITE, None),
    ("api/v1/users/<str:username>/", "PATCH"): (SITE, {"is_active": False}),
    ("api/v1/users/<str:username>/reset-link/", "POST"): (SITE, {}),
    ("api/v1/tokens/", "GET"): (SIGNED, None),
    ("api/v1/tokens/", "POST"): (SIGNED, {"name": "t"}),
    ("api/v1/tokens/<uuid:token_id>/", "GET"): ("own", None),
    ("api/v1/tokens/<uuid:token_id>/", "DELETE"): ("own", None),
    ("api/v1/projects/", "GET"): (SIGNED, None),
    ("api/v1/projects/", "POST"): (SIGNED, {"slug": "new", "name": "New"}),
    ("api/v1/projects/<str:slug>/", "GET"): (VIEWER, None),
    ("api/v1/projects/<str:slug>/", "PATCH"): (MAINTAINER, {"name": "Other"}),
    ("api/v1/projects/<str:slug>/members/", "GET"): (VIEWER, None),
    ("api/v1/projects/<str:slug>/members/", "POST"): (
        MAINTAINER,
        {"username": "stranger", "role": "viewer"},
    ),
    ("api/v1/projects/<str:slug>/members/<str:username>/", "GET"): (VIEWER, None),
    ("api/v1/projects/<str:slug>/members/<str:username>/", "PUT"): (MAINTAINER, {"role": "viewer"}),
    ("api/v1/projects/<str:slug>/members/<str:username>/", "PATCH"): (
        MAINTAINER,
        {"role": "viewer"},
    ),
    ("api/v1/projects/<str:slug>/members/<str:username>/", "DELETE"): (MAINTAINER, None),
    ("api/v1/projects/<str:slug>/datasets/", "GET"): (VIEWER, None),
    ("api/v1/projects/<str:slug>/twins/", "GET"): (VIEWER, None),
    ("api/v1/projects/<str:slug>/twins/", "POST"): (
        MAINTAINER,
        {"name": "town", "definition": TWIN},
    ),
    ("api/v1/projects/<str:slug>/twins/validate/", "POST"): (VIEWER, {"definition": TWIN}),
    ("api/v1/projects/<str:slug>/twins/<str:name>/", "GET"): (VIEWER, None),
    ("api/v1/projects/<str:slug>/twins/<str:name>/definition/", "PUT"): (
        MAINTAINER,
        {"definition": TWIN},
    ),
    ("api/v1/projects/<str:slug>/twins/<str:name>/revisions/", "GET"): (VIEWER, None),
    ("api/v1/projects/<str:slug>/twins/<str:name>/revisions/<str:number>/state/", "GET"): (
        VIEWER,
        None,
    ),
    ("api/v1/projects/<str:slug>/twins/<str:name>/revisions/<str:number>/diff/", "GET"): (
        VIEWER,
        None,
    ),
    ("api/v1/projects/<str:slug>/twins/<str:name>/entity/", "GET"): (VIEWER, None),
    ("api/v1/projects/<str:slug>/twins/<str:name>/entity/overlay/", "PATCH"): (
        OPERATOR,
        {"values": {"n": 1}},
    ),
    ("api/v1/projects/<str:slug>/twins/<str:name>/entity/history/", "GET"): (VIEWER, None),
    ("api/v1/projects/<str:slug>/twins/<str:name>/entities/", "GET"): (VIEWER, None),
    ("api/v1/projects/<str:slug>/twins/<str:name>/entities/<str:type>/<path:key>/", "GET"): (
        VIEWER,
        None,
    ),
    (
        "api/v1/projects/<str:slug>/twins/<str:name>/entities/<str:type>/<path:key>/overlay/",
        "PATCH",
    ): (OPERATOR, {"values": {"n": 1}}),
    (
        "api/v1/projects/<str:slug>/twins/<str:name>/entities/<str:type>/<path:key>/history/",
        "GET",
    ): (VIEWER, None),
    ("api/v1/projects/<str:slug>/datasets/", "POST"): (MAINTAINER, "upload"),
    ("api/v1/projects/<str:slug>/uploads/", "GET"): (MAINTAINER, None),
    ("api/v1/projects/<str:slug>/uploads/", "POST"): (MAINTAINER, "staged"),
    ("api/v1/projects/<str:slug>/uploads/<uuid:upload_id>/", "GET"): ("staged", None),
    ("api/v1/projects/<str:slug>/uploads/<uuid:upload_id>/", "PATCH"): ("staged", {}),
    ("api/v1/projects/<str:slug>/uploads/<uuid:upload_id>/", "DELETE"): ("staged", None),
    ("api/v1/projects/<str:slug>/uploads/<uuid:upload_id>/accept/", "POST"): (
        "staged",
        {"name": "t"},
    ),
    ("api/v1/projects/<str:slug>/uploads/<uuid:upload_id>/accept-sheets/", "POST"): (
        "staged",
        {"datasets": [{"sheet": "a", "name": "t"}]},
    ),
    ("api/v1/projects/<str:slug>/datasets/<str:name>/", "GET"): (VIEWER, None),
    ("api/v1/projects/<str:slug>/datasets/<str:name>/", "PATCH"): (
        MAINTAINER,
        {"current_version": 1},
    ),
    ("api/v1/projects/<str:slug>/datasets/<str:name>/", "DELETE"): (MAINTAINER, None),
    ("api/v1/projects/<str:slug>/datasets/<str:name>/versions/<str:number>/", "GET"): (
        VIEWER,
        None,
    ),
    ("api/v1/projects/<str:slug>/datasets/<str:name>/versions/<str:number>/", "DELETE"): (
        MAINTAINER,
        None,
    ),
    ("api/v1/projects/<str:slug>/datasets/<str:name>/versions/<str:number>/rows/", "GET"): (
        VIEWER,
        None,
    ),
    ("api/v1/projects/<str:slug>/datasets/<str:name>/versions/<str:number>/content/", "GET"): (
        VIEWER,
        None,
    ),
    ("api/v1/projects/<str:slug>/datasets/<str:name>/versions/<str:number>/profile/", "GET"): (
        VIEWER,
        None,
    ),
    ("api/v1/projects/<str:slug>/models/", "GET"): (VIEWER, None),
    ("api/v1/projects/<str:slug>/models/<str:name>/", "GET"): (VIEWER, None),
    ("api/v1/projects/<str:slug>/models/<str:name>/versions/<str:number>/", "GET"): (VIEWER, None),
    ("api/v1/projects/<str:slug>/models/<str:name>/versions/<str:number>/content/", "GET"): (
        VIEWER,
        None,
    ),
    ("api/v1/projects/<str:slug>/pipelines/", "GET"): (VIEWER, None),
    ("api/v1/projects/<str:slug>/pipelines/", "POST"): (
        MAINTAINER,
        {"name": "p", "definition": _DEFINITION},
    ),
    ("api/v1/projects/<str:slug>/pipelines/validate/", "POST"): (
        VIEWER,
        {"definition": _DEFINITION},
    ),
    ("api/v1/projects/<str:slug>/pipelines/<str:name>/", "GET"): (VIEWER, None),
    ("api/v1/projects/<str:slug>/jobs/", "GET"): (VIEWER, None),
    ("api/v1/projects/<str:slug>/jobs/", "POST"): (OPERATOR, _JOB),
    ("api/v1/projects/<str:slug>/jobs/counts/", "GET"): (VIEWER, None),
    ("api/v1/projects/<str:slug>/lineage/", "GET"): (VIEWER, None),
    ("api/v1/projects/<str:slug>/recommendation/", "GET"): (VIEWER, None),
    ("api/v1/projects/<str:slug>/summary/", "GET"): (VIEWER, None),
    ("api/v1/jobs/<uuid:job_id>/", "GET"): (VIEWER, None),
    ("api/v1/jobs/<uuid:job_id>/cancel/", "POST"): (OPERATOR, {}),
    ("api/v1/jobs/<uuid:job_id>/retry/", "POST"): (OPERATOR, {}),
    ("api/v1/jobs/<uuid:job_id>/dismissal/", "PUT"): (VIEWER, {}),
    ("api/v1/jobs/<uuid:job_id>/dismissal/", "DELETE"): (VIEWER, None),
    ("api/v1/jobs/<uuid:job_id>/events/", "GET"): (VIEWER, None),
    ("api/v1/jobs/<uuid:job_id>/attempts/", "GET"): (VIEWER, None),
    ("api/v1/jobs/<uuid:job_id>/logs/", "GET"): (VIEWER, None),
    ("api/v1/jobs/<uuid:job_id>/logs/search/", "GET"): (VIEWER, None),
    ("api/v1/jobs/<uuid:job_id>/usage/", "GET"): (VIEWER, None),
    ("api/v1/jobs/<uuid:job_id>/time/", "GET"): (VIEWER, None),
    ("api/v1/jobs/<uuid:job_id>/export/", "GET"): (VIEWER, None),
    ("api/v1/jobs/<uuid:job_id>/compare/<uuid:other_id>/", "GET"): (VIEWER, None),
    ("api/v1/jobs/<uuid:job_id>/last-success/", "GET"): (VIEWER, None),
    ("api/v1/jobs/<uuid:job_id>/artifacts/", "GET"): (VIEWER, None),
    ("api/v1/jobs/<uuid:job_id>/artifacts/<str:name>/", "GET"): (VIEWER, None),
    ("api/v1/system/", "GET"): (SITE, None),
    ("api/v1/clusters/", "GET"): (SITE, None),
    ("api/v1/clusters/", "POST"): (SITE, {"name": "eu-1", "capacity": {"jobs": 1}}),
    ("api/v1/clusters/<str:name>/", "GET"): (SITE, None),
    ("api/v1/clusters/<str:name>/", "PATCH"): (SITE, {"enabled": False}),
    ("api/v1/clusters/<str:name>/", "DELETE"): (SITE, None),
    ("api/v1/projects/<str:slug>/clusters/", "GET"): (VIEWER, None),
    ("api/v1/limits/", "GET"): (SITE, None),
    ("api/v1/limits/", "PATCH"): (SITE, {"scope": "global", "max_jobs": 5}),
    ("worker/v1/attempts/<uuid:attempt_id>/claim", "POST"): (WORKER, {"claim_id": "CLAIM"}),
    ("worker/v1/attempts/<uuid:attempt_id>/heartbeat", "POST"): (
        WORKER,
        {"memory_bytes": 1, "peak_memory_bytes": 1, "cpu_millicores": 1},
    ),
    ("worker/v1/attempts/<uuid:attempt_id>/events", "POST"): (WORKER, {"events": []}),
    ("worker/v1/attempts/<uuid:attempt_id>/logs", "POST"): (WORKER, b""),
    ("worker/v1/attempts/<uuid:attempt_id>/artifacts/<str:name>", "PUT"): (WORKER, b""),
    ("worker/v1/attempts/<uuid:attempt_id>/inputs/<str:name>", "GET"): (WORKER, None),
    ("worker/v1/attempts/<uuid:attempt_id>/finish", "POST"): (WORKER, {}),
    ("worker/v1/attempts/<uuid:attempt_id>/finish-with-events", "POST"): (WORKER, {}),
}
ADMIN = "admin/"  # The Django admin, with one rule for all of its pages
SOCKETS = {"ws/jobs/<str:job_id>/": VIEWER, "ws/projects/<str:slug>/": VIEWER, "^.*$": PUBLIC}
METHODS = ("get", "post", "put", "patch", "delete")


def routes(patterns: Any = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route, pattern.callback


def found_routes() -> set[tuple[str, str]]:
    found = set()
    for route, view in routes():
        if route.startswith(ADMIN):
            continue
        kind = getattr(view, "cls", None) or getattr(view, "view_class", None)
        methods = [
            method.upper() for method in METHODS if kind is not None and hasattr(kind, method)
        ] or ["GET"]
        found |= {(route, method) for method in methods}
    return found
