"""Quotas: one user or project cannot use up the installation.

Each refusal states the remedy, and the API shows the usage.
"""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from jobs.contract import ArtifactRole
from jobs.lifecycle.report import artifact_limits_check
from jobs.models import Artifact
from mimir.lib.errors import TooLarge
from projects.models import Project
from projects.project.write import project_update
from projects.storage import quota
from tests.api.caller import Caller
from tests.support import make

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    quota._recent_bytes.clear()


@pytest.fixture
def caller(settings: Any, tmp_path: Path) -> Caller:
    settings.STORAGES = {
        **settings.STORAGES,
        "artifacts": {**settings.STORAGES["artifacts"], "OPTIONS": {"location": str(tmp_path)}},
    }
    return Caller(make.project().created_by)


def _upload(caller: Caller, content: bytes) -> Any:
    quota._recent_bytes.clear()
    return caller.client.post(
        "/api/v1/projects/demo/datasets/", {"name": "t", "file": SimpleUploadedFile("t", content)}
    )


def test_a_user_creates_so_many_projects_and_an_administrator_any_number(
    caller: Caller, settings: Any
) -> None:
    settings.ENV = dataclasses.replace(settings.ENV, projects_per_user=2)
    created = [
        caller.post("projects/", {"slug": slug, "name": slug}) for slug in ("second", "third")
    ]
    assert [answer.status_code for answer in created] == [201, 413]
    body = created[1].json()
    assert (body["code"], body["detail"]) == ("quota_exceeded", {"projects_max": 2})
    assert "administrator" in body["message"]
    admin = Caller(make.user("root", is_superuser=True))
    assert [
        admin.post("projects/", {"slug": f"of-root-{number}", "name": "x"}).status_code
        for number in range(3)
    ] == [201] * 3


def test_a_project_stores_so_many_bytes_and_an_administrator_raises_it(
    caller: Caller, settings: Any
) -> None:
    assert _upload(caller, b"a\n" + b"1\n" * 5).status_code == 201
    stored = caller.get("projects/demo/").json()["stored_bytes"]
    assert stored >= 12
    settings.ENV = dataclasses.replace(settings.ENV, project_bytes_max=stored + 5)
    assert caller.get("projects/demo/").json()["stored_bytes_max"] == stored + 5
    refused = _upload(caller, b"a\n" + b"1\n" * 5)
    assert (refused.status_code, refused.json()["code"], list(refused.json()["detail"])) == (
        413,
        "quota_exceeded",
        ["file"],
    )
    assert f"stores {stored:,} of {stored + 5:,} bytes" in refused.json()["message"]
    assert "administrator" in refused.json()["message"]
    project_update(project=Project.objects.get(slug="demo"), stored_bytes_max=0)
    assert _upload(caller, b"a\n" + b"1\n" * 5).status_code == 201
    assert caller.get("projects/demo/").json()["stored_bytes_max"] is None
    project_update(project=Project.objects.get(slug="demo"), name="Renamed")
    assert Project.objects.get(slug="demo").stored_bytes_max == 0, "another change leaves it"


def test_artifacts_count_and_are_refused_too(settings: Any) -> None:
    attempt = make.claimed()
    settings.ENV = dataclasses.replace(settings.ENV, project_bytes_max=100)
    artifact_limits_check(attempt_id=attempt.id, size_bytes=60)
    Artifact.objects.create(
        attempt=attempt,
        name="x",
        role=ArtifactRole.ARTIFACT,
        size_bytes=60,
        sha256="0" * 64,
        media_type="text/plain",
        storage_key="x",
    )
    quota._recent_bytes.clear()
    artifact_limits_check(attempt_id=attempt.id, size_bytes=40)
    with pytest.raises(TooLarge) as refused:
        artifact_limits_check(attempt_id=attempt.id, size_bytes=41)
    assert refused.value.code == "artifact_limit_exceeded", "what a worker understands"
    assert "60 of 100 bytes" in refused.value.message
