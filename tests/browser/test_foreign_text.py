"""Text from other users is never interpreted.

Scripts, escape codes, characters that reverse the text direction, names without an end.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.gated import GatedJob
from tests.frontend.shelf import regression
from tests.support.browser import PHONE
from tests.support.modelrows import write_versions
from tests.support.stack import Stack

SCRIPT = "<script>window.struck=1</script>"
PICTURE = "<img src=x onerror=window.struck=1>"
TURNED = "photo\u202egpj.exe"
COLOURED = "\x1b[31mred\x1b[0m and \x1b[1;32mgreen\x1b[0m \x1b]0;title\x07\x1b[2J\x1b[10;10Hplain"
HIDDEN = "a\u200bb\u2066c\u2069d"


def _untouched(page: Page) -> None:
    assert page.evaluate("window.struck") is None
    assert page.locator("main :is(script, img)").count() == 0


def test_cells_and_column_names_stay_text(page: Page, stack: Stack) -> None:
    cells = [SCRIPT, PICTURE, TURNED, HIDDEN, "\x1b[31mred"]
    data = "".join(
        [f'"{SCRIPT}",n\n', *(f'"{cell}",{number}\n' for number, cell in enumerate(cells))]
    )
    answer = stack.call(
        "POST",
        f"/api/v1/projects/{stack.project('foreign')}/datasets/",
        data={"name": "cells"},
        files={"file": ("cells.csv", data.encode())},
    )
    assert answer.status_code == 201, answer.text
    page.goto("/projects/foreign/datasets/cells/")
    shown = (
        page.get_by_role("region", name="First rows").locator("td:nth-child(2)").all_inner_texts()
    )
    assert shown == [
        SCRIPT,
        PICTURE,
        "photo⟨U+202E⟩gpj.exe",
        "a⟨U+200B⟩b⟨U+2066⟩c⟨U+2069⟩d",
        "␛[31mred",
    ]
    expect(page.get_by_role("columnheader").nth(1)).to_contain_text(SCRIPT)
    _untouched(page)


def test_a_log_stays_text_and_of_escape_codes_only_colours_are_left_as_classes(
    page: Page, gated: Callable[..., GatedJob], stack: Stack
) -> None:
    job = gated(name=f"{SCRIPT} {TURNED}", labels={"x": PICTURE}).running()
    page.goto(job.path)
    job.say(SCRIPT, PICTURE, TURNED, HIDDEN, COLOURED, "half done\rall done")
    rows = page.locator("[data-log-rows] .ln > span")
    expect(rows).to_have_count(6)  # live
    wanted = [
        SCRIPT,
        PICTURE,
        "photo⟨U+202E⟩gpj.exe",
        "a⟨U+200B⟩b⟨U+2066⟩c⟨U+2069⟩d",
        "red and green plain",
        "all done",
    ]
    assert rows.all_inner_texts() == wanted
    job.end()
    stack.assert_whole_log(job.id)
    page.goto(job.path)  # and read from the API
    expect(rows).to_have_count(6)
    assert rows.all_inner_texts() == wanted
    painted = (
        rows.nth(4)
        .locator("span")
        .evaluate_all(
            "(all) => all.map((one) => [one.textContent, one.className, one.getAttribute('style')])"
        )
    )
    assert painted == [["red", "a-r", None], ["green", "a-b a-g", None]]
    expect(rows.nth(2).locator("u")).to_have_attribute("title", "Invisible character")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{SCRIPT} photo⟨U+202E⟩gpj.exe")
    assert page.title() == f"✓ Succeeded: {SCRIPT} photo⟨U+202E⟩gpj.exe · Mimir"
    _untouched(page)
    page.goto("/projects/demo/jobs/")
    expect(page.get_by_role("link", name="photo⟨U+202E⟩gpj.exe").first).to_be_visible()
    _untouched(page)


LONG = {"project": "W" * 200, "name": "w" * 200, "job": "N" * 200, "label": "l" * 200}


def _long(version: dict[str, Any]) -> dict[str, Any]:
    """Return a model version whose every name is long."""
    features = [
        {"name": f"{one['name']}_{'f' * 150}", "kind": "number", "type": "STRUCT(" + "x" * 100}
        for one in version["signature"]["features"]
    ]
    signature = {**version["signature"], "features": features, "classes": ["k" * 120, "l" * 120]}
    importance = [{"feature": one["name"], "value": 0.5} for one in features]
    return {
        **version,
        "signature": signature,
        "importance": importance,
        "target": "t" * 150,
        "libraries": {"n" * 80: "1" * 80},
    }


@pytest.fixture(scope="module")
def long_names(stack: Stack) -> Iterator[dict[str, Any]]:
    """Create objects with names of 200 characters without a place for a line break."""
    slug, name = "x" * 63, LONG["name"]
    created = stack.call(
        "POST",
        "/api/v1/projects/",
        json={"slug": slug, "name": LONG["project"], "description": "d" * 400},
    )
    assert created.status_code == 201, created.text
    base = f"/api/v1/projects/{slug}/"
    data = f"{'c' * 120},n\n{'v' * 3000},1\n".encode()
    assert (
        stack.call(
            "POST", f"{base}datasets/", data={"name": name}, files={"file": ("a.csv", data)}
        ).status_code
        == 201
    )
    write_versions(
        stack,
        project=slug,
        name=name,
        dataset=name,
        versions=[_long(regression(1)), _long(regression(2))],
    )
    table = "t" * 60
    fails = f"printf '%03000d\\n' 7; echo {'e' * 300} >&2; touch outputs/{'f' * 180}; exit 5"
    steps = [
        {"id": table, "uses": "read", "with": {"dataset": name}},
        {"id": "out", "uses": "command", "needs": [table], "with": {"argv": ["sh", "-c", fails]}},
        {"id": "save", "uses": "write", "with": {"dataset": name, "from": table}},
    ]
    assert (
        stack.call(
            "POST", f"{base}pipelines/", json={"name": name, "definition": {"steps": steps}}
        ).status_code
        == 201
    )
    body = {
        "type": "pipeline_execution",
        "name": LONG["job"],
        "labels": {LONG["label"][:60]: LONG["label"]},
        "parameters": {"pipeline": name},
    }
    job = stack.call("POST", f"{base}jobs/", json=body)
    assert job.status_code == 201, job.text
    stack.end_of(job.json()["id"])
    token = stack.call("POST", "/api/v1/tokens/", json={"name": LONG["job"]}).json()
    yield {"slug": slug, "name": name, "job": job.json()["id"]}
    stack.call("DELETE", f"/api/v1/tokens/{token['id']}/")


PAGES = {
    "projects": "/projects/",
    "home": "/projects/{slug}/",
    "settings": "/projects/{slug}/settings/",
    "datasets": "/projects/{slug}/datasets/",
    "dataset": "/projects/{slug}/datasets/{name}/",
    "dataset columns": "/projects/{slug}/datasets/{name}/?tab=columns",
    "dataset versions": "/projects/{slug}/datasets/{name}/?tab=versions",
    "models": "/projects/{slug}/models/",
    "model": "/projects/{slug}/models/{name}/",
    "model-compare": "/projects/{slug}/models/{name}/compare/",
    "pipelines": "/projects/{slug}/pipelines/",
    "pipeline": "/projects/{slug}/pipelines/{name}/",
    "new pipeline": "/projects/{slug}/pipelines/new/?dataset={name}",
    "jobs": "/projects/{slug}/jobs/",
    "filtered": "/projects/{slug}/jobs/?q={name}&label={name}",
    "job": "/jobs/{job}/",
    "run": "/projects/{slug}/jobs/new/?pipeline={name}",
    "run again": "/projects/{slug}/jobs/new/?from={job}",
    "tokens": "/tokens/",
}


@pytest.mark.parametrize("width", [390, 320])
def test_a_name_of_200_characters_makes_no_page_scroll_sideways(
    member: Visit, long_names: dict[str, Any], width: int
) -> None:
    page = member(viewport={**PHONE, "width": width})
    too_wide = {}
    for word, path in PAGES.items():
        page.goto(path.format(**long_names))
        if word in ("job", "run", "run again"):  # includes parts drawn by the script
            expect(
                page.locator("[data-log-rows] .ln, #curl:has-text('curl -X')").first
            ).to_be_visible()
        wide, inner = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        if wide > inner:
            too_wide[word] = (wide, inner, page.evaluate(_WIDEST, inner))
    assert too_wide == {}


# Elements whose text or box extends beyond the viewport, for the failure message.
_WIDEST = """(inner) => [...document.querySelectorAll("body *")].filter((one) => {
  const range = document.createRange();
  range.selectNodeContents(one);
  return Math.max(range.getBoundingClientRect().right, one.getBoundingClientRect().right) > inner + 1;
}).slice(-6).map((one) => one.outerHTML.slice(0, 200))"""  # noqa: E501


def test_the_job_with_long_names_is_recognised_in_the_list(
    member: Visit, long_names: dict[str, Any]
) -> None:
    page = member(viewport=PHONE)
    page.goto(f"/projects/{long_names['slug']}/jobs/")
    link = page.get_by_role("link", name=LONG["job"])
    expect(link).to_be_visible()
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(LONG["job"])
