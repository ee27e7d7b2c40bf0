"""Error pages of a real frontend: its own 404, the API's 404, and an overloaded API."""

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


@pytest.mark.parametrize("address", ["/", "/projects/", f"/{MISSING}"])
def test_an_overloaded_api_is_a_page_that_says_when_to_try_again(
    pages: httpx.Client, canned: CannedApi, address: str
) -> None:
    canned.is_overloaded = True
    answer = pages.get(address)
    canned.is_overloaded = False
    assert "The server is busy. Try again in 7 s." in answer.text
    assert "does not answer</h2>" not in answer.text
    assert 'http-equiv="refresh" content="7"' in answer.text
