"""Unsaved input is kept when a session has ended.

With JavaScript by a dialog on the page, without it by the sign-in page, which carries the form.
"""

import json
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import APIResponse, Page, Request, Response, Route, expect

from tests.browser.conftest import Visit
from tests.browser.watch import Watch
from tests.support.stack import Stack

ENDED = "Your session has ended. Sign in to save; your text is kept."
STEPS = {"steps": [{"id": "one", "uses": "sql", "with": {"query": "SELECT 1 AS kept_text"}}]}
TWIN = {
    "types": [
        {
            "name": "pump",
            "key": {"name": "id"},
            "properties": [{"name": "kept_text", "type": "string"}],
        }
    ]
}


def _end_session(page: Page) -> None:
    page.context.clear_cookies(name="mimir_session")


def _sign_in_by_dialog(page: Page, stack: Stack) -> None:
    dialog = page.get_by_role("dialog", name="Sign in again")
    expect(dialog).to_contain_text(ENDED)
    expect(dialog.get_by_label("User name")).to_have_value(stack.described["username"])
    dialog.get_by_label("Password").fill(stack.described["password"])
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_have_count(0)


def _is_a_form(request: Request) -> bool:
    return request.method == "POST" and request.is_navigation_request()


def _answers_a_form(response: Response) -> bool:
    return _is_a_form(response.request)


def _forms_sent(page: Page) -> list[dict[str, list[str]]]:
    """Return a growing list with the fields of each form that the page sends."""
    sent: list[dict[str, list[str]]] = []

    def note(request: Request) -> None:
        if _is_a_form(request):
            sent.append(
                {
                    name: [one.replace("\r\n", "\n") for one in values]
                    for name, values in parse_qs(request.post_data or "").items()
                }
            )

    page.on("request", note)
    return sent


@pytest.fixture(scope="module")
def project(stack: Stack) -> str:
    slug = stack.project("ended-session")
    base = f"/api/v1/projects/{slug}/"
    assert (
        stack.call(
            "POST", f"{base}pipelines/", json={"name": "kept", "definition": STEPS}
        ).status_code
        == 201
    )
    assert (
        stack.call("POST", f"{base}twins/", json={"name": "kept", "definition": TWIN}).status_code
        == 201
    )
    return slug


@pytest.mark.parametrize(
    ("path", "field", "text", "button", "after"),
    [
        (
            "pipelines/kept/",
            "Steps",
            json.dumps(STEPS).replace("SELECT 1", "SELECT 2"),
            "Save as version",
            "**/pipelines/kept/",
        ),
        ("pipelines/new/", "Name", "kept-2", "Save", "**/pipelines/kept-2/"),
        (
            "twins/kept/definition/",
            "Entity types",
            json.dumps(TWIN).replace("kept_text", "kept_more"),
            "Save as definition",
            "**/twins/kept/",
        ),
        ("settings/", "Name", "Renamed while signed out", "Save", "**/settings/"),
        ("jobs/new/?pipeline=kept", "Name", "kept job name", "Run pipeline", "**/jobs/*-*/"),
    ],
)
def test_a_form_sent_without_session_signs_in_on_the_page_and_is_sent_then(
    page: Page,
    stack: Stack,
    project: str,
    watch: Watch,
    path: str,
    field: str,
    text: str,
    button: str,
    after: str,
) -> None:
    watch.expects("status of 401")  # of the job form, which requests its fields while a user types
    sent = _forms_sent(page)
    page.goto(f"/projects/{project}/{path}")
    _end_session(page)
    page.get_by_role("textbox", name=field).first.fill(text)
    expect(page.get_by_role("textbox", name=field).first).to_have_value(text)
    page.get_by_role("button", name=button).first.click()
    with page.expect_response(_answers_a_form):  # some pages already have the URL `after`
        _sign_in_by_dialog(page, stack)
        # the field may have opened the dialog first; then the button is pressed now
        if "jobs" in path:
            page.wait_for_timeout(300)
            if "/new/" in page.url:
                expect(page.get_by_role("textbox", name=field).first).to_have_value(text)
                page.get_by_role("button", name=button).click()
    page.wait_for_url(after)
    assert [text in [value for values in form.values() for value in values] for form in sent] == [
        True
    ], sent
    expect(page.locator("main")).to_contain_text(text if field == "Name" else "kept")
    if "definition" in path:
        definition = stack.call("GET", f"/api/v1/projects/{project}/twins/kept/").json()[
            "definition"
        ]
        assert definition == json.loads(text)
    if path == "pipelines/kept/":
        versions = stack.call("GET", f"/api/v1/projects/{project}/pipelines/kept/").json()[
            "versions"
        ]
        assert versions[0]["definition"] == json.loads(text)


def test_a_refusal_that_arrives_after_the_sign_in_changes_nothing(
    page: Page, stack: Stack, project: str, watch: Watch
) -> None:
    """A field of the job form sends a request without a session.

    Its 401 arrives while the form is being sent with the new session.
    """
    watch.expects("status of 401")
    late: list[tuple[Route, APIResponse]] = []

    def answer(route: Route) -> None:
        if route.request.is_navigation_request():
            for held, response in late:
                held.fulfill(response=response)
            page.wait_for_timeout(50)  # its cookies are set
            route.continue_()
        else:
            # added by the browser
            late.append(
                (route, route.fetch(headers={**route.request.headers, "sec-fetch-dest": "empty"}))
            )

    sent = _forms_sent(page)
    page.goto(f"/projects/{project}/jobs/new/?pipeline=kept")
    _end_session(page)
    page.route("**/jobs/new/**", answer)
    page.get_by_role("textbox", name="Name").fill("sent before a late refusal")
    page.get_by_role("button", name="Run pipeline").click()
    _sign_in_by_dialog(page, stack)
    page.wait_for_url("**/jobs/*-*/")
    assert [form["name"] for form in sent] == [["sent before a late refusal"]]
    expect(page.get_by_role("heading", level=1)).to_have_text("sent before a late refusal")
    assert late[0][1].status == 401


def test_a_form_is_not_sent_for_another_user_whichever_request_caused_the_sign_in(
    page: Page, stack: Stack, project: str, watch: Watch
) -> None:
    """The request of a field opens the sign-in dialog, and the form waits for the same dialog."""
    watch.expects("status of 401", "status of 403")
    held: list[Route] = []
    looked: list[bool] = []

    def inspect_request(route: Route) -> None:
        route.fulfill(response=route.fetch())
        looked.append(True)
        while held:
            held.pop().continue_()

    sent = _forms_sent(page)
    page.goto(f"/projects/{project}/jobs/new/?pipeline=kept")
    _end_session(page)
    page.route("**/jobs/new/**", inspect_request)
    page.route("**/session/", lambda route: route.continue_() if looked else held.append(route))
    page.route(
        "**/signin/", lambda route: route.fulfill(json={"username": "somebody-else", "csrf": "x"})
    )
    page.get_by_role("textbox", name="Name").fill("never sent")
    page.get_by_role("button", name="Run pipeline").click()
    _sign_in_by_dialog(page, stack)
    expect(page.get_by_text("You are now signed in as somebody-else")).to_be_visible()
    expect(page.get_by_role("textbox", name="Name")).to_have_value("never sent")
    assert sent == []


def test_the_dialog_can_be_cancelled_and_reports_a_wrong_password(
    page: Page, stack: Stack, project: str, watch: Watch
) -> None:
    watch.expects("status of 401")
    page.goto(f"/projects/{project}/pipelines/new/")
    page.get_by_label("Name", exact=True).fill("never-sent")
    _end_session(page)
    page.get_by_role("button", name="Save", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Password").fill("wrong")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog.get_by_role("alert")).to_contain_text("wrong")
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("never-sent")
    page.get_by_role("button", name="Save", exact=True).click()
    _sign_in_by_dialog(page, stack)
    page.wait_for_url("**/pipelines/never-sent/")


def test_check_and_a_change_in_the_job_form_do_not_leave_the_page(
    page: Page, stack: Stack, project: str, watch: Watch
) -> None:
    watch.expects("status of 401")
    page.goto(f"/projects/{project}/pipelines/new/")
    page.get_by_role("textbox", name="Steps").fill(json.dumps(STEPS))
    _end_session(page)
    page.get_by_role("button", name="Check").click()
    _sign_in_by_dialog(page, stack)
    expect(page.locator("[data-okay]")).to_be_visible()
    expect(page.get_by_role("textbox", name="Steps")).to_have_value(json.dumps(STEPS))


def test_a_form_with_a_csrf_token_replaced_by_another_tab_is_sent(
    page: Page, stack: Stack, project: str
) -> None:
    """A new sign-in in another tab changes the CSRF secret.

    The form of this tab is still sent.
    """
    page.goto(f"/projects/{project}/pipelines/new/")
    page.get_by_label("Name", exact=True).fill("stale-token")
    other = page.context.new_page()
    _end_session(page)
    other.goto("/signin/")
    other.get_by_label("User name").fill(stack.described["username"])
    other.get_by_label("Password").fill(stack.described["password"])
    other.get_by_role("button", name="Sign in").click()
    other.wait_for_url("**/projects/")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/pipelines/stale-token/")


@pytest.mark.parametrize(
    ("path", "field", "text", "button", "after"),
    [
        (
            "pipelines/new/",
            "Name",
            "no-script-pipeline",
            "Save",
            "**/pipelines/no-script-pipeline/",
        ),
        (
            "twins/kept/definition/",
            "Entity types",
            json.dumps(TWIN).replace("kept_text", "no_script"),
            "Save as definition",
            "**/twins/kept/",
        ),
        ("jobs/new/?pipeline=kept", "Name", "no script job", "Run pipeline", "**/jobs/*-*/"),
    ],
)
def test_without_script_the_sign_in_page_carries_the_form(
    member: Visit,
    stack: Stack,
    project: str,
    watch: Watch,
    path: str,
    field: str,
    text: str,
    button: str,
    after: str,
) -> None:
    watch.expects("status of 401")
    page = member(java_script_enabled=False)
    page.goto(f"/projects/{project}/{path}")
    page.get_by_role("textbox", name=field).first.fill(text)
    _end_session(page)
    page.get_by_role("button", name=button).first.click()
    expect(page.get_by_text(ENDED)).to_be_visible()
    page.get_by_label("User name").fill(stack.described["username"])
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text(ENDED)).to_be_visible()  # a wrong password keeps the form
    page.get_by_label("Password").fill(stack.described["password"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="You are signed in again")).to_be_visible()
    kept = page.locator(f"[name={'definition' if field == 'Entity types' else 'name'}]")
    expect(kept).to_have_value(text)
    if "twins" in path:
        page.get_by_role("button", name="Continue editing").click()
        expect(page.get_by_role("textbox", name=field)).to_have_value(text)
        page.get_by_role("button", name=button).click()
    else:
        page.get_by_role("button", name="Send").click()
    page.wait_for_url(after)
