"""Twins of an installation, created through the API: definition, data, updates, edits."""

from typing import Any
from urllib.parse import urlencode

from tests.support.stack import Stack


def make_twin(stack: Stack, project: str, name: str, definition: dict[str, Any]) -> None:
    """Create a twin without entities."""
    made = stack.call(
        "POST", f"/api/v1/projects/{project}/twins/", json={"name": name, "definition": definition}
    )
    assert made.status_code == 201, made.text


def update_twin(
    stack: Stack, project: str, name: str, csv: str, **parameters: Any
) -> dict[str, Any]:
    """Upload `csv` as the next version of the twin's dataset, update the twin from it, and return
    the result of the job.
    """
    base = f"/api/v1/projects/{project}/"
    data = {"name": f"{name}-data"}
    uploaded = stack.call(
        "POST", f"{base}datasets/", data=data, files={"file": ("data.csv", csv.encode())}
    )
    assert uploaded.status_code == 201, uploaded.text
    body = {
        "type": "digital_twin_update",
        "parameters": {"twin": name, "dataset": data["name"], **parameters},
    }
    job = stack.call("POST", f"{base}jobs/", json=body)
    assert job.status_code == 201, job.text
    ended = stack.end_of(job.json()["id"])
    assert ended["status"] == "succeeded", ended
    result: dict[str, Any] = ended["result"]
    return result


def edit_entity(
    stack: Stack,
    project: str,
    name: str,
    type: str,
    key: str,
    values: dict[str, Any],
    note: str = "",
) -> None:
    """Set manual values of an entity, as an operator."""
    path = f"/api/v1/projects/{project}/twins/{name}/entity/overlay/?{urlencode({'type': type, 'key': key})}"  # noqa: E501
    answer = stack.call("PATCH", path, json={"values": values, "note": note})
    assert answer.status_code == 200, answer.text
