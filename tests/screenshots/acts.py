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
    """Show the message of a wrong password."""
    page.get_by_label("User name").fill("ines")
    page.get_by_label("Password").fill("not-the-password")
    page.get_by_role("button", name="Sign in").click()
    page.locator("#signin-error").wait_for()


def wrong_request(page: Page) -> None:
    """Run a job with invalid values."""
    page.get_by_role("textbox", name="Version").fill("newest")
    page.locator("[name='resources.memory']").fill("plenty")
    page.get_by_role("button", name="Run pipeline").click()
    page.locator(".errbox").wait_for()


def too_many_gpus(page: Page) -> None:
    """Request more GPUs than any cluster has, to show the changes that would start the job."""
    page.locator("[name='resources.gpu']").fill("8")
    page.get_by_role("status").filter(has_text="Cannot start").wait_for()


def wrong_training(page: Page) -> None:
    """Run a training with invalid values."""
    page.get_by_role("textbox", name="Model", exact=True).fill("demand forecast")
    page.locator("#folded > summary").click()
    page.get_by_label("Held-out fraction").fill("1.2")
    page.get_by_role("button", name="Run training").click()
    page.locator(".errbox").wait_for()


def wrong_project(page: Page) -> None:
    """Create a project with an invalid address."""
    page.get_by_label("Name").fill("Seattle bikes")
    page.get_by_label("Address").fill("Seattle Bikes!")
    page.get_by_role("button", name="Create project").click()
    page.locator(".errbox").wait_for()


def wrong_definition(page: Page) -> None:
    """Check a definition with a fault in each step."""
    page.get_by_role("textbox", name="Steps", exact=True).fill(_FAULTY)
    page.get_by_role("button", name="Check").click()
    page.locator("[data-faults] li").first.wait_for()


def wrong_twin(page: Page) -> None:
    """Check a twin definition with two faults."""
    editor = page.get_by_role("textbox", name="Entity types", exact=True)
    editor.fill(
        editor.input_value()
        .replace('"number"', '"float"', 1)
        .replace('"to": "district"', '"to": "nowhere"')
    )
    page.get_by_role("button", name="Check").click()
    page.locator("[data-faults] li").first.wait_for()


def wrong_value(page: Page) -> None:
    """Set a value that the type of the property rejects."""
    page.get_by_role("textbox", name="Temperature").fill("warm")
    page.get_by_role("button", name="Save values").click()
    page.locator(".errbox").wait_for()


def shown_numbers(page: Page) -> None:
    """Show the numbers of a plot."""
    page.locator("details.numbers summary").click()


def no_such_user(page: Page) -> None:
    """Add a member with an unknown user name."""
    page.get_by_label("User name").fill("nobody-yet")
    page.get_by_role("button", name="Add", exact=True).click()
    page.locator(".errbox").wait_for()


def new_token(page: Page) -> None:
    """Create a token, which is displayed once."""
    page.get_by_label("Name").fill("nightly-upload")
    page.get_by_role("button", name="Create token").click()
    page.locator("#token").wait_for()


def as_in_the_file(page: Page) -> None:
    """Show the preview of an import with the cells of the file."""
    page.get_by_text("As in the file").click()


def two_sheets(page: Page) -> None:
    """Import two sheets of a workbook, each as a dataset."""
    page.get_by_label("Stations").check()
    page.get_by_role("button", name="Import 2 sheets").wait_for()


def added_rows(page: Page) -> None:
    """Import rows that are added to the current version."""
    page.get_by_label("Add to the").check()
    page.get_by_role("button", name="Add 2 rows").wait_for()


def searched_log(page: Page) -> None:
    """Search in the log and show the first hit."""
    page.get_by_label("Search the log").fill("skipped")
    page.keyboard.press("Enter")
    page.locator(".ln mark").first.wait_for()


def asked_to_confirm(page: Page) -> None:
    """Show the dialog before a running job is cancelled."""
    page.get_by_role("button", name="Cancel job").click()
    page.locator("dialog").wait_for()


def open_lineage(page: Page) -> None:
    """Open the full lineage."""
    page.get_by_text("Full lineage").click()


def open_numbers(page: Page) -> None:
    """Open the numbers of a plot."""
    page.get_by_text("Show numbers").first.click()


def open_menu(page: Page) -> None:
    """Open the navigation menu on a phone."""
    page.get_by_role("button", name="Menu").click()
