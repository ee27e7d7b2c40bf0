"""Files without a row are removed, files with one never."""

import datetime as dt
import os
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from jobs.contract import ArtifactRole
from jobs.models import Attempt
from jobs.services.report import artifact_record
from jobs.services.sweep import artifact_objects_sweep
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)
DAY = dt.timedelta(days=1)


def _file(attempt: Attempt, *, age_seconds: float) -> str:
    storage = storages["artifacts"]
    key = storage.save(f"artifacts/{attempt.job.project_id}/{attempt.id}/{uuid4()}", ContentFile(b"x"))
    at = Path(storage.path(key)).stat().st_mtime - age_seconds
    os.utime(storage.path(key), (at, at))
    return key


def test_only_old_files_that_no_row_knows_are_removed() -> None:
    attempt = make.claimed()
    lost, young, known = _file(attempt, age_seconds=90_000), _file(attempt, age_seconds=60), _file(attempt, age_seconds=90_000)
    facts = {"size_bytes": 1, "sha256": "0" * 64, "media_type": "text/plain"}
    artifact_record(attempt_id=attempt.id, name="kept", role=ArtifactRole.ARTIFACT, storage_key=known, **facts)
    artifact_objects_sweep(older_than=DAY)
    assert [storages["artifacts"].exists(key) for key in (lost, young, known)] == [False, True, True]


def test_what_a_deleted_job_left_is_removed() -> None:
    attempt = make.claimed()
    key = _file(attempt, age_seconds=90_000)
    attempt.job.delete()
    artifact_objects_sweep(older_than=DAY)
    assert not storages["artifacts"].exists(key)
