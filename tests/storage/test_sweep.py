"""Objects of a process that died between object and row are removed, and no others."""

import dataclasses
import datetime as dt
import io
import os
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import OperationalError

from jobs.models import ARTIFACTS, Artifact
from jobs.reconcile import housekeeping
from jobs.reconcile.housekeeping import artifact_keys_referenced
from mimir.lib.errors import TooLarge
from projects.datasets import upload_storage
from projects.datasets.uploads_write import dataset_upload
from projects.datasets.write import version_create
from projects.models import DatasetVersion
from projects.storage import artifacts
from projects.storage.sweep import scratch_files_sweep, unreferenced_objects_sweep
from tests.support import make

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("each_storage")]
AT_ONCE = dt.timedelta(seconds=-1)


def _put(folder: str) -> str:
    return artifacts.backend().save(f"{folder}/p/a/object", ContentFile(b"x"))


def _upload(tmp_path: Any) -> DatasetVersion:
    owner = make.user()
    file = tmp_path / "t.csv"
    file.write_bytes(b"a\n1\n")
    with file.open("rb") as opened:
        return dataset_upload(
            project=make.project(owner=owner),
            name="t",
            file=opened,
            path=str(file),
            size_bytes=4,
            user=owner,
        )


def test_an_artifact_without_a_row_is_swept_and_one_with_a_row_stays() -> None:
    stray, kept, version = _put(ARTIFACTS), _put(ARTIFACTS), _put(ARTIFACTS)
    attempt = make.claimed()
    Artifact.objects.create(
        attempt=attempt,
        name="x",
        size_bytes=1,
        sha256="0" * 64,
        media_type="text/plain",
        storage_key=kept,
    )
    row = {
        "number": 1,
        "format": "parquet",
        "schema": [],
        "row_count": 0,
        "size_bytes": 1,
        "sha256": "0" * 64,
    }
    dataset = attempt.job.project.datasets.create(name="t")
    DatasetVersion.objects.create(dataset=dataset, storage_key=version, source="job", **row)
    assert (
        unreferenced_objects_sweep(
            folder=ARTIFACTS, referenced=artifact_keys_referenced, older_than=AT_ONCE
        )
        >= 1
    )
    assert [artifacts.backend().exists(key) for key in (stray, kept, version)] == [
        False,
        True,
        True,
    ]


def test_a_young_object_is_left_to_the_request_that_is_about_to_write_its_row() -> None:
    young = _put(ARTIFACTS)
    housekeeping.storage_sweep()
    assert artifacts.backend().exists(young)


def test_an_upload_with_an_unknown_commit_result_keeps_its_object(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection breaks after the commit: the row exists, so its object must exist."""
    real = version_create

    def broken(**facts: Any) -> Any:
        keys.extend([facts["storage_key"], facts["table_key"]])
        real(**facts)
        raise OperationalError("the connection broke")

    keys: list[str] = []
    monkeypatch.setattr(upload_storage, "version_create", broken)
    with pytest.raises(OperationalError):
        _upload(tmp_path)
    assert all(artifacts.backend().exists(key) for key in keys)


def test_nothing_remains_of_an_interrupted_object() -> None:
    class Broken(ContentFile):  # type: ignore[type-arg]
        def chunks(self, chunk_size: int | None = None) -> Any:
            yield b"half"
            raise TooLarge("too much")

    with pytest.raises(TooLarge):
        artifacts.write(f"{ARTIFACTS}/p/a/broken", Broken(b"half"))
    assert not artifacts.backend().exists(f"{ARTIFACTS}/p/a/broken")


def test_temporary_files_of_uploads_whose_server_died_are_removed(
    tmp_path: Any, settings: Any
) -> None:
    settings.ENV = dataclasses.replace(settings.ENV, spool_dir=str(tmp_path))
    old, young = tmp_path / "old.upload", tmp_path / "young.upload"
    for file in (old, young):
        file.write_bytes(b"x")
    os.utime(old, (1, 1))
    assert scratch_files_sweep() == 1
    assert (old.exists(), young.exists()) == (False, True)


def test_the_stored_bytes_equal_the_input() -> None:
    stored = artifacts.put("datasets/p/whole", io.BytesIO(b"abc"))
    with artifacts.open_file(stored.key) as opened:
        assert (opened.read(), stored.size_bytes) == (b"abc", 3)
