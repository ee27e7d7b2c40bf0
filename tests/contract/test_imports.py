"""Staged uploads over HTTP: each response matches the OpenAPI document, whatever the options."""

import json

from tests.contract.conftest import Api
from tests.support.workbooks import xlsx_of

P = "projects/imports-contract"
ROWS = [
    {"id": 1, "tags": ["a", "b"], "o": {"at": 1700000000, "n": [1]}},
    {"id": 2, "tags": [], "o": None},
]


def test_lists_and_unix_times_of_a_json_file(api: Api) -> None:
    api.post("projects/", {"slug": "imports-contract", "name": "Imports"})
    form = {
        "lists": "rows",
        "list_column": "tags",
        "nested": "columns",
        "date_formats": "unix-seconds",
        "types": json.dumps({"o.at": "datetime"}),
    }
    answer = api(
        "POST", f"{P}/uploads/", data=form, files={"file": ("any.json", json.dumps(ROWS).encode())}
    )
    assert answer.status_code == 201, answer.text
    staged = answer.json()
    assert staged["options"] == {
        **form,
        "date_formats": ["unix-seconds"],
        "types": {"o.at": "TIMESTAMP"},
    }
    assert staged["reading"]["list_columns"] == [{"name": "tags"}, {"name": "o.n"}]
    assert staged["reading"]["rows"][1] == [1, "b", "2023-11-14 22:13:20", "[1]"]
    assert {"lists_opened", "empty_lists", "unix_times"} == {
        one["code"] for one in staged["reading"]["warnings"]
    }
    for options, field in (
        ({"lists": "all"}, "options.lists"),
        ({"lists": "first", "list_column": "x"}, "list_column"),
    ):
        api.refused("PATCH", f"{P}/uploads/{staged['id']}/", 400, field, json={"options": options})
    answer = api(
        "PATCH",
        f"{P}/uploads/{staged['id']}/",
        json={"options": {"lists": "rows", "nested": "columns"}},
    )
    assert (answer.status_code, answer.json()["reading"]) == (200, None)


def test_sheets_of_a_workbook(api: Api) -> None:
    api.post("projects/", {"slug": "sheets-contract", "name": "Sheets"})
    book = xlsx_of(
        {"A": (["n", "day"], [1, "2025-01-03"], [2, None]), "B": (["n"], [3]), "None": ()}
    )
    uploads = "projects/sheets-contract/uploads"
    form = {"sheets": json.dumps(["A", "B"]), "range": "a1:b9"}
    staged = api("POST", f"{uploads}/", data=form, files={"file": ("any.xlsx", book)}).json()
    assert (staged["options"], staged["reading"]["row_count"]) == (
        {"sheets": ["A", "B"], "range": "A1:B9"},
        3,
    )
    day = {
        "name": "day",
        "type": "DATE",
        "missing": 2,
        "distinct": 1,
        "min": "2025-01-03",
        "max": "2025-01-03",
    }
    assert staged["reading"]["columns"][2] == day
    path = f"{uploads}/{staged['id']}"
    api.refused("PATCH", f"{path}/", 400, "range", json={"options": {"range": "B9:A1"}})
    api.refused(
        "PATCH", f"{path}/", 400, "sheets", json={"options": {"sheet": "A", "sheets": ["B"]}}
    )
    answer = api("PATCH", f"{path}/", json={"options": {"sheet": "None"}})
    assert (answer.json()["reading"], [sheet["rows"] for sheet in answer.json()["sheets"]]) == (
        None,
        [3, 2, 0],
    )
    pairs = [{"sheet": "A", "name": "a"}, {"sheet": "B", "name": "b"}]
    api.refused(
        "POST", f"{path}/accept-sheets/", 400, "append_to", json={"datasets": pairs, "append_to": 1}
    )
    api.refused(
        "POST",
        f"{path}/accept-sheets/",
        400,
        "datasets",
        json={"datasets": [pairs[0], {**pairs[1], "name": "a"}]},
    )
    answer = api("POST", f"{path}/accept-sheets/", json={"datasets": pairs})
    assert answer.status_code == 201, answer.text
    assert [(one["name"], one["version"]["row_count"]) for one in answer.json()["datasets"]] == [
        ("a", 2),
        ("b", 1),
    ]
    api.refused("POST", f"{path}/accept-sheets/", 404, json={"datasets": pairs})
