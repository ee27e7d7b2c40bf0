"""Paths and classes that the documentation names exist."""

import importlib
import re

import pytest

from tests.docs.blocks import ROOT

_SPAN = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(
    r"(?:jobs|projects|mimir|monitoring|deploy|tests|docs|templates|static|examples|requirements)"
    r"/[\w./*-]*"
)
PAGES = sorted(
    str(path.relative_to(ROOT))
    for folder in (
        ".",
        "docs",
        "docs/how-to",
        "docs/tutorial",
        "docs/reference",
        "docs/explanation",
    )
    for path in (ROOT / folder).glob("*.md")
    if path.name != "CHANGELOG.md"
)
# CONTRIBUTING shows where new files go.
FUTURE = re.compile(r"/(sample|noop)(\.py|/)|(pages|templates)/storage/|test_storage_page")


@pytest.mark.parametrize("page", PAGES)
def test_every_path_in_the_repository_that_a_page_names_exists(page: str) -> None:
    missing = []
    for span in _SPAN.findall((ROOT / page).read_text()):
        if not _PATH.fullmatch(span) or FUTURE.search(span):
            continue
        found = list(ROOT.glob(span)) if "*" in span else [ROOT / span]
        if not found or not all(path.exists() for path in found):
            missing.append(span)
    assert missing == []


def _resolve(name: str) -> object:
    """Import a module, or an attribute of one. Raises: ImportError, AttributeError."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return getattr(importlib.import_module(module), attribute)


def test_every_class_and_module_of_the_glossary_exists() -> None:
    names = [
        span
        for span in _SPAN.findall((ROOT / "docs/glossary.md").read_text())
        if re.fullmatch(r"(?:jobs|projects|mimir)(?:\.\w+)+", span)
    ]
    assert len(names) > 50
    for name in names:
        found = _resolve(name)
        home = getattr(found, "__module__", name)
        assert home.startswith(name.rpartition(".")[0]), f"{name} is defined in {home}"


def test_every_term_of_the_glossary_is_explained_once() -> None:
    rows = re.findall(r"^\| ([^|]+?) \|", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    terms = [
        term
        for row in rows
        if row not in ("term", "---") and not row.startswith("---")
        for term in row.split(", ")
    ]
    assert sorted(term for term in set(terms) if terms.count(term) > 1) == []


def test_every_label_in_the_steps_of_the_readme_is_on_a_page() -> None:
    readme = (ROOT / "README.md").read_text()
    sections = readme.split("## Your first model")[1].split("## From a program")[0]
    labels = set(re.findall(r"\*\*([^*]+)\*\*", sections))
    sources = [*(ROOT / "templates").rglob("*.html"), *(ROOT / "mimir/frontend").rglob("*.py")]
    sources += (ROOT / "jobs/types").rglob("spec.py")
    text = "\n".join(path.read_text() for path in sources)
    assert len(labels) > 8
    assert sorted(label for label in labels if label not in text) == []
