"""Pages of a real installation, requested as by a browser without JavaScript."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.signin import sign_in
from tests.support.stack import Stack, running

pytestmark = pytest.mark.timeout(180)
SLUG = "people"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("pages")
    yield from running(folder)


@pytest.fixture
def person(stack: Stack) -> Iterator[httpx.Client]:
    stack.project(SLUG)
    client = sign_in(stack)
    client.headers["Origin"] = stack.described["frontend_url"]
    yield client
    client.close()


def _send(person: httpx.Client, path: str, **fields: str) -> httpx.Response:
    """Send a form of the page at `path`."""
    token = re.search(
        r'name="csrfmiddlewaretoken" value="([^"]+)"', person.get(path).raise_for_status().text
    )
    assert token
    return person.post(path, data={**fields, "csrfmiddlewaretoken": token[1]})


def _roles(stack: Stack) -> dict[str, str]:
    rows = stack.call("GET", f"/api/v1/projects/{SLUG}/members/").json()["results"]
    return {row["username"]: row["role"] for row in rows}


def test_a_member_gets_another_role_leaves_and_comes_back(
    stack: Stack, person: httpx.Client
) -> None:
    me, page = stack.described["username"], f"/projects/{SLUG}/members/"
    assert _roles(stack) == {me: "maintainer"}
    assert _send(person, page, username=me, role="operator", change="1").headers["Location"] == page
    assert _roles(stack) == {me: "operator"}
    assert _send(person, page, username=me, remove="1").headers["Location"] == "/projects/"
    assert _roles(stack) == {}
    assert _send(person, page, username=me, role="maintainer").headers["Location"] == page
    assert _roles(stack) == {me: "maintainer"}


def test_an_unknown_user_is_reported_at_the_field_and_stays_typed(
    stack: Stack, person: httpx.Client
) -> None:
    answer = _send(person, f"/projects/{SLUG}/members/", username="nobody-yet", role="viewer")
    assert answer.status_code == 400
    assert re.search(r'id="e-username">.*There is no user nobody-yet', answer.text, re.DOTALL)
    assert 'value="nobody-yet"' in answer.text


def test_an_empty_project_shows_three_steps_and_the_first_from_a_program(
    stack: Stack, person: httpx.Client
) -> None:
    slug = stack.project("empty")
    shown = person.get(f"/projects/{slug}/").text
    assert re.findall(r"<h2>(\d\. [^<]+)</h2>", shown) == [
        "1. Upload a dataset",
        "2. Choose what to do with it",
        "3. Run it",
    ]
    assert f"/api/v1/projects/{slug}/datasets/" in shown


def test_a_failed_job_shows_what_to_do_its_last_lines_and_its_state_in_title_and_icon(
    stack: Stack, person: httpx.Client
) -> None:
    job = stack.submit(
        "echo reading; echo the disc is full >&2; exit 3", project=SLUG, name="Nightly"
    )
    stack.end_of(job)
    stack.assert_whole_log(job)
    shown = person.get(f"/jobs/{job}/").text
    assert "<title>✗ Failed: Nightly · Mimir</title>" in shown
    assert "/static/img/job-failed.svg" in shown
    why = shown[shown.index('id="job-why"') : shown.index('id="job-steps"')]
    assert "exit code 3" in why
    assert re.search(r'href="#L2"[^>]*>2</a><span>the disc is full</span>', why)
    assert "Open the pipeline" in why


def test_sixty_steps_are_drawn_and_more_are_listed_first(
    stack: Stack, person: httpx.Client
) -> None:
    for count, drawn in ((60, True), (61, False)):
        steps = [
            {"id": f"s{number}", "uses": "sql", "with": {"query": "SELECT 1 AS n"}}
            for number in range(count)
        ]
        job = stack.submit(steps, project=SLUG)
        assert ('class="dag"' in person.get(f"/jobs/{job}/").text) is drawn
        assert 'class="dag"' in person.get(f"/jobs/{job}/?steps=graph").text
        stack.call("POST", f"/api/v1/jobs/{job}/cancel/")


def test_jobs_that_move_stand_above_those_that_have_ended(
    stack: Stack, person: httpx.Client
) -> None:
    moving = stack.submit("sleep 60", project=SLUG, name="Moves")
    stack.wait_status(moving, "running")
    ended = stack.submit("true", project=SLUG, name="Ends")
    stack.end_of(ended)
    shown = person.get(f"/projects/{SLUG}/jobs/").text
    headings = re.findall(r'scope="rowgroup">(\w+)<', shown)
    assert headings == ["Now", "Ended"]
    assert (
        shown.index(f'data-job="{moving}"')
        < shown.index(">Ended<")
        < shown.index(f'data-job="{ended}"')
    )
    assert "rowgroup" not in person.get(f"/projects/{SLUG}/jobs/?status=succeeded").text
    stack.call("POST", f"/api/v1/jobs/{moving}/cancel/")
