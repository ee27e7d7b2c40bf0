"""Account, the admin and the documentation of the API in a real browser, with their content
security policies.
"""

import re
import uuid
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.conftest import Visit
from tests.contract.conftest import PASSWORD
from tests.support.browser import PHONE, context_of, sign_in
from tests.support.stack import Stack

NEW = "an-even-longer-password"


def _user(stack: Stack, chromium: Browser) -> str:
    """Create a user with the admin's form; its content security policy must block nothing."""
    name, stopped = f"person-{uuid.uuid4().hex[:8]}", list[str]()
    # not watched: browsers request an icon, which the admin does not have
    context = context_of(chromium, stack)
    admin = context.new_page()
    admin.on(
        "console",
        lambda message: (
            stopped.append(message.text) if "Content Security Policy" in message.text else None
        ),
    )
    admin.goto("/admin/login/")
    admin.get_by_label("Username").fill(stack.described["username"])
    admin.get_by_label("Password").fill(stack.described["password"])
    admin.get_by_role("button", name="Log in").click()
    admin.goto("/admin/auth/user/add/")
    admin.get_by_label("Username").fill(name)
    admin.locator("#id_password1").fill(PASSWORD)
    admin.locator("#id_password2").fill(PASSWORD)
    admin.get_by_role("button", name="Save", exact=True).click()
    expect(admin.get_by_text("was added successfully")).to_be_visible()
    for path in (
        "/admin/",
        "/admin/jobs/job/",
        "/admin/projects/auditevent/",
        "/admin/projects/project/add/",
    ):
        admin.goto(path)
        expect(admin.get_by_role("heading").first).to_be_visible()
    context.close()
    assert stopped == []
    return name


def test_a_person_changes_the_password_and_signs_out_everywhere(
    stack: Stack, chromium: Browser, visit: Visit, tmp_path: Path
) -> None:
    name = _user(stack, chromium)
    page, phone = visit(), visit(viewport=PHONE)
    for each in (page, phone):
        sign_in(each, name, PASSWORD)
    page.get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", name="Account")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="This session")).to_have_count(1)
    assert page.get_by_role("row").count() == 3
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("New password", exact=True).fill(NEW)
    page.get_by_label("New password again").fill(NEW)
    expect(page.get_by_label("Revoke my API tokens")).to_be_checked()
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_role("heading", name="Password changed")).to_be_visible()
    page.screenshot(path=tmp_path / "account.png", full_page=True)
    phone.goto("/account/")
    expect(phone).to_have_url(re.compile("/signin/"))
    sign_in(phone, name, NEW)
    phone.goto("/account/")
    assert phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    phone.screenshot(path=tmp_path / "account-phone.png", full_page=True)
    phone.get_by_role("button", name="Sign out everywhere").click()
    phone.get_by_role("dialog").get_by_role("button", name="Sign out everywhere").click()
    expect(phone).to_have_url(re.compile("/signin/"))
    page.goto("/account/")
    expect(page).to_have_url(re.compile("/signin/"))


def test_the_documentation_works_under_its_policy(member: Visit) -> None:
    docs = member()
    docs.goto("/api/docs/")
    expect(docs.get_by_text("/api/v1/projects/", exact=True).first).to_be_visible()
    docs.locator("#operations-api-session_read, [id*=session_read]").first.click()
    docs.get_by_role("button", name="Try it out").first.click()
    docs.get_by_role("button", name="Execute").first.click()
    expect(docs.get_by_text('"username"').first).to_be_visible()


def test_the_documentation_sends_strangers_to_the_sign_in(visit: Visit) -> None:
    stranger = visit()
    stranger.goto("/api/docs/")
    expect(stranger).to_have_url(re.compile(r"/signin/\?next=%2Fapi%2Fdocs%2F"))
