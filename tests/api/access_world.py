"""A project with one object of each kind, and a token of each kind of caller."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from jobs.models import Attempt, Job
from projects.models import AccessToken, Project
from tests.support import make

PEOPLE = ("nobody", "expired", "stranger", "viewer", "operator", "maintainer", "worker")
# Extra arguments of a route besides its path.
_QUERIES = {
    "logs/search/": "?q=x",
    "lineage/": "?of=dataset:t@1",
    "recommendation/": "?type=pipeline_execution&name=echo",
    "diff/": "?to=0",
    "/entity/": "?type=thing&key=1",
}


@dataclass
class World:
    """A project with one object of each kind, a running worker, and a token per kind of caller."""

    project: Project
    job: Job
    attempt: Attempt
    tokens: dict[str, str]
    own_token: AccessToken
    own_session: AccessToken


def _path(world: World, route: str) -> str:
    values = {
        "<str:slug>": world.project.slug,
        "<uuid:job_id>": str(world.job.id),
        "<uuid:other_id>": str(world.job.id),
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


def request_as(world: World, route: str, method: str, body: Any, token: str | None) -> Any:
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


def other_attempt(world: World) -> Attempt:
    from jobs.models import Cluster

    Cluster.objects.update(capacity_jobs=10)
    return make.claimed()
