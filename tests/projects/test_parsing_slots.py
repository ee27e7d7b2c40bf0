"""Slots of parsing children: heavy requests of one user do not block others.

A file that exceeded its limits is not parsed again.
"""

import contextlib
import io
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from projects.models import DatasetProfile, DatasetVersion
from projects.parsing import child_process, runner
from projects.parsing.slots import Busy, Kind, Owner, Slots, file_slots
from tests.api.caller import Caller
from tests.support import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def caller(settings: Any, tmp_path: Path) -> Caller:
    settings.STORAGES = {
        **settings.STORAGES,
        "artifacts": {**settings.STORAGES["artifacts"], "OPTIONS": {"location": str(tmp_path)}},
    }
    return Caller(make.project().created_by)


def _taken(slots: Slots, *wanted: tuple[Kind, str, str]) -> list[bool]:
    """Return the requests (kind, user, project) that get a slot while earlier ones hold theirs."""
    found = []
    with contextlib.ExitStack() as stack:
        for kind, user, project in wanted:
            try:
                stack.enter_context(slots.held(kind, Owner(user, project), 0.0))
                found.append(True)
            except Busy:
                found.append(False)
    return found


@pytest.mark.parametrize(
    ("wanted", "granted"),
    [
        # One long request at a time: for a user in all projects, for a project with all users.
        (
            [(Kind.LONG, "a", "p"), (Kind.LONG, "a", "q"), (Kind.LONG, "b", "p")],
            [True, False, False],
        ),
        # Many users with a project each leave a slot for a preview and one for an upload.
        (
            [(Kind.LONG, user, user) for user in "abc"]
            + [(Kind.PREVIEW, "d", "d"), (Kind.UPLOAD, "e", "e")],
            [True, True, False, True, True],
        ),
        (
            [(Kind.PREVIEW, user, user) for user in "abcd"] + [(Kind.UPLOAD, "e", "e")],
            [True, True, True, False, True],
        ),
        # Uploads: two of a user and of a project.
        (
            [(Kind.UPLOAD, "a", project) for project in "pqr"] + [(Kind.UPLOAD, "b", "s")],
            [True, True, False, True],
        ),
        # Anonymous callers share slots.
        ([(Kind.PREVIEW, "", "")] * 4 + [(Kind.UPLOAD, "", "")], [True, True, True, False, True]),
    ],
)
def test_slots_are_shared_between_kinds_users_and_projects(
    wanted: list[tuple[Kind, str, str]], granted: list[bool]
) -> None:
    slots = file_slots()
    assert _taken(slots, *wanted) == granted
    assert _taken(slots, *wanted) == granted, "every slot was given back"


def test_three_heavy_requests_do_not_block_others(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_slots", file_slots())
    monkeypatch.setattr(runner, "WAIT_SECONDS", 0.01)
    with (
        runner._slots.held(Kind.LONG, Owner("x", "other"), 0),
        runner._slots.held(Kind.LONG, Owner("y", "another"), 0),
    ):
        answer = caller.client.post(
            "/api/v1/projects/demo/datasets/",
            {"name": "t", "file": SimpleUploadedFile("t", b"a\n1\n")},
        )
        assert answer.status_code == 201, answer.content
        assert caller.get("projects/demo/datasets/t/versions/1/rows/").status_code == 200
        refused = caller.get("projects/demo/datasets/t/versions/1/profile/")
        assert (refused.status_code, refused.json()["code"]) == (429, "busy")


def _heavy() -> bytes:
    """Return a file that is small on disk: one long value, repeated in many rows."""
    value = pyarrow.array(["x" * 50_000])
    indices = pyarrow.array([0] * 2_000_000, type=pyarrow.int32())
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(
        pyarrow.table({"a": pyarrow.DictionaryArray.from_arrays(indices, value)}),
        buffer,
        compression="zstd",
    )
    return buffer.getvalue()


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    started: list[str] = []
    run = child_process.run_child

    def counted(request: Any, *others: Any) -> Any:
        started.append(request["operation"])
        return run(request, *others)

    monkeypatch.setattr(runner, "run_child", counted)
    return started


@pytest.mark.django_db(transaction=True)  # no transaction is open while the child computes
def test_a_table_that_used_up_its_computing_time_is_not_described_again(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = caller.client.post(
        "/api/v1/projects/demo/datasets/", {"name": "t", "file": SimpleUploadedFile("t", _heavy())}
    )
    assert answer.status_code == 201, answer.content
    started = _counted(monkeypatch)
    monkeypatch.setattr(runner, "CPU_SECONDS_MAX", 1)
    for _ in range(2):
        shown = caller.get("projects/demo/datasets/t/versions/1/profile/")
        assert (shown.status_code, shown.json()["columns"]) == (200, [])
        assert "1 seconds of CPU time" in shown.json()["fault"]
    assert started == ["profile"]


def test_a_reader_that_a_busy_machine_stopped_is_remembered_for_a_while(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller.client.post(
        "/api/v1/projects/demo/datasets/", {"name": "t", "file": SimpleUploadedFile("t", b"a\n1\n")}
    )
    started = _counted(monkeypatch)
    with monkeypatch.context() as slow:
        slow.setattr(runner, "SECONDS_MAX", 0)
        for _ in range(2):
            shown = caller.get("projects/demo/datasets/t/versions/1/profile/")
            assert (shown.status_code, shown.json()["code"]) == (429, "busy")
    assert started == ["profile"]
    assert not DatasetProfile.objects.exists(), "nothing is said for good"
    runner._interruptions.clear()
    assert caller.get("projects/demo/datasets/t/versions/1/profile/").json()["fault"] == ""


def test_a_file_that_was_refused_is_not_read_again(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = _counted(monkeypatch)
    content = b"a,b\n1,2\n3,4,5,6\n" + DatasetVersion.__name__.encode()
    answers = [
        caller.client.post(
            "/api/v1/projects/demo/datasets/",
            {"name": name, "file": SimpleUploadedFile("t", content)},
        )
        for name in ("t", "u")
    ]
    assert [(answer.status_code, answer.json()) for answer in answers] == [
        (400, answers[0].json())
    ] * 2
    assert started == ["read"]
    other = caller.client.post(
        "/api/v1/projects/demo/datasets/",
        {"name": "t", "file": SimpleUploadedFile("t", b"a,b\n1,2\n".ljust(len(content)))},
    )
    assert other.status_code == 201 or started == ["read", "read"]


@pytest.mark.parametrize("operation", ["inspect", "preview", "profile", "convert"])
def test_every_operation_has_a_limit_of_address_space(
    operation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With far too little memory, the child ends and the server reports the reason."""
    monkeypatch.setattr(runner, "ADDRESS_BYTES_MAX", 100 * 1024**2)
    path = tmp_path / "t.csv"
    path.write_text(f"{operation}\n1\n")
    table = runner.TableFile(str(path), "csv", [{"name": operation, "type": "BIGINT"}])
    with pytest.raises(runner.Unreadable):
        match operation:
            case "inspect":
                runner.inspect(str(path), options={}, rows=1, scratch_dir=str(tmp_path))
            case "preview":
                runner.preview(table, limit=1, scratch_dir=str(tmp_path))
            case "profile":
                runner.profile(table, scratch_dir=str(tmp_path))
            case _:
                with runner.converted(table, to="csv", scratch_dir=str(tmp_path)):
                    pass
