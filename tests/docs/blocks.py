"""Read the fenced code blocks of the documentation."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    *sorted(
        str(path.relative_to(ROOT))
        for folder in ("docs/tutorial", "docs/how-to", "examples")
        for path in (ROOT / folder).rglob("*.md")
    ),
)
LANGUAGES = {"bash", "json", "mermaid", "python", "sql", "text", "toml", "yaml"}
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """One fenced block. `line` is the number of its opening fence."""

    page: str
    line: int
    language: str
    text: str

    @property
    def first(self) -> str:
        return self.text.splitlines()[0].strip()


def blocks(page: str) -> list[Block]:
    """Return the blocks of a page, in order."""
    content = (ROOT / page).read_text()
    return [
        Block(page, content.count("\n", 0, match.start()) + 1, match[2], match[3])
        for match in _FENCE.finditer(content)
    ]
