"""NOTICE names every third-party package that images and the laptop installation contain."""

import re

from deploy import notice
from tests.support.images import IMAGES, copies


def test_it_lists_each_pinned_package_with_the_licence_of_its_metadata() -> None:
    assert notice.FILE.read_text() == notice.render(), "run: .venv/bin/python deploy/notice.py"


def test_each_licence_is_permissive_or_a_known_exception() -> None:
    """A copyleft licence needs a decision, so a new one fails here."""
    permissive = {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT"),
        *("MIT-0", "PSF-2.0", "TCL", "Zlib", "ZPL-2.1"),
    }
    accepted = {
        "certifi": {"MPL-2.0"},  # unmodified data file
        "psycopg": {"LGPL-3.0-only"},  # used as a library, unmodified
        "psycopg-binary": {"LGPL-3.0-only"},
        "psycopg-pool": {"LGPL-3.0-only"},
    }
    for name in notice.packages():
        parts = set(re.split(r" (?:AND|OR) ", notice.license_of(name)))
        assert parts <= permissive | accepted.get(name, set()), (name, parts)


def test_every_image_carries_licence_and_notice() -> None:
    for image in IMAGES:
        sources = {
            source for found, target in copies(image) if target == "/app/" for source in found
        }
        assert {"LICENSE", "NOTICE"} <= sources, image


def test_every_font_and_sample_file_is_named() -> None:
    text = notice.FILE.read_text()
    fonts = {path.name.split("-")[0] for path in (notice.ROOT / "static/fonts").glob("*.woff2")}
    assert all(f"static/fonts/{font}-*.woff2" in text for font in fonts)
    assert (notice.ROOT / "mimir/lib/sample/LICENSE.vega_datasets").exists()
