"""`GET /api/v1/step-types/`: the specifications of the pipeline steps, for clients."""

import pytest
from django.test import Client

from mimir.lib.schemas.steps import STEP_TYPES
from tests.api.caller import Caller
from tests.support import make

pytestmark = pytest.mark.django_db


def test_every_step_type_is_listed_with_its_fields() -> None:
    answer = Caller(make.user()).get("step-types/")
    assert answer.status_code == 200
    assert [row["name"] for row in answer.json()["results"]] == list(STEP_TYPES)
    sql = answer.json()["results"][1]
    assert sql["fields"]["required"] == ["query"]
    assert sql["fields"]["properties"]["query"]["format"] == "sql"
    assert sql["makes"] == "step_table"


def test_the_list_needs_a_token(client: Client) -> None:
    assert client.get("/api/v1/step-types/").status_code == 401
