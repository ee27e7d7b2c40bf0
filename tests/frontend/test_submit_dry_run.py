"""Dry run of the submit page: uses the displayed values, and runs only if the job could run."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from mimir.frontend.api_client import ApiError
from mimir.frontend.pages.submit import views
from mimir.frontend.pages.submit.start_line import start_line

KIND = "digital_twin_update"
DEFINITION = {"types": [{"name": "day", "key": {"name": "date"}, "properties": []}]}
ROWS = [{"name": "forecast", "version": {"number": 1, "schema": [{"name": "date"}]}}]
ADDRESS = {
    "parameters.twin": ["seattle"],
    "parameters.dataset": ["forecast"],
    "parameters.type": ["day"],
}


class Project:
    """API of one project with a twin, a dataset, and jobs that it accepts or refuses."""

    def __init__(self, role: str = "operator", status: str = "active", code: int = 0) -> None:
        self._project = {"slug": "p", "role": role, "status": status}
        self._code, self.posted = code, list[Any]()

    def get(self, path: str, _query: object = None) -> Any:
        found = {
            "projects/p/": self._project,
            "projects/p/twins/seattle/": {"definition": DEFINITION},
            "projects/p/datasets/": {"results": ROWS, "next": None},
        }
        return found.get(path, {"results": [], "next": None})

    def post(self, _path: str, body: Any) -> Any:
        self.posted.append(body["parameters"])
        if self._code:
            raise ApiError(self._code, "refused", "Not now.", {})
        return {"start": {"starts_now": True, "detail": "", "estimate_seconds": 0.0}}


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run the calls of the page one after another and return the dry run and the texts."""

    def run(api: Project, texts: Any, refused: ApiError | None = None) -> Any:
        monkeypatch.setattr(
            views,
            "together",
            lambda _request, **calls: {name: call(api) for name, call in calls.items()},
        )
        got, shown = views._got(cast("Any", None), "p", KIND, texts, refused)
        return got["dry"], shown

    return run


def test_the_dry_run_uses_the_preselected_key(page: Callable[..., Any]) -> None:
    api = Project()
    dry, shown = page(api, ADDRESS)
    assert shown["parameters.key"] == ["date"]
    assert [each["key"] for each in api.posted] == ["date"]
    assert dry["answer"]["start"]["starts_now"]


def test_a_complete_request_is_run_dry_once(page: Callable[..., Any]) -> None:
    api = Project()
    page(api, ADDRESS | {"parameters.key": ["date"]})
    assert len(api.posted) == 1


def test_a_missing_field_is_not_run_dry(page: Callable[..., Any]) -> None:
    api = Project()
    dry, _shown = page(api, {"parameters.twin": ["seattle"]})
    assert (api.posted, "Fill in" in start_line(dry)["text"]) == ([], True)


@pytest.mark.parametrize(
    ("api", "texts"),
    [
        (Project(role="viewer", code=403), ADDRESS),
        (Project(role="viewer"), {}),
        (Project(status="archived", code=409), ADDRESS),
        (Project(status="archived"), {}),
        (Project(code=403), ADDRESS),
    ],
)
def test_users_without_permission_to_run_are_not_asked_to_change_the_request(
    page: Callable[..., Any], api: Project, texts: Any
) -> None:
    dry, _shown = page(api, texts)
    assert start_line(dry)["text"] == ""


@pytest.mark.parametrize(("status", "is_named"), [(400, True), (413, True), (409, False)])
def test_after_a_refusal_the_line_asks_for_a_change_only_if_one_helps(
    page: Callable[..., Any], status: int, is_named: bool
) -> None:
    api = Project()
    dry, _shown = page(api, ADDRESS, ApiError(status, "refused", "Not now.", {}))
    assert (api.posted, start_line(dry)["text"].startswith("Fix")) == ([], is_named)
