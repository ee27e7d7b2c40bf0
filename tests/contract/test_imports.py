"""Staged uploads over HTTP: each answer is what the OpenAPI document says, whatever the options."""

import json

from tests.contract.conftest import Api

P = "projects/imports-contract"
ROWS = [{"id": 1, "tags": ["a", "b"], "o": {"at": 1700000000, "n": [1]}}, {"id": 2, "tags": [], "o": None}]


def test_lists_and_unix_times_of_a_json_file(api: Api) -> None:
    api.post("projects/", {"slug": "imports-contract", "name": "Imports"})
    form = {"lists": "rows", "list_column": "tags", "nested": "columns", "date_formats": "unix-seconds", "types": json.dumps({"o.at": "datetime"})}
    answer = api("POST", f"{P}/uploads/", data=form, files={"file": ("any.json", json.dumps(ROWS).encode())})
    assert answer.status_code == 201, answer.text
    staged = answer.json()
    assert staged["options"] == {**form, "date_formats": ["unix-seconds"], "types": {"o.at": "TIMESTAMP"}}
    assert staged["reading"]["list_columns"] == [{"name": "tags"}, {"name": "o.n"}]
    assert staged["reading"]["rows"][1] == [1, "b", "2023-11-14 22:13:20", "[1]"]
    assert {"lists_opened", "empty_lists", "unix_times"} == {one["code"] for one in staged["reading"]["warnings"]}
    for options, field in (({"lists": "all"}, "options.lists"), ({"lists": "first", "list_column": "x"}, "list_column")):
        api.refused("PATCH", f"{P}/uploads/{staged['id']}/", 400, field, json={"options": options})
    answer = api("PATCH", f"{P}/uploads/{staged['id']}/", json={"options": {"lists": "rows", "nested": "columns"}})
    assert (answer.status_code, answer.json()["reading"]) == (200, None)
