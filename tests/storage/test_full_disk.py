"""A full or read-only disk, and a database without a free connection.

Both are reported clearly, and the product recovers as soon as the cause is gone.
"""

import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import psycopg_pool
import pytest
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.db import OperationalError
from django.http import HttpRequest

from jobs.clusters.launchers.base import LaunchLater
from jobs.clusters.launchers.fork_server import ForkServer
from jobs.clusters.launchers.process import ProcessLauncher
from mimir import health
from mimir.api import errors as api_errors
from mimir.api.errors import as_mimir_error
from mimir.lib import disks
from monitoring import readiness
from projects.parsing import child_process
from tests.api.caller import Caller
from tests.launchers.process_workers import launcher_in, process_spec
from tests.support import make


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[ProcessLauncher]:
    yield from launcher_in(tmp_path)


DISK = [
    (errno.ENOSPC, 507, "storage_full"),
    (errno.EDQUOT, 507, "storage_full"),
    (errno.EROFS, 503, "storage_read_only"),
    (errno.EACCES, 503, "storage_read_only"),
]
MESSAGES = [
    (number, "full" if status == 507 else "cannot be written") for number, status, _code in DISK
]


@pytest.fixture
def caller(settings: Any, tmp_path: Path) -> Caller:
    settings.STORAGES = {
        **settings.STORAGES,
        "artifacts": {
            **settings.STORAGES["artifacts"],
            "OPTIONS": {"location": str(tmp_path / "objects")},
        },
    }
    created_by = make.project().created_by
    assert created_by is not None
    return Caller(created_by)


def _upload(caller: Caller, name: str = "t") -> Any:
    return caller.client.post(
        "/api/v1/projects/demo/datasets/",
        {"name": name, "file": SimpleUploadedFile("t.csv", b"n\n1\n2\n")},
    )


def _raising(code: int) -> Any:
    def raises(*_arguments: Any, **_options: Any) -> None:
        raise OSError(code, os.strerror(code))

    return raises


def _assert_reported(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
    assert "broken" not in answer.json()["message"]
    assert "administrator" in answer.json()["message"]
    assert int(answer["Retry-After"]) >= 1


@pytest.mark.django_db
@pytest.mark.parametrize(("number", "status", "code"), DISK)
@pytest.mark.parametrize("place", ["storage", "spool", "scratch"])
def test_an_upload_onto_such_a_disk_is_reported_and_works_afterwards(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, number: int, status: int, code: str, place: str
) -> None:
    with monkeypatch.context() as patched:
        if place == "storage":
            patched.setattr(FileSystemStorage, "_save", _raising(number))
        elif place == "spool":
            patched.setattr(TemporaryUploadedFile, "__init__", _raising(number))
        else:
            patched.setattr(tempfile, "mkdtemp", _raising(number))
        _assert_reported(_upload(caller), status, code)
    assert _upload(caller).status_code == 201


@pytest.mark.django_db
@pytest.mark.parametrize(("number", "status", "code"), DISK)
def test_a_preview_without_scratch_space_is_reported(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, number: int, status: int, code: str
) -> None:
    assert _upload(caller).status_code == 201
    path = "projects/demo/datasets/t/versions/1/rows/"
    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "mkdtemp", _raising(number))
        _assert_reported(caller.get(path), status, code)
    assert caller.get(path).status_code == 200


@pytest.mark.django_db
def test_a_reader_that_ends_because_the_disk_is_full_does_not_blame_the_file(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parsing child cannot write its response: the parent only sees that it ended."""
    with monkeypatch.context() as patched:
        patched.setattr(
            child_process,
            "_outcome",
            lambda scratch, limits, _code, _breach, cpu: child_process.Outcome(
                child_process.End.CRASH, 1, cpu, {}, ""
            ),
        )
        patched.setattr(tempfile, "TemporaryFile", _raising(errno.ENOSPC))
        _assert_reported(_upload(caller), 507, "storage_full")
    assert _upload(caller).status_code == 201


def _database_error(cause: Exception) -> OperationalError:
    error = OperationalError(str(cause))
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "status", "word"),
    [
        (_database_error(psycopg_pool.PoolTimeout("couldn't get a connection")), 503, "in use"),
        (_database_error(psycopg.errors.TooManyConnections("too many")), 503, "in use"),
        (_database_error(psycopg.errors.DiskFull("could not extend file")), 507, "full"),
        (_database_error(psycopg.OperationalError("connection refused")), 503, "does not answer"),
        (OSError(errno.ENOSPC, "No space left on device"), 507, "full"),
    ],
)
def test_outside_the_api_views_it_is_reported_too(error: Exception, status: int, word: str) -> None:
    """Django's `handler500` responds for middleware and the admin."""
    try:
        raise error
    except Exception:  # noqa: BLE001 - as Django calls its handler
        answer = api_errors.server_error(HttpRequest())
    assert answer.status_code == status
    assert word in answer.content.decode()


def test_other_errors_of_the_system_stay_defects() -> None:
    assert as_mimir_error(OSError(errno.ENOENT, "no such file")) is None
    assert as_mimir_error(ValueError("x")) is None
    assert api_errors.server_error(HttpRequest()).status_code == 500


@pytest.mark.parametrize(("number", "word"), MESSAGES)
def test_ready_says_degraded_and_why(
    monkeypatch: pytest.MonkeyPatch, number: int, word: str
) -> None:
    monkeypatch.setattr(
        health, "_checks", [health.Check("storage", needed=False, problem=readiness.disks_problem)]
    )
    assert health.readiness().status_code == 200
    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "TemporaryFile", _raising(number))
        answer = health.readiness()
    assert answer.status_code == 200, "requests without disk use must still work"
    body = answer.content.decode()
    assert '"degraded"' in body
    assert word in body
    assert "ARTIFACTS_URL" in body
    assert '"ready"' in health.readiness().content.decode()


def test_an_almost_full_disk_is_reported_before_it_is_full(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert disks.write_problem(str(tmp_path), what="workers", setting="WORKERS_DIR") == ""
    monkeypatch.setattr(disks, "_FREE_BYTES_MIN", 10**18)
    assert "WORKERS_DIR" in disks.write_problem(
        str(tmp_path), what="workers", setting="WORKERS_DIR"
    )
    assert list(tmp_path.iterdir()) == [], "a probe leaves nothing"


@pytest.mark.parametrize("place", ["mkdir", "identity", "worker"])
def test_a_launch_without_disk_says_what_it_waits_for_and_is_tried_again_soon(
    launcher: ProcessLauncher,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    spec = process_spec()
    with monkeypatch.context() as patched:
        if place == "mkdir":
            patched.setattr(Path, "mkdir", _raising(errno.ENOSPC))
        elif place == "identity":
            patched.setattr(
                "jobs.clusters.launchers.worker_folder.write_json", _raising(errno.ENOSPC)
            )
        else:  # the first stage of the worker ended because it could not write
            patched.setattr(ForkServer, "start", lambda _server, _wanted: None)
            patched.setattr(
                "jobs.clusters.launchers.interpreter_start._code_of", lambda _starter: 1
            )
            patched.setattr(tempfile, "TemporaryFile", _raising(errno.ENOSPC))
        with pytest.raises(LaunchLater) as caught:
            launcher.launch(spec, still_wanted=lambda: True)
    assert caught.value.seconds is not None
    assert caught.value.seconds <= 10, "it must recover soon after space is available"
    diagnosis = caught.value.diagnosis
    assert diagnosis is not None
    assert diagnosis["category"] == "unschedulable_disk"
    assert "disk for workers" in diagnosis["summary"]
    if place != "worker":
        assert not launcher.launch(spec, still_wanted=lambda: True).adopted
