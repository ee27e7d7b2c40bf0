"""Files of a job are displayed on the page, and a step of its graph opens its details."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.watch import Watch
from tests.support.stack import Stack

_WRITE = r"""
import base64, pathlib
out = pathlib.Path("outputs")
png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
(out / "plot.png").write_bytes(base64.b64decode(png))
(out / "report.md").write_text("# Findings\n\n<script>alert(1)</script>\n\n![p](plot.png)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
(out / "rows.csv").write_text("name;amount\n<b>x</b>;1,5\n")
(out / "facts.json").write_text('{"a": {"b": [1, 2]}}')
(out / "notes.txt").write_text("plain <i>text</i>\n")
(out / "page.html").write_text("<h1 id='there'>Report</h1><script>document.body.textContent = 'script ran'</script><img src='https://evil.example/x.png'>")
(out / "data.parquet").write_bytes(b"PAR1\x00\x01\x02")
print("wrote the files")
"""  # noqa: E501
STEPS: list[dict[str, Any]] = [
    {"id": "numbers", "uses": "sql", "with": {"query": "SELECT 1 AS one UNION ALL SELECT 2"}},
    {"id": "files", "uses": "command", "with": {"argv": ["python3", "-c", _WRITE]}},
    {
        "id": "after",
        "uses": "command",
        "with": {"argv": ["/bin/sh", "-c", "sleep 0.3; echo line of the last step"]},
    },
]


@pytest.fixture(scope="module")
def job(stack: Stack) -> str:
    created = stack.submit(STEPS, project=stack.project("files"))
    assert stack.end_of(created)["status"] == "succeeded"
    return created


def _open(page: Page, job: str, name: str) -> None:
    page.goto(f"/jobs/{job}/")
    page.locator("#job-results").get_by_role("link", name=name, exact=True).click()
    page.wait_for_url(f"**/jobs/{job}/files/{name}/")
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def test_text_markdown_table_json_and_image_are_shown(page: Page, job: str) -> None:
    _open(page, job, "report.md")
    content = page.locator("[data-file]")
    expect(content.get_by_role("heading", name="Findings")).to_be_visible()
    expect(content).to_contain_text("<script>alert(1)</script>")
    expect(content.get_by_role("cell", name="1")).to_be_visible()
    image = content.get_by_role("img", name="p")
    expect(image).to_be_visible()
    assert image.evaluate("(one) => one.naturalWidth") == 1
    page.get_by_role("link", name="rows.csv").click()
    expect(content.get_by_role("cell", name="<b>x</b>")).to_be_visible()
    expect(content.get_by_role("cell", name="1,5")).to_be_visible()
    page.get_by_role("link", name="facts.json").click()
    expect(content.locator("pre")).to_have_text(
        '{\n  "a": {\n    "b": [\n      1,\n      2\n    ]\n  }\n}'
    )
    page.get_by_role("link", name="notes.txt").click()
    expect(content).to_contain_text("plain <i>text</i>")
    page.get_by_role("link", name="data.parquet").click()
    expect(content).to_contain_text("cannot be shown here")
    page.get_by_role("link", name="plot.png").click()
    loaded = "(one) => one.decode().then(() => one.naturalWidth)"
    assert content.get_by_role("img").evaluate(loaded) == 1


def test_a_document_is_shown_in_a_frame_that_runs_and_loads_nothing(
    page: Page, job: str, watch: Watch
) -> None:
    watch.expects("Blocked script execution", "Content Security Policy", "policy", "Refused")
    _open(page, job, "page.html")
    frame = page.frame_locator("iframe.artifact")
    expect(frame.locator("#there")).to_have_text("Report")
    expect(frame.locator("body")).not_to_contain_text("script ran")
    answer = page.request.get(f"/jobs/{job}/files/page.html/raw/")
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert page.request.get(f"/jobs/{job}/files/notes.txt/raw/").status == 404
    assert page.request.get(f"/jobs/{job}/files/nothing/").status == 404


def test_another_project_s_files_are_not_there(visit: Visit, job: str) -> None:
    page = visit()
    page.goto(f"/jobs/{job}/files/page.html/raw/")
    assert "/signin/" in page.url


def test_a_step_of_the_graph_shows_rows_sql_command_and_its_log_lines(page: Page, job: str) -> None:
    page.goto(f"/jobs/{job}/?steps=graph")
    page.locator(".dag a", has_text="numbers").click()
    step = page.locator("#job-step")
    expect(step).to_contain_text("SELECT 1 AS one")
    expect(step.locator(".facts")).to_contain_text("Rows2")
    page.locator(".dag a", has_text="files").focus()
    page.keyboard.press("Enter")
    expect(step.get_by_role("heading", name="Step files")).to_be_visible()
    expect(step).to_contain_text("python3")
    expect(step.locator(".steplog")).to_contain_text("wrote the files")
    expect(step.locator(".steplog")).not_to_contain_text("line of the last step")
    page.goto(f"/jobs/{job}/?steps=table")
    page.locator("#job-steps").get_by_role("link", name="after").click()
    expect(step.locator(".steplog")).to_contain_text("line of the last step")
    expect(step.locator(".steplog")).not_to_contain_text("wrote the files")
    step.get_by_role("link", name="Close").click()
    expect(step).to_have_count(0)
