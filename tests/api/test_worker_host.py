"""Host header: any host is accepted for workers, whose clusters have their own URLs."""

import json
from uuid import uuid4

import pytest
from django import test

from jobs.core.tokens import launch_token
from jobs.models import Attempt
from tests.support import make

OTHER_HOSTS = ["orchestrator.example.org", "10.88.0.1:8080", "[fd00::1]:8080"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("host", OTHER_HOSTS)
def test_a_worker_claims_at_the_url_of_its_cluster(host: str) -> None:
    attempt = make.launched()
    response = test.Client().post(
        f"/worker/v1/attempts/{attempt.id}/claim",
        json.dumps({"claim_id": str(uuid4()), "hostname": "pod", "pid": 1}),
        content_type="application/json",
        headers={"Authorization": f"Bearer {launch_token(attempt.id)}", "Host": host},
    )
    assert response.status_code == 200, response.content
    assert Attempt.objects.get(id=attempt.id).claim_id is not None
    assert host.encode() not in response.content


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/v1/projects/", "/admin/login/", "/worker/", "/worker/v12/"])
@pytest.mark.parametrize("host", OTHER_HOSTS)
def test_other_requests_need_a_known_host(path: str, host: str) -> None:
    assert test.Client().get(path, headers={"Host": host}).status_code == 400
