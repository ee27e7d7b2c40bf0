"""Accessibility: axe finds nothing, and no text covers another.

Every page, both themes, on a wide screen and a phone.
"""

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from mimir.frontend import page_urls
from mimir.lib.sample import DATASET, HISTORY, MODEL, PIPELINE, PROJECT, TWIN
from tests.browser.conftest import Visit
from tests.browser.overlap import overlaps
from tests.browser.watch import Watch
from tests.screenshots.showcase import Showcase
from tests.support.browser import PHONE, WIDE
from tests.support.stack import TERMINAL, Stack

_P = f"/projects/{PROJECT}"
# By the name of its route, and a word if one route has several views. Routes for POST only have
# no view.
PAGES = {
    "root": "/",
    "projects": "/projects/",
    "project-new": "/projects/new/",
    "project": f"{_P}/",
    "project begins": "/projects/demo/",
    "project-settings": f"{_P}/settings/",
    "members": f"{_P}/members/",
    "jobs": f"{_P}/jobs/",
    "jobs filtered": f"{_P}/jobs/?status=failed&q=e",
    "jobs none": f"{_P}/jobs/?q=nothing",
    "job-new": f"{_P}/jobs/new/?pipeline={PIPELINE}",
    "job-new changed": _P
    + "/jobs/new/?from={memory}&patch=%7B%22resources%22%3A%7B%22memory%22%3A%22512Mi%22%7D%7D",
    "job-new training": f"{_P}/jobs/new/?type=ml_training&dataset={HISTORY}&target=next_temp_max",
    "job-new prediction": f"{_P}/jobs/new/?type=ml_inference&dataset={DATASET}",
    "job-new twin": f"{_P}/jobs/new/?type=digital_twin_update&twin={TWIN}&dataset={DATASET}&parameters.type=day",  # noqa: E501
    "job-compare": _P + "/jobs/compare/?a={memory}&b={succeeded}",
    "job-compare none": f"{_P}/jobs/compare/",
    "datasets": f"{_P}/datasets/",
    "dataset": f"{_P}/datasets/{DATASET}/",
    "dataset columns": f"{_P}/datasets/{DATASET}/?tab=columns",
    "dataset versions": f"{_P}/datasets/{DATASET}/?tab=versions",
    "dataset file": f"{_P}/datasets/{DATASET}/?tab=file",
    "dataset-import": _P + "/datasets/import/{upload}/",
    "models": f"{_P}/models/",
    "model": f"{_P}/models/demand-forecast/",
    "model made": f"{_P}/models/{MODEL}/",
    "model of classes": f"{_P}/models/weather-class/",
    "model-compare": f"{_P}/models/demand-forecast/compare/",
    "model-compare of classes": f"{_P}/models/weather-class/compare/",
    "pipelines": f"{_P}/pipelines/",
    "pipeline": f"{_P}/pipelines/{PIPELINE}/",
    "pipeline-new": f"{_P}/pipelines/new/",
    "twins": f"{_P}/twins/",
    "twins none": "/projects/demo/twins/",
    "twin": f"{_P}/twins/stations/",
    "twin at": f"{_P}/twins/stations/?at=1",
    "twin-new": f"{_P}/twins/new/?dataset={DATASET}",
    "twin-definition": f"{_P}/twins/stations/definition/",
    "twin-entity": f"{_P}/twins/stations/entity/?type=station&key=BT-01&property=bikes",
    "twin-entity text": f"{_P}/twins/stations/entity/?type=station&key=BT-01&property=label",
    "twin-entity edit": f"{_P}/twins/stations/entity/?type=station&key=BT-01&edit=1",
    "twin-revisions": f"{_P}/twins/stations/revisions/",
    "twin-revision": f"{_P}/twins/stations/revisions/2/",
    "twin-revision two": f"{_P}/twins/stations/revisions/1/?to=3",
    "system": "/system/",
    "clusters": "/system/clusters/",
    "cluster": "/system/clusters/local/",
    "cluster-new": "/system/clusters/new/",
    "users": "/system/users/",
    "password-link": "/password/MQ/x-y/",
    **{
        f"job {state}": f"/jobs/{{{state}}}/"
        for state in ("succeeded", "failed", "memory", "cancelled", "running", "waiting")
    },
    "job-file": "/jobs/{succeeded}/files/report.md/",
    "tokens": "/tokens/",
    "account": "/account/",
    "not found": "/projects/no-such-project/",
}
# the sign-in page is tested signed out, below
WITHOUT_A_FACE = {
    "signin",
    "session-state",
    "signout",
    "token-delete",
    "session-end",
    "sessions-end",
    "job-cancel",
    "job-retry",
    "job-dismiss",
    "job-file-raw",
    "project-sample",
}
PARTS = 6  # tests for all pages
AXE = Axe()
OF_COLOURS = ["color-contrast", "link-in-text-block"]
EXPERIMENTAL = {"label-content-name-mismatch": {"enabled": True}}  # axe disables it by default


@pytest.fixture(scope="module")
def showcase(stack: Stack) -> Iterator[dict[str, str]]:
    """Return jobs in every state, by a short name, and an upload that is not imported yet."""
    stack.project("demo")
    created = Showcase(stack)
    created.make()
    content = b"shop;day;amount\nA;01/02/2026;1.234,50\nB;03/04/2026;n/a\n"
    staged = stack.call(
        "POST", f"/api/v1/projects/{PROJECT}/uploads/", files={"file": ("sales.csv", content)}
    )
    assert staged.status_code == 201, staged.text
    yield {**created.jobs, "upload": staged.json()["id"]}
    rows = stack.call("GET", f"/api/v1/projects/{PROJECT}/jobs/").json()["results"]
    for row in rows:
        if row["status"] not in TERMINAL:
            stack.call("POST", f"/api/v1/jobs/{row['id']}/cancel/")
    for row in rows:
        stack.end_of(row["id"])


def _findings_by_size(page: Page) -> list[str]:
    """Return the findings of axe on a wide screen and on a phone."""
    found = []
    for size in (WIDE, PHONE):
        page.set_viewport_size(size)
        found += [f"{size['width']} {one}" for one in [*_findings(page), *overlaps(page)]]
    return found


def _findings(page: Page) -> list[str]:
    """Return the findings of axe, one line per element.

    The dark theme changes colours only, so only colours are checked there.
    """
    found: list[str] = []
    # names and texts are the same on a phone
    rules = EXPERIMENTAL if page.viewport_size == WIDE else {}
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.axe_script)
    themes: list[tuple[Literal["light", "dark"], dict[str, Any]]] = [
        ("light", {"rules": rules}),
        ("dark", {"runOnly": {"type": "rule", "values": OF_COLOURS}}),
    ]
    for theme, options in themes:
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        answer: dict[str, Any] = page.evaluate(
            "(options) => axe.run(document, options)", {"resultTypes": ["violations"], **options}
        )
        for rule in answer["violations"]:
            found += [
                f"{theme} {rule['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
                for node in rule["nodes"][:3]
            ]
    return found


def test_axe_finds_errors_in_both_themes(page: Page) -> None:
    page.goto("/projects/")
    assert _findings(page) == []
    page.evaluate(
        "document.querySelector('.me .trunc').style.color = 'light-dark(#999999, #666666)'"
    )
    page.locator("[data-theme-toggle]").first.evaluate(
        "(one) => { one.removeAttribute('aria-label'); one.title = ''; }"
    )
    page.get_by_role("link", name="New project").evaluate(
        "(one) => one.setAttribute('aria-label', 'Something else')"
    )
    found = " ".join(_findings(page))
    assert "light label-content-name-mismatch" in found
    assert "light button-name" in found
    assert "light color-contrast" in found
    assert "dark color-contrast" in found


def test_a_text_that_covers_another_is_found(page: Page) -> None:
    page.goto("/projects/")
    assert overlaps(page) == []
    page.get_by_role("link", name="New project").evaluate(
        "(one) => { const to = document.querySelector('h1').getBoundingClientRect();"
        " one.style.cssText = `position: fixed; left: ${to.left}px; top: ${to.top}px`; }"
    )
    assert overlaps(page) != []


def test_every_page_is_tested() -> None:
    names = {pattern.name for pattern in page_urls.urlpatterns} - WITHOUT_A_FACE
    assert names == {word.split()[0] for word in PAGES} - {"not"}


@pytest.mark.timeout(300)  # the first creates the data
@pytest.mark.parametrize("part", range(PARTS))
def test_axe_finds_nothing_on_any_page(
    member: Visit, showcase: dict[str, str], watch: Watch, part: int
) -> None:
    watch.expects("status of 40[04]")
    page = member(viewport=WIDE)
    findings = {}
    for word, path in list(PAGES.items())[part::PARTS]:
        page.set_viewport_size(WIDE)
        page.goto(path.format(**showcase))
        if word.startswith("job "):
            expect(
                page.locator("[data-log-state]")
            ).not_to_be_empty() if word != "job waiting" else None
        if found := _findings_by_size(page):
            findings[word] = found
    assert findings == {}


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_axe_finds_nothing_on_pages_with_errors(
    visit: Visit, member: Visit, showcase: dict[str, str], watch: Watch, size: Any
) -> None:
    watch.expects("status of 40[01]")
    stranger = visit(viewport=size)
    stranger.goto("/signin/")
    findings = {"signin": _findings(stranger)}
    stranger.get_by_label("User name").fill("nobody-at-all")
    stranger.get_by_label("Password").fill("wrong")
    stranger.get_by_role("button", name="Sign in").click()
    expect(stranger.locator("#signin-error")).to_be_visible()
    findings["signin refused"] = _findings(stranger)

    page = member(viewport=size)
    page.goto(f"{_P}/jobs/new/?pipeline={PIPELINE}")
    page.locator("[name='resources.memory']").fill("plenty")
    page.get_by_role("button", name="Run pipeline").click()
    expect(page.locator("[id='e-resources.memory']")).to_be_visible()
    findings["job refused"] = _findings(page)
    page.goto(f"{_P}/pipelines/new/")
    page.get_by_role("textbox", name="Steps").fill('{"steps": [{"id": "a", "uses": "nothing"}]}')
    page.get_by_role("button", name="Check").click()
    expect(page.locator("#faults li").first).to_be_visible()
    findings["pipeline checked"] = _findings(page)
    page.goto(f"/jobs/{showcase['running']}/")
    page.get_by_role("button", name="Cancel job").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    findings["question"] = _findings(page)
    assert {word: found for word, found in findings.items() if found} == {}
