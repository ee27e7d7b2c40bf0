"""Access table: permissions of every route and WebSocket. A route without a rule fails."""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from jobs.core.tokens import launch_token, session_token
from jobs.live.routing import websocket_application, websocket_routes
from jobs.models import Artifact, Attempt, Job
from projects.models import AccessToken, Project, Role
from projects.storage import artifacts
from projects.tokens.write import session_create, token_create
from tests.support import make

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]

# Required caller. `signed`: any signed-in user; `site`: a site administrator; `worker`: the token
# of its own attempt.
PUBLIC, SIGNED, SITE, STAFF, PAGE = "public", "signed", "site", "staff", "page"
VIEWER, OPERATOR, MAINTAINER, WORKER = "viewer", "operator", "maintainer", "worker"
RANK = {"viewer": 1, "operator": 2, "maintainer": 3}
PEOPLE = ("nobody", "expired", "stranger", "viewer", "operator", "maintainer", "worker")

_JOB = {"type": "pipeline_execution", "parameters": {"pipeline": "echo"}}
_TWIN = {
    "types": [
        {"name": "thing", "key": {"name": "id"}, "properties": [{"name": "n", "type": "number"}]}
    ]
}
_DEFINITION = {"steps": [{"id": "a", "uses": "command", "with": {"argv": ["true"]}}]}

# Extra arguments of a route besides its path.
_QUERIES = {
    "logs/search/": "?q=x",
    "lineage/": "?of=dataset:t@1",
    "diff/": "?to=0",
    "/entity/": "?type=thing&key=1",
}

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
        {"name": "town", "definition": _TWIN},
    ),
    ("api/v1/projects/<str:slug>/twins/validate/", "POST"): (VIEWER, {"definition": _TWIN}),
    ("api/v1/projects/<str:slug>/twins/<str:name>/", "GET"): (VIEWER, None),
    ("api/v1/projects/<str:slug>/twins/<str:name>/definition/", "PUT"): (
        MAINTAINER,
        {"definition": _TWIN},
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
}
ADMIN = "admin/"  # Django's own: one rule for all of it, below
SOCKETS = {"ws/jobs/<str:job_id>/": VIEWER, "ws/projects/<str:slug>/": VIEWER, "^.*$": PUBLIC}
METHODS = ("get", "post", "put", "patch", "delete")


def _routes(patterns: Any = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route, pattern.callback


def _found() -> set[tuple[str, str]]:
    found = set()
    for route, view in _routes():
        if route.startswith(ADMIN):
            continue
        kind = getattr(view, "cls", None) or getattr(view, "view_class", None)
        methods = [
            method.upper() for method in METHODS if kind is not None and hasattr(kind, method)
        ] or ["GET"]
        found |= {(route, method) for method in methods}
    return found


def test_every_route_has_a_rule_and_every_rule_a_route() -> None:
    assert _found() == RULES.keys()


def test_every_socket_has_a_rule_and_every_rule_a_socket() -> None:
    assert {str(route.pattern) for route in websocket_routes} == SOCKETS.keys()


@dataclass
class World:
    """A project with one of everything, a worker that runs, and a token of each kind of person."""

    project: Project
    job: Job
    attempt: Attempt
    tokens: dict[str, str]
    own_token: AccessToken
    own_session: AccessToken


@pytest.fixture
def world() -> World:
    project = make.project()
    key = artifacts.backend().save("datasets/access", ContentFile(b"a\n1\n"))
    table = make.dataset_version(
        project,
        "t",
        storage_key=key,
        size_bytes=4,
        row_count=1,
        schema=[{"name": "a", "type": "BIGINT"}],
    )
    make.model_version(table, "t", storage_key=table.storage_key, size_bytes=table.size_bytes)
    make.twin(project, "t", _TWIN, {"1": {"n": 1}})
    attempt = make.claimed()
    key = artifacts.backend().save("artifacts/access", ContentFile(b"x"))
    Artifact.objects.create(
        attempt=attempt,
        name="x.txt",
        size_bytes=1,
        sha256="0" * 64,
        media_type="text/plain",
        storage_key=key,
    )
    people = {role.value: make.member(project, role.value, role) for role in Role} | {
        "stranger": make.user("stranger")
    }
    tokens = {name: session_create(user=user).token for name, user in people.items()}
    expired = session_create(user=people["maintainer"])
    AccessToken.objects.filter(id=expired.row.id).update(
        expires_at=dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    )
    assert attempt.claim_id is not None
    tokens |= {"expired": expired.token, "worker": session_token(attempt.id, attempt.claim_id)}
    own = token_create(user=people["maintainer"], name="own", expires_at=None)
    return World(
        project,
        attempt.job,
        attempt,
        tokens,
        own.row,
        session_create(user=people["maintainer"]).row,
    )


def _path(world: World, route: str) -> str:
    values = {
        "<str:slug>": world.project.slug,
        "<uuid:job_id>": str(world.job.id),
        "<uuid:attempt_id>": str(world.attempt.id),
        "<uuid:token_id>": str(world.own_token.id),
        "<uuid:session_id>": str(world.own_session.id),
        "<uuid:upload_id>": str(uuid4()),
        "<str:number>": "latest",
        "<str:username>": "viewer",
        "<str:type>": "thing",
        "<path:key>": "1",
    }
    for part, value in values.items():
        route = route.replace(part, value)
    name = "x.txt" if "artifacts" in route else "echo" if "pipelines" in route else "t"
    route = route.replace("<str:name>", name)
    query = next((query for part, query in _QUERIES.items() if part in route), "")
    return f"/{route}{query}"


def _ask(world: World, route: str, method: str, body: Any, token: str | None) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    arguments: dict[str, Any] = {"headers": headers}
    if body in ("upload", "staged"):
        named = {"name": "t"} if body == "upload" else {}
        return Client().post(
            _path(world, route),
            {**named, "file": SimpleUploadedFile("t.csv", b"a\n1\n")},
            **arguments,
        )
    if isinstance(body, bytes):
        arguments |= {"data": body, "content_type": "application/octet-stream"}
    elif body is not None:
        text = json.dumps(body).replace("CLAIM", str(world.attempt.claim_id))
        arguments |= {"data": text, "content_type": "application/json"}
    return getattr(Client(raise_request_exception=False), method.lower())(
        _path(world, route), **arguments
    )


@pytest.mark.parametrize(("route", "method"), sorted(RULES))
def test_access(world: World, route: str, method: str) -> None:
    need, body = RULES[route, method]
    for person in PEOPLE:
        status = _ask(world, route, method, body, world.tokens.get(person)).status_code
        _judge(need, person, status)


def _judge(need: str, person: str, status: int) -> None:
    mismatch = f"{person} got {status}, the rule is {need}"
    if need == PUBLIC:
        assert status in (200, 401), mismatch  # 401: the sign-in itself, with a wrong password
    elif need == "link":
        assert status == 400, mismatch  # no role is needed for a link, and this link is wrong
    elif need == PAGE:
        assert status == (302 if person in ("nobody", "expired", "worker") else 200), (
            mismatch
        )  # to the sign-in page
    elif need == WORKER:
        # Calls with an empty body may be refused for that, and the claim takes the launch token:
        # never let in, never 5xx.
        assert (status == 401) if person != "worker" else status < 500, mismatch
    elif person in ("nobody", "expired", "worker"):
        assert status == 401, mismatch
    elif need == "staged":
        assert status == (403 if person in ("viewer", "operator") else 404), (
            mismatch
        )  # of maintainers only their own, and this one is nobody's
    elif need == "password":
        assert status == 400, mismatch  # the current one is wrong
    elif need == SIGNED:
        assert status < 300 or status == 409, mismatch
    elif need == "own":
        assert status in (200, 204) if person == "maintainer" else status == 404, mismatch
    elif need == SITE:
        assert status == 403, mismatch
    elif person == "stranger":
        assert status == 404, mismatch
    elif RANK[person] < RANK[need]:
        assert status == 403, mismatch
    else:
        assert status < 300 or status == 409, mismatch


@pytest.mark.parametrize(
    "call", ["heartbeat", "events", "finish", "inputs/t", "artifacts/x.txt", "logs?offset=0"]
)
def test_a_worker_opens_its_own_attempt_only(world: World, call: str) -> None:
    other = _other_attempt(world)
    assert other.claim_id is not None
    foreign = session_token(other.id, other.claim_id)
    method = {"inputs/t": "get", "artifacts/x.txt": "put"}.get(call, "post")
    path = f"/worker/v1/attempts/{world.attempt.id}/{call}"
    for token in (
        foreign,
        launch_token(world.attempt.id),
        session_token(world.attempt.id, uuid4()),
        "x",
    ):
        response = Client().generic(
            method.upper(),
            path,
            b"{}",
            "application/json",
            headers={"Authorization": f"Bearer {token}"},
        )
        assert response.status_code == 401


def _other_attempt(world: World) -> Attempt:
    from jobs.models import Cluster

    Cluster.objects.update(capacity_jobs=10)
    return make.claimed()


def test_a_workers_token_ends_with_its_attempt_but_for_the_log_until_that_is_closed(
    world: World,
) -> None:
    headers = {"Authorization": f"Bearer {world.tokens['worker']}"}
    base = f"/worker/v1/attempts/{world.attempt.id}"
    line = make.LINE + b"late\n"
    make.launcher().obeys = False
    make.launcher().leave_processes(world.attempt.name, 1)
    make.reconcile()

    def post(call: str, data: Any, kind: str = "application/json") -> int:
        return (
            Client()
            .post(f"{base}/{call}", data=data, content_type=kind, headers=headers)
            .status_code
        )

    beat = json.dumps({"memory_bytes": 1, "peak_memory_bytes": 1, "cpu_millicores": 1})
    assert post("heartbeat", beat) == 410
    assert post("events", json.dumps({"events": []})) == 410
    assert Client().get(f"{base}/inputs/t", headers=headers).status_code == 410
    assert Client().put(f"{base}/artifacts/y", data=b"", headers=headers).status_code == 410
    assert post("logs?offset=0", line, "application/octet-stream") == 200
    make.launcher().end(world.attempt.name)
    make.settle()
    assert post(f"logs?offset={len(line)}", line, "application/octet-stream") == 410


def test_a_workers_token_ends_when_its_result_is_accepted_but_for_that_same_report(
    world: World,
) -> None:
    headers = {"Authorization": f"Bearer {world.tokens['worker']}"}
    base = f"/worker/v1/attempts/{world.attempt.id}"
    make.log(world.attempt, b"one")
    assert make.finish(world.attempt) == "succeeded"

    def ask(method: str, call: str, data: Any = "{}", kind: str = "application/json") -> int:
        return (
            Client()
            .generic(method, f"{base}/{call}", data, content_type=kind, headers=headers)
            .status_code
        )

    beat = json.dumps({"memory_bytes": 1, "peak_memory_bytes": 1, "cpu_millicores": 1})
    assert ask("POST", "heartbeat", beat) == 410
    assert ask("POST", "events", json.dumps({"events": []})) == 410
    assert ask("GET", "inputs/t") == 410
    assert ask("PUT", "artifacts/late.txt", b"x", "application/octet-stream") == 410
    world.attempt.refresh_from_db()
    assert (
        ask(
            "POST",
            f"logs?offset={world.attempt.log_end}",
            make.LINE + b"late\n",
            "application/octet-stream",
        )
        == 410
    )
    assert not Artifact.objects.filter(name="late.txt").exists()
    assert world.attempt.log_closed_at is not None


def test_a_launch_token_opens_the_claim_of_its_own_attempt_until_that_ended(world: World) -> None:
    other = _other_attempt(world)

    def claim(attempt: Attempt, token: str, claim_id: object) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        body = json.dumps({"claim_id": str(claim_id)})
        return (
            Client()
            .post(
                f"/worker/v1/attempts/{attempt.id}/claim",
                body,
                content_type="application/json",
                headers=headers,
            )
            .status_code
        )

    own = launch_token(world.attempt.id)
    assert claim(world.attempt, own, world.attempt.claim_id) == 200, (
        "the same claim again has its answer again"
    )
    assert claim(world.attempt, own, uuid4()) == 409
    assert claim(other, own, other.claim_id) == 401
    assert claim(world.attempt, world.tokens["worker"], world.attempt.claim_id) == 401
    make.finish(world.attempt)
    assert claim(world.attempt, own, world.attempt.claim_id) == 410


@pytest.mark.parametrize("route", sorted(SOCKETS))
async def test_access_to_a_socket(world: World, route: str) -> None:
    path = "/" + route.replace("<str:job_id>", str(world.job.id)).replace(
        "<str:slug>", world.project.slug
    ).replace("^.*$", "ws/other/")
    for person in PEOPLE:
        expected = {"nobody": 4401, "expired": 4401, "worker": 4401, "stranger": 4404}.get(person)
        if SOCKETS[route] == PUBLIC:
            expected = 4404
        token = world.tokens.get(person)
        headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
        socket = WebsocketCommunicator(websocket_application, path, headers=headers)
        await socket.connect()
        first = await socket.receive_output(timeout=10)
        code = first.get("code") if first["type"] == "websocket.close" else None
        assert code == expected, f"{person} at {route}: {code}"
        await socket.disconnect()


ADMIN_OPEN = {"admin/login/", "admin/logout/", "admin/jsi18n/"}


def _admin_paths(world: World) -> list[str]:
    """Every address of the admin's resolver, with values for its variable parts."""
    routes = [route for route, _view in _routes() if route.startswith(ADMIN)]
    named = {
        "<path:object_id>": str(world.job.id),
        "<int:content_type_id>": "1",
        "<id>": "1",
        "<url>": "x",
        "<app_label>": "jobs",
    }
    paths = []
    for route in routes:
        if "(?P" in route:  # Django's own: one application's index, and the catch-all
            route = ADMIN + ("jobs/" if "app_label" in route else "no-such-page")
        for part, value in named.items():
            route = (
                route.replace(part, value)
                .replace(f"<path:{part[1:]}", value)
                .replace(f"<str:{part[1:]}", value)
            )
        paths.append("/" + route.replace("\\Z", ""))
    assert len(paths) > 60
    return paths


def test_the_admin_is_for_staff_alone(world: World) -> None:
    """Nobody, members of any role and staff without rights see no page but the sign-in.

    A Bearer token opens none.
    """
    for path in _admin_paths(world):
        for person in ("nobody", "maintainer", "worker"):
            token = world.tokens.get(person)
            answer = Client().get(
                path, headers={"Authorization": f"Bearer {token}"} if token else {}
            )
            if path.removeprefix("/") not in ADMIN_OPEN:
                assert answer.status_code in (302, 404), (path, person)
                assert answer.status_code == 404 or answer["Location"].startswith(
                    "/admin/login/"
                ), (path, answer["Location"])
    client = Client()
    client.force_login(User.objects.get(username="maintainer"))
    assert client.get("/admin/jobs/job/").status_code == 302
    client.force_login(make.user("clerk", is_staff=True))
    for path in (
        "/admin/jobs/job/",
        f"/admin/jobs/job/{world.job.id}/change/",
        "/admin/jobs/limit/add/",
        "/admin/projects/accesstoken/",
    ):
        assert client.get(path).status_code == 403, path
    client.force_login(make.user("boss", is_staff=True, is_superuser=True))
    assert client.get("/admin/jobs/job/").status_code == 200


async def test_a_cookie_opens_no_socket_of_the_orchestrator(world: World) -> None:
    """The frontend turns cookies into Bearer and checks the Origin there; here they are nothing."""
    client = Client()
    user = await database_sync_to_async(User.objects.get)(username="maintainer")
    await database_sync_to_async(client.force_login)(user)
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    socket = WebsocketCommunicator(
        websocket_application, f"/ws/jobs/{world.job.id}/", headers=[(b"cookie", cookie.encode())]
    )
    await socket.connect()
    first = await socket.receive_output(timeout=10)
    assert (first["type"], first.get("code")) == ("websocket.close", 4401)
    await socket.disconnect()
