"""What a client says it accepts never keeps an answer from it: each has one form."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from projects.services import session_create
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def client() -> Client:
    """Ada's, in her project."""
    project = make.project()
    token = session_create(user=project.created_by).token
    return Client(headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("accept", ["text/plain", "application/octet-stream", "*/*"])
def test_a_log_is_answered_whatever_is_accepted(client: Client, accept: str) -> None:
    attempt = make.claimed()
    make.log(attempt, b"hello")
    answer = client.get(f"/api/v1/jobs/{attempt.job_id}/logs/?offset=0&limit=100", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert answer.content == make.LINE + b"hello\n"


def test_a_dataset_is_answered_to_who_accepts_csv(client: Client) -> None:
    address = "/api/v1/projects/demo/datasets/"
    made = client.post(address, {"name": "numbers", "file": SimpleUploadedFile("n.csv", b"n\n1\n")})
    assert made.status_code == 201
    answer = client.get(f"{address}numbers/versions/latest/content/?as=csv", headers={"Accept": "text/csv"})
    assert answer.status_code == 200
    assert b"".join(answer).split() == [b"n", b"1"]


def test_an_error_is_json_whatever_is_accepted(client: Client) -> None:
    answer = client.get("/api/v1/projects/none/", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
