"""The stylesheet's colours can be read, in both themes: computed from its tokens as WCAG 2 defines contrast."""

import re
from pathlib import Path

import pytest

CSS = Path(__file__).resolve().parent.parent.parent / "static" / "css"
TOKENS = dict(re.findall(r"--([\w-]+):\s*light-dark\((#[0-9a-f]{6}, #[0-9a-f]{6})\)", (CSS / "mimir.css").read_text()))
STATES = ("queued", "launching", "running", "warn", "ok", "failed", "stopped")
TEXT, GRAPHIC = 4.5, 3.0
PAIRS = [
    *[(text, ground, TEXT) for text in ("text", "text-2", "text-3", "accent") for ground in ("bg", "surface", "surface-2")],
    *[("text", "surface-3", TEXT), ("text-2", "surface-3", TEXT), ("accent", "accent-tint", TEXT), ("text", "accent-tint", TEXT)],
    *[(f"st-{state}-fg", ground, TEXT) for state in STATES for ground in ("bg", "surface", f"st-{state}-bg")],
    *[("text", f"st-{state}-bg", TEXT) for state in ("queued", "failed")],
    *[(f"st-{state}-solid", ground, GRAPHIC) for state in STATES for ground in ("bg", "surface")],
    *[(f"series-{number}", "surface", GRAPHIC) for number in range(1, 5)],
    *[(line, ground, GRAPHIC) for line in ("line-strong", "focus") for ground in ("bg", "surface")],
]


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The ratio of two colours, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize(("front", "ground", "least"), PAIRS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_is_shown_stands_out_from_its_ground(theme: str, front: str, ground: str, least: float) -> None:
    at = 0 if theme == "light" else 1
    one, other = (TOKENS[name].split(", ")[at] for name in (front, ground))
    assert contrast(one, other) >= least, f"{front} {one} on {ground} {other}"


@pytest.mark.parametrize("theme", [0, 1])
def test_white_is_read_on_filled_buttons(theme: int) -> None:
    for name in ("accent-bg", "accent-hover"):
        assert contrast("#ffffff", TOKENS[name].split(", ")[theme]) >= TEXT, name


def test_what_the_pages_add_takes_its_colours_from_tokens() -> None:
    rules = (CSS / "pages.css").read_text()
    found = [line for line in rules.splitlines() if re.search(r"#[0-9a-fA-F]{3,8}\b", line.partition("{")[2])]
    assert [line for line in found if ".a-bl" not in line] == []  # one of a terminal's own colours
