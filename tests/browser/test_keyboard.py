"""Use by keyboard only, with a visible focus at every step."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit
from tests.browser.gated import GatedJob
from tests.support.browser import PHONE
from tests.support.stack import Stack

TABS_MAX = 60
# Visible focus: an outline of at least 2 px on the element or on the box around its field.
_VISIBLE = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return "nothing has the focus";
  const outlined = (element) => {
    const style = getComputedStyle(element);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  };
  const shown = outlined(one) || (one.parentElement && outlined(one.parentElement));
  const box = one.getBoundingClientRect();
  const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  return shown && inside ? "" : `no visible focus on ${one.outerHTML.slice(0, 120)}`;
}"""


def _tab_to(page: Page, target: Locator) -> None:
    """Press Tab until `target` has the focus; at every step the focus must be visible."""
    expect(target).to_be_visible()
    for _ in range(TABS_MAX):
        page.keyboard.press("Tab")
        assert page.evaluate(_VISIBLE) == ""
        if target.evaluate("(one) => one === document.activeElement"):
            return
    raise AssertionError(f"{target} has no focus after {TABS_MAX} Tab keys")


def test_sign_in_run_a_job_and_cancel_it(
    visit: Visit, stack: Stack, gated: Callable[..., GatedJob]
) -> None:
    pattern = gated(project="keys", name="the first").running()
    pipeline: str = stack.job(pattern.id)["parameters"]["pipeline"]
    page = visit()
    page.goto("/projects/keys/jobs/")
    expect(page.get_by_label("User name")).to_be_focused()
    page.keyboard.type(stack.described["username"])
    _tab_to(page, page.get_by_label("Password"))
    page.keyboard.type(stack.described["password"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()

    _tab_to(page, page.get_by_role("link", name="Skip to content"))
    page.keyboard.press("Enter")
    _tab_to(page, page.get_by_role("link", name="Run a job"))
    page.keyboard.press("Enter")
    _tab_to(page, page.get_by_role("combobox", name="Pipeline"))
    page.keyboard.type(pipeline)
    expect(page.get_by_role("combobox", name="Pipeline")).to_have_value(pipeline)
    _tab_to(page, page.locator("#f-name"))
    page.keyboard.type("by keys")
    _tab_to(page, page.locator("#common > summary"))
    page.keyboard.press("Enter")
    _tab_to(page, page.locator("[name=timeout_seconds]"))
    page.keyboard.type("600")
    _tab_to(page, page.get_by_role("button", name="Run pipeline"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="by keys")).to_be_visible()

    expect(page.locator(".st.pill")).to_have_text("Running")
    cancel = page.get_by_role("button", name="Cancel job")
    _tab_to(page, cancel)
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Keep running")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(cancel).to_be_focused()
    page.keyboard.press("Enter")
    _tab_to(page, dialog.get_by_role("button", name="Cancel job"))
    page.keyboard.press("Enter")
    expect(page.locator(".st.pill")).to_have_text("Cancelled")
    job: dict[str, Any] = stack.call(
        "GET", "/api/v1/projects/keys/jobs/", params={"q": "by keys"}
    ).json()["results"][0]
    assert (stack.end_of(job["id"])["status"], job["timeout_seconds"]) == ("cancelled", 600)


def test_the_editor_can_be_left_by_keys(page: Page, stack: Stack) -> None:
    page.goto(f"/projects/{stack.project('keys')}/pipelines/new/")
    steps = page.get_by_role("textbox", name="Steps")
    steps.focus()
    before = steps.input_value()
    page.keyboard.press("Tab")
    assert len(steps.input_value()) == len(before) + 2
    expect(steps).to_be_focused()
    page.keyboard.press("Shift+Tab")
    assert steps.input_value() == before
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_focused()


def test_the_log_is_reached_and_read_by_keys(page: Page, gated: Callable[..., GatedJob]) -> None:
    job = gated(name="spoken").running()
    job.say(*(f"word {number}" for number in range(1, 301)))
    page.goto(job.path)
    rows = page.locator("[data-log-rows] .ln > span")
    expect(rows.get_by_text("word 300", exact=True)).to_be_visible()
    lines = page.get_by_role("region", name="Log lines")
    _tab_to(page, lines)
    follow = page.get_by_role("button", name="Follow", exact=True)
    page.keyboard.press("g")
    expect(rows.get_by_text("word 1", exact=True)).to_be_in_viewport()
    expect(follow).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("f")
    expect(follow).to_have_attribute("aria-pressed", "true")
    expect(rows.get_by_text("word 300", exact=True)).to_be_in_viewport()
    page.keyboard.press("/")
    find = page.get_by_label("Search the log")
    expect(find).to_be_focused()
    page.keyboard.type("word 150")
    page.keyboard.press("Enter")
    expect(rows.get_by_text("word 150", exact=True)).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(lines).to_be_focused()


def test_on_a_phone_the_menu_opens_closes_and_gives_the_focus_back(
    member: Visit, stack: Stack
) -> None:
    page = member(viewport=PHONE)
    page.goto(f"/projects/{stack.project('keys')}/jobs/")
    menu = page.get_by_role("button", name="Menu")
    _tab_to(page, menu)
    page.keyboard.press("Enter")
    datasets = page.get_by_role("link", name="Datasets")
    expect(datasets).to_be_visible()
    page.keyboard.press("Escape")
    expect(datasets).to_be_hidden()
    expect(menu).to_be_focused()
    page.keyboard.press("Enter")
    _tab_to(page, datasets)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Datasets", exact=True)).to_be_visible()


def test_arrow_keys_in_kind_of_job_keep_the_focus(page: Page, stack: Stack) -> None:
    page.goto(f"/projects/{stack.project('arrows')}/jobs/new/")
    kinds = page.locator("input[name=type]")
    kinds.first.focus()
    for key in ["ArrowRight"] * 5 + ["ArrowLeft"] * 3:
        with page.expect_response(lambda answer: answer.request.method == "POST"):
            page.keyboard.press(key)
        page.wait_for_timeout(150)
        focused = page.evaluate(
            "() => [document.activeElement.name, document.activeElement.checked]"
        )
        assert focused == ["type", True], key


def test_an_element_is_kept_when_a_part_before_it_appears_or_disappears(page: Page) -> None:
    page.goto("/projects/")
    kept = page.evaluate(
        """async () => {
            const { morph } = await import('/static/js/morph.js');
            const make = (html) => { const box = document.createElement('div'); box.innerHTML = html; document.body.append(box); return box; };
            const cases = [
                ['<i></i><p><b id="x">1</b></p>', '<p><b id="x">1</b></p>'],
                ['<p><b id="x">1</b></p>', '<i></i><p><b id="x">1</b></p>'],
                ['<i></i> <u></u> <p><b id="x">1</b></p>', ' <p><b id="x">1</b></p>'],
                ['<p>a</p><p><b id="x">1</b></p>', '<p>b</p><p><b id="x">1</b></p>'],
                ['<i></i><p><b id="x">1</b></p><i></i>', '<p><b id="x">1</b></p><u></u><i></i>'],
            ];
            return cases.map(([before, after]) => {
                const from = make(before), to = make(after), node = from.querySelector('#x');
                morph(from, to);
                const good = from.contains(node) && from.innerHTML === to.innerHTML;
                from.remove(); to.remove();
                return good;
            });
        }"""  # noqa: E501
    )
    assert kept == [True] * 5
