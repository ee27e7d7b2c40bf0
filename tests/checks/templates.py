"""`python -m tests.checks.templates`.

Check that every template compiles and contains nothing that the content security policy blocks.
"""

import os
import re
import sys
from pathlib import Path

import django
from django.template import TemplateSyntaxError
from django.template.loader import get_template

ROOT = Path(__file__).resolve().parent.parent.parent / "templates"
# In the tags of a page, not in its text. What a template computes inside a tag is cut out first.
TAG = re.compile(r"<[a-zA-Z][^<>]*>")
COMPUTED = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)
REFUSED = {
    "an inline style": re.compile(r"\sstyle\s*="),
    "an inline handler": re.compile(r"\son[a-z]+\s*="),
    "a javascript: address": re.compile(r"=\s*[\"']?\s*javascript:", re.IGNORECASE),
    "an inline script": re.compile(r"^<script(?![^>]*\ssrc=)(?![^>]*\stype=[\"']application/json)"),
    "an inline style sheet": re.compile(r"^<style\b"),
}


def faults_of(name: str, text: str) -> list[str]:
    """Return one line for each part that a browser would block, with its position."""
    plain = COMPUTED.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)
    found: list[str] = []
    for tag in TAG.finditer(plain):
        line = plain.count("\n", 0, tag.start()) + 1
        refused = [what for what, pattern in REFUSED.items() if pattern.search(tag.group())]
        found.extend(
            f"{name}:{line}: {what} is refused by the content security policy" for what in refused
        )
    return found


def main() -> int:
    """Print a line for each fault; return exit code 1 if there is one."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "mimir.settings.frontend"
    django.setup()
    faults = []
    for path in sorted(ROOT.rglob("*")):
        if not path.is_file():
            continue
        name = str(path.relative_to(ROOT))
        try:
            get_template(name)
        except TemplateSyntaxError as error:
            faults.append(f"{name}: {error}")
        faults.extend(faults_of(name, path.read_text()))
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
