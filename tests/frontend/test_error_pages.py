"""The 404 page of a real frontend, for its own addresses and for 404 responses of the API."""

import html
import re
from collections.abc import Iterator

import httpx
import pytest

from tests.frontend import shelf
from tests.frontend.canned import CannedApi, running_canned
from tests.frontend.process import running_frontend

MISSING = "projects/none/"
NO_ACCESS = "Not found, or you have no access. Check the address or ask a maintainer"


@pytest.fixture(scope="module")
def canned() -> Iterator[CannedApi]:
    with running_canned() as api:
        yield api


@pytest.fixture(scope="module")
def pages(canned: CannedApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    canned.answers = shelf.answers()
    folder = tmp_path_factory.mktemp("pages")
    with (
        running_frontend(folder, canned.url) as frontend,
        frontend.client(session=True) as client,
    ):
        yield client


def _error_page(answer: httpx.Response) -> str:
    assert answer.status_code == 404
    main = answer.text.partition("<main")[2]
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main)))


@pytest.mark.parametrize("address", ["/nothing/", f"/{MISSING}"], ids=["no route", "no resource"])
def test_a_missing_and_a_forbidden_address_look_the_same(pages: httpx.Client, address: str) -> None:
    assert NO_ACCESS in _error_page(pages.get(address))


@pytest.mark.parametrize("message", ["The project was deleted.", "Not found."])
def test_the_page_shows_the_message_of_the_api_unchanged(
    pages: httpx.Client, canned: CannedApi, message: str
) -> None:
    canned.refused[f"{MISSING}?"] = {"code": "not_found", "message": message, "detail": {}}
    shown = _error_page(pages.get(f"/{MISSING}"))
    canned.refused.clear()
    assert message in shown
    assert NO_ACCESS not in shown
