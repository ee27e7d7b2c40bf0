"""A field that is sent twice is refused by name.

Otherwise one reader could use the first value and another the last.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from projects.datasets.upload_shapes import UploadRequest
from tests.api.caller import Caller

pytestmark = pytest.mark.django_db

ONCE = "must be given only once"
LISTS = ("date_formats", "missing_values")
VALUES: dict[str, Any] = {
    "name": "t",
    "make_current": "true",
    "skip_rows": "0",
    "header_row": "1",
    "decimal_mark": "point",
    "types": "{}",
}


def _file() -> SimpleUploadedFile:
    return SimpleUploadedFile("t.csv", b"when,n\n2026-01-02,x\n")


def _upload(caller: Caller, fields: dict[str, Any]) -> Any:
    return caller.client.post(
        "/api/v1/projects/demo/datasets/", {"name": "t", "file": _file(), **fields}
    )


@pytest.mark.parametrize(
    "name", [name for name in list(UploadRequest().fields.keys()) if name not in LISTS]
)
def test_a_form_field_is_given_once(caller: Caller, name: str) -> None:
    value: Callable[[], Any] = _file if name == "file" else lambda: VALUES.get(name, "")
    answer = _upload(caller, {name: [value(), value()]})
    assert (answer.status_code, answer.json()["detail"]) == (400, {name: ONCE})


def test_fields_of_lists_may_be_repeated_or_separated_by_commas(caller: Caller) -> None:
    for missing in (["x", "n/a"], ["x,n/a"]):
        form = {
            "file": _file(),
            "missing_values": missing,
            "date_formats": ["year-first", "day-first"],
        }
        answer = caller.client.post("/api/v1/projects/demo/uploads/", form)
        assert answer.status_code == 201, answer.json()
        options = answer.json()["options"]
        assert (options["missing_values"], options["date_formats"]) == (
            ["x", "n/a"],
            ["year-first", "day-first"],
        )


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ('{"name": "a", "name": "b", "slug": "x"}', "name"),
        ('{"slug": "x", "name": "n", "x": {"a": 1, "deep": 1, "deep": 2}}', "deep"),
    ],
)
def test_a_key_stands_once_in_a_json_object(caller: Caller, body: str, key: str) -> None:
    answer = caller.send("POST", "projects/", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert f"the key {json.dumps(key)} occurs twice in one object" in answer.json()["message"]
