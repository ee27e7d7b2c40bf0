"""Fixtures of the API tests."""

import datetime as dt

import pytest
from django.core.files.base import ContentFile

from jobs.core.tokens import session_token
from jobs.models import Artifact
from projects.models import AccessToken, Role
from projects.storage import artifacts
from projects.tokens.write import session_create, token_create
from tests.api.access_rules import TWIN
from tests.api.access_world import World
from tests.api.caller import Caller
from tests.support import make


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
    make.twin(project, "t", TWIN, {"1": {"n": 1}})
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


@pytest.fixture
def caller() -> Caller:
    created_by = make.project().created_by
    assert created_by is not None
    return Caller(created_by)
