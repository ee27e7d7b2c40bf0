"""The documentation site has all pages, and its links are valid."""

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from docs.tools import build
from jobs.contract import FailureReason
from jobs.types.registry import job_type_names
from mimir.env import Env
from mimir.lib.schemas.steps import STEP_TYPES
from tests.docs.blocks import ROOT

_LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")
_CODE = re.compile(r"^ *```.*?^ *```$|`[^`\n]*`", re.DOTALL | re.MULTILINE)
REPOSITORY_PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "pages"
    build.build(folder)
    return folder


def _anchor(title: str) -> str:
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower())


def _broken(page: Path) -> list[str]:
    """Return the links of a page without a target file or heading."""
    found = []
    for target, anchor in _LINK.findall(_CODE.sub("", page.read_text())):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        file = (page.parent / target).resolve() if target else page
        headings = (
            re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            if file.suffix == ".md" and file.exists()
            else []
        )
        if not file.exists() or (anchor and anchor not in {_anchor(each) for each in headings}):
            found.append(f"{target}#{anchor}")
    return found


def test_every_link_of_the_site_leads_to_a_page_of_the_site(pages: Path) -> None:
    broken = {str(page.relative_to(pages)): _broken(page) for page in pages.rglob("*.md")}
    assert {page: links for page, links in broken.items() if links} == {}


@pytest.mark.parametrize("name", REPOSITORY_PAGES)
def test_every_link_of_a_page_of_the_repository_leads_to_a_file(name: str) -> None:
    assert _broken(ROOT / name) == []


def test_every_page_is_in_the_navigation(pages: Path) -> None:
    text = (ROOT / "docs/mkdocs.yml").read_text()
    named = set(re.findall(r"[\w/-]+\.md", str(yaml.safe_load(text)["nav"])))
    written = {str(page.relative_to(pages)) for page in pages.rglob("*.md")}
    assert named == {page for page in written if not re.match(r"adr/\d", page)}


def test_every_decision_is_in_the_index() -> None:
    index = (ROOT / "docs/adr/README.md").read_text()
    files = {path.name for path in (ROOT / "docs/adr").glob("0*.md")}
    assert set(re.findall(r"\((0\d{3}-[\w-]+\.md)\)", index)) == files


def test_the_reference_names_every_setting_job_type_step_and_reason(pages: Path) -> None:
    settings = (pages / "reference/settings.md").read_text()
    assert [
        each.name for each in dataclasses.fields(Env) if f"`{each.name.upper()}`" not in settings
    ] == []
    types = (pages / "reference/job-types.md").read_text()
    assert [name for name in job_type_names() if f"## {name}\n" not in types] == []
    steps = (pages / "reference/pipeline-steps.md").read_text()
    assert [name for name in STEP_TYPES if f"## {name}\n" not in steps] == []
    reasons = (pages / "reference/failure-reasons.md").read_text()
    assert [reason for reason in FailureReason if f"| `{reason.value}` |" not in reasons] == []


def test_the_reference_names_every_operation(pages: Path) -> None:
    page = (pages / "reference/api.md").read_text()
    for operation in ("POST /api/v1/projects/{slug}/jobs/", "GET /api/v1/jobs/{job_id}/logs/"):
        assert f"### {operation}\n" in page
    assert page.count("\n### ") > 80


def test_no_page_loads_a_resource_from_another_host() -> None:
    config = yaml.safe_load((ROOT / "docs/mkdocs.yml").read_text())
    assert config["theme"]["highlightjs"] is False
    assert "analytics" not in config["theme"]
