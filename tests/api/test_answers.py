"""Unusual requests that are answered with 200, such as reading a log that has no lines yet."""

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from projects.tokens.write import session_create
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)


def _get(path: str, accept: str) -> tuple[int, str]:
    token = session_create(user=User.objects.get(username="ada")).token
    answer = Client().get(path, headers={"Accept": accept, "Authorization": f"Bearer {token}"})
    return answer.status_code, answer["Content-Type"]


def test_a_log_is_sent_as_text_on_request() -> None:
    attempt = make.claimed()
    make.log(attempt, b"one line")
    status, media_type = _get(f"/api/v1/jobs/{attempt.job_id}/logs/", "text/plain")
    assert (status, media_type.split(";")[0]) == (200, "text/plain")


@pytest.mark.parametrize("accept", ["text/plain", "application/xml", "image/png, text/html;q=0.9"])
def test_what_is_json_is_json_for_everybody(accept: str) -> None:
    make.project()
    assert _get("/api/v1/projects/demo/", accept) == (200, "application/json")


def test_the_log_of_a_job_that_waits_for_its_worker_is_empty_and_not_missing() -> None:
    job = make.job()
    for query in ("", "?attempt=1", "?attempt=1&offset=-1&limit=1"):
        assert _get(f"/api/v1/jobs/{job.id}/logs/{query}", "*/*")[0] == 200
    assert _get(f"/api/v1/jobs/{job.id}/logs/?attempt=2", "*/*")[0] == 404


def test_a_dataset_is_sent_as_csv_on_request() -> None:
    owner = make.project().created_by
    assert owner is not None
    token = session_create(user=owner).token
    client = Client(headers={"Authorization": f"Bearer {token}"})
    address = "/api/v1/projects/demo/datasets/"
    response = client.post(
        address, {"name": "numbers", "file": SimpleUploadedFile("n.csv", b"n\n1\n")}
    )
    assert response.status_code == 201
    answer = client.get(
        f"{address}numbers/versions/latest/content/?as=csv", headers={"Accept": "text/csv"}
    )
    assert (answer.status_code, b"".join(answer).split()) == (200, [b"n", b"1"])


def test_an_error_is_json_for_everybody() -> None:
    make.project()
    assert _get("/api/v1/projects/none/", "text/html") == (404, "application/json")
