"""Timeouts of the import page: as long as the API may need to read a file."""

from typing import Any

import httpx
import pytest
from django.http import QueryDict
from django.test import RequestFactory

from mimir.frontend import api_client
from mimir.frontend.api_client import Api
from mimir.frontend.forms import Form
from mimir.frontend.pages.imports import views as imports
from mimir.frontend.pages.imports.sheet_fields import sheets_of
from projects.parsing import runner

PATH = "projects/demo/uploads/1/"


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Record the timeout of each request in seconds, by method and last part of the path."""
    found: dict[str, float] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        found[f"{request.method} {request.url.path.rstrip('/').rsplit('/', 1)[1]}"] = (
            request.extensions["timeout"]["read"]
        )
        reading = {"columns": [{"name": "n"}], "options": {}, "complete": True}
        return httpx.Response(
            200,
            json={
                "options": {},
                "reading": reading,
                "fault": "",
                "sheets": [],
                "name": "t",
                "version": {"number": 1},
            },
        )

    connections = httpx.Client(base_url="http://api", transport=httpx.MockTransport(answer))
    monkeypatch.setattr(api_client, "_client", lambda: connections)
    return found


def test_reading_and_importing_wait_for_the_reader(waits: dict[str, float]) -> None:
    api = Api("token", {})
    upload: Any = {
        "options": {},
        "reading": None,
        "fault": "",
        "sheets": [{"name": name, "rows": 2, "columns": 1, "hidden": False} for name in "ab"],
    }
    sheets = sheets_of(upload, QueryDict("sheets_known=1&sheets=0&sheets=1&several=each"))
    request = RequestFactory().post("/", {"format": "excel", "range": "A:B"})
    imports._read(api, request, PATH, upload, sheets, sample=False)
    imports._accept(api, "demo", PATH, Form({"name": "t"}), sheets, current=True, types={})
    imports._accept_sheets(api, "demo", PATH, Form({"name": "t"}), sheets, current=True, types={})
    assert sorted(waits) == ["PATCH 1", "POST accept", "POST accept-sheets"]
    assert min(waits.values()) > runner.SECONDS_MAX
