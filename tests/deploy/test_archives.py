"""No archive is extracted with the standard library: Python 3.11.2 of Debian 12 has no extraction
filters (PEP 706).

Without them a member named `../x`, a link or a device can escape the folder. Code that needs
members reads them one by one.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
UNPACKING = {"extractall", "extract", "unpack_archive"}


def test_no_archive_is_extracted_without_a_check_of_its_members() -> None:
    found = []
    for package in ("mimir", "projects", "jobs", "monitoring"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in UNPACKING
                ):
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not found, (
        "read members one by one instead: the images may have a Python without extraction filters"
    )
