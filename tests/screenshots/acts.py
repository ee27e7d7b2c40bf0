"""User actions before a screenshot: wrong input, to show each form's messages."""

from playwright.sync_api import Page

_FAULTY = """{
  "steps": [
    {"id": "trips", "uses": "read", "with": {"dataset": "no-such-dataset"}},
    {"id": "daily", "uses": "sql", "with": {"query": "DELETE FROM trips"}},
    {"id": "save", "uses": "write", "with": {"dataset": "daily", "from": "nothing"}}
  ]
}"""


def wrong_password(page: Page) -> None:
    """Refused under the fields."""
    page.get_by_label("User name").fill("ines")
    page.get_by_label("Password").fill("not-the-password")
    page.get_by_role("button", name="Sign in").click()
    page.locator("#signin-error").wait_for()


def wrong_request(page: Page) -> None:
    """Run a job with values that do not fit."""
    page.get_by_role("textbox", name="Version").fill("newest")
    page.locator("[name='resources.memory']").fill("plenty")
    page.get_by_role("button", name="Run pipeline").click()
    page.locator(".errbox").wait_for()


def too_many_gpus(page: Page) -> None:
    """A job that no cluster can hold, and the changes that would start it."""
    page.locator("[name='resources.gpu']").fill("8")
    page.get_by_role("status").filter(has_text="Cannot start").wait_for()


def wrong_training(page: Page) -> None:
    """A training whose values do not fit."""
    page.get_by_role("textbox", name="Model", exact=True).fill("demand forecast")
    page.locator("#folded > summary").click()
    page.get_by_label("Held-out fraction").fill("1.2")
    page.get_by_role("button", name="Run training").click()
    page.locator(".errbox").wait_for()


def wrong_project(page: Page) -> None:
    """A new project at an address that is none."""
    page.get_by_label("Name").fill("Seattle bikes")
    page.get_by_label("Address").fill("Seattle Bikes!")
    page.get_by_role("button", name="Create project").click()
    page.locator(".errbox").wait_for()


def wrong_definition(page: Page) -> None:
    """A definition with a fault in each step, checked."""
    page.get_by_role("textbox", name="Steps", exact=True).fill(_FAULTY)
    page.get_by_role("button", name="Check").click()
    page.locator("[data-faults] li").first.wait_for()


def wrong_twin(page: Page) -> None:
    """A definition of a twin with two faults, checked."""
    editor = page.get_by_role("textbox", name="Entity types", exact=True)
    editor.fill(
        editor.input_value()
        .replace('"number"', '"float"', 1)
        .replace('"to": "district"', '"to": "nowhere"')
    )
    page.get_by_role("button", name="Check").click()
    page.locator("[data-faults] li").first.wait_for()


def wrong_value(page: Page) -> None:
    """A value that its property cannot hold."""
    page.get_by_role("textbox", name="Temperature").fill("warm")
    page.get_by_role("button", name="Save values").click()
    page.locator(".errbox").wait_for()


def shown_numbers(page: Page) -> None:
    """The numbers behind a plot."""
    page.locator("details.numbers summary").click()


def no_such_user(page: Page) -> None:
    """Add a member with an unknown user name."""
    page.get_by_label("User name").fill("nobody-yet")
    page.get_by_role("button", name="Add", exact=True).click()
    page.locator(".errbox").wait_for()


def new_token(page: Page) -> None:
    """A token, shown once."""
    page.get_by_label("Name").fill("nightly-upload")
    page.get_by_role("button", name="Create token").click()
    page.locator("#token").wait_for()


def as_in_the_file(page: Page) -> None:
    """The preview of an import with the cells of the file."""
    page.get_by_text("As in the file").click()


def two_sheets(page: Page) -> None:
    """An import of two sheets of a workbook as a dataset each."""
    page.get_by_label("Stations").check()
    page.get_by_role("button", name="Import 2 sheets").wait_for()


def added_rows(page: Page) -> None:
    """An import whose rows are added to the current version."""
    page.get_by_label("Add to the").check()
    page.get_by_role("button", name="Add 2 rows").wait_for()


def searched_log(page: Page) -> None:
    """A search in the log, at its first hit."""
    page.get_by_label("Search the log").fill("skipped")
    page.keyboard.press("Enter")
    page.locator(".ln mark").first.wait_for()


def asked_to_confirm(page: Page) -> None:
    """The question before a running job is cancelled."""
    page.get_by_role("button", name="Cancel job").click()
    page.locator("dialog").wait_for()


def open_lineage(page: Page) -> None:
    """The full lineage."""
    page.get_by_text("Full lineage").click()


def open_numbers(page: Page) -> None:
    """The numbers behind a plot."""
    page.get_by_text("Show numbers").first.click()


def open_menu(page: Page) -> None:
    """The navigation of a phone."""
    page.get_by_role("button", name="Menu").click()
