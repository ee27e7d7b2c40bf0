"""Users page: create a user, set a password with the link, deactivate the user."""

import re
import uuid
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.support.browser import PHONE, sign_in

NEW = "an-even-longer-password"


def test_a_user_is_created_sets_a_password_and_is_deactivated(
    page: Page, visit: Visit, tmp_path: Path
) -> None:
    name = f"ines-{uuid.uuid4().hex[:8]}"
    page.goto("/system/")
    page.get_by_role("navigation", name="System").get_by_role("link", name="Users").click()
    page.get_by_label("User name").fill(name)
    page.get_by_label("E-mail", exact=False).last.fill("ines@example.org")
    page.get_by_role("button", name="Create user").click()
    expect(page.get_by_role("heading", name=f"User {name} created")).to_be_visible()
    link = page.get_by_label("The link", exact=True).inner_text()
    assert re.search(r"^http://[^/]+/password/[^/]+/[^/]+/$", link)
    expect(page.get_by_role("button", name="Copy")).to_be_visible()
    row = page.get_by_role("row").filter(has_text=name)
    expect(row).to_contain_text("No password yet")
    page.screenshot(path=tmp_path / "users-light-1440.png", full_page=True)
    page.emulate_media(color_scheme="dark")
    page.screenshot(path=tmp_path / "users-dark-1440.png", full_page=True)

    phone = visit(viewport=PHONE)
    phone.goto(link)
    expect(phone.get_by_label("User name")).to_have_value(name)
    phone.get_by_label("New password", exact=True).fill(NEW)
    phone.get_by_label("New password again").fill(NEW)
    phone.screenshot(path=tmp_path / "password-light-390.png", full_page=True)
    phone.get_by_role("button", name="Set password").click()
    expect(phone.get_by_role("heading", name="Your password is set")).to_be_visible()
    sign_in(phone, name, NEW)

    page.goto(f"/system/users/?q={name}")
    expect(page.get_by_label("The link", exact=True)).to_have_count(0)
    expect(row).to_contain_text("Active")
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.screenshot(path=tmp_path / "users-dark-390.png", full_page=True)
    row.get_by_role("button", name="Deactivate").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("API tokens are revoked")
    dialog.get_by_role("button", name="Deactivate").click()
    expect(row).to_contain_text("Deactivated")
    expect(row.get_by_role("button", name="Activate")).to_be_visible()
    phone.goto("/projects/")
    expect(phone).to_have_url(re.compile("/signin/"))
