"""Sign-in and sign-out on the pages."""

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.watch import Watch
from tests.support.browser import sign_in
from tests.support.stack import Stack


def _try(page: Page, username: str, password: str) -> str:
    """Try to sign in with the form, and return the message under the fields."""
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    message = page.locator("#signin-error")
    expect(message).to_be_visible()
    return message.inner_text()


def test_a_visitor_signs_in_and_returns_to_the_requested_page(visit: Visit, stack: Stack) -> None:
    wanted = f"/projects/{stack.project()}/jobs/?status=failed&q=night"
    page = visit()
    page.goto(wanted)
    assert "/signin/" in page.url
    page.get_by_label("User name").fill(stack.described["username"])
    page.get_by_label("Password").fill(stack.described["password"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{wanted}")
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    expect(page.get_by_label("Search by title")).to_have_value("night")


def test_a_wrong_password_and_an_unknown_name_get_the_same_message_under_the_fields(
    visit: Visit, stack: Stack, watch: Watch
) -> None:
    watch.expects("status of 401")
    page = visit()
    page.goto("/signin/")
    wrong = _try(page, stack.described["username"], "not-the-password")
    password = page.get_by_label("Password")
    expect(password).to_have_attribute("aria-describedby", "signin-error")
    expect(password).to_have_value("")
    expect(page.get_by_label("User name")).to_have_value(stack.described["username"])
    below = page.locator("#signin-error").bounding_box()
    field = password.bounding_box()
    assert below
    assert field
    assert below["y"] >= field["y"] + field["height"]
    assert _try(page, "nobody-has-this-name", "not-the-password") == wrong
    assert stack.described["username"] not in wrong


def test_after_signing_out_back_shows_nothing(visit: Visit, stack: Stack) -> None:
    page = visit()
    sign_in(page, stack.described["username"], stack.described["password"])
    page.goto(f"/projects/{stack.project()}/")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/signin/")
    page.go_back()
    page.wait_for_url("**/signin/?next=*")
    expect(page.get_by_role("heading", name="Sign in to Mimir")).to_be_visible()
