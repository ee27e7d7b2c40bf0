"""Contrast of every pair of colours in the design, computed from the tokens of the stylesheet (WCAG
2.2, 1.4.3 and 1.4.11).
"""

import re
from itertools import product

import pytest

from mimir.dev.paths import ROOT

STYLE = ROOT / "static" / "css"
TEXT, GRAPHICS = 4.5, 3.0
THEMES = ("light", "dark")
STATUSES = ("queued", "launching", "running", "warn", "ok", "failed", "stopped")
GROUNDS = ("--bg", "--surface", "--surface-2", "--surface-3")

# (foreground, background)
TEXTS = [
    *product(("--text", "--text-2"), (*GROUNDS, "--accent-tint")),
    *product(("--text-3",), ("--bg", "--surface", "--surface-2")),  # labels
    *product(("--accent",), ("--bg", "--surface", "--surface-2", "--accent-tint")),  # links
    *product(("--on-accent",), ("--accent-bg", "--accent-hover")),  # filled buttons
    *((f"--st-{name}-fg", f"--st-{name}-bg") for name in STATUSES),  # pills, why-cards, banners
    *product(
        (f"--st-{name}-fg" for name in STATUSES), ("--bg", "--surface", "--surface-2")
    ),  # a status in a table
    *product(("--text",), (f"--st-{name}-bg" for name in STATUSES)),
]
LOOKS = [
    *product(("--line-strong",), ("--bg", "--surface")),  # borders of fields
    *product(("--focus",), GROUNDS),
    *product((f"--st-{name}-solid" for name in STATUSES), ("--bg", "--surface")),  # bars, dots
    *product((f"--series-{number}" for number in range(1, 5)), ("--surface",)),  # plots
]


def _tokens() -> dict[str, dict[str, str]]:
    """Return the colour of each token by theme."""
    root = re.search(r":root \{(.*?)\n\}", (STYLE / "mimir.css").read_text(), re.DOTALL)
    assert root
    found: dict[str, dict[str, str]] = {}
    for name, light, dark in re.findall(
        r"(--[\w-]+):\s*light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", root[1]
    ):
        found[name] = {"light": light, "dark": dark}
    for name, both in re.findall(r"(--[\w-]+):\s*(#[0-9a-f]{6});", root[1]):
        found[name] = {"light": both, "dark": both}
    return found


TOKENS = _tokens()


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _too_weak(pairs: list[tuple[str, str]], least: float, theme: str) -> dict[str, float]:
    ratios = {
        f"{fore} on {back}": contrast(TOKENS[fore][theme], TOKENS[back][theme])
        for fore, back in pairs
    }
    return {pair: round(ratio, 2) for pair, ratio in ratios.items() if ratio < least}


def test_the_formula_matches_the_examples_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == 21
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48


@pytest.mark.parametrize("theme", THEMES)
def test_every_text_can_be_read(theme: str) -> None:
    assert _too_weak(TEXTS, TEXT, theme) == {}


@pytest.mark.parametrize("theme", THEMES)
def test_every_border_bar_and_line_has_enough_contrast(theme: str) -> None:
    assert _too_weak(LOOKS, GRAPHICS, theme) == {}


def test_the_pairs_name_every_colour_there_is() -> None:
    named = {name for pair in TEXTS + LOOKS for name in pair}
    assert set(TOKENS) - named == {
        "--line",
        "--paper",
    }  # lines only decorate; paper is the background of users' images and pages


def test_no_colour_is_defined_outside_the_tokens_except_those_of_the_log() -> None:
    css = "".join((STYLE / name).read_text() for name in ("mimir.css", "pages.css"))
    css = re.sub(r":root \{.*?\n\}", "", css, count=1, flags=re.DOTALL)
    rules = re.findall(r"([^{}]+)\{([^{}]*#[0-9a-fA-F]{3,8}\b[^{}]*)\}", css)
    outside = {selector.split("*/")[-1].strip() for selector, _ in rules}
    assert all(
        re.search(r"\.a-|\.ln mark|\.toast|\.why\.bad \.ic", selector) for selector in outside
    ), outside


def test_styles_of_the_pages_take_their_colours_from_tokens() -> None:
    rules = (STYLE / "pages.css").read_text()
    found = [
        line
        for line in rules.splitlines()
        if re.search(r"#[0-9a-fA-F]{3,8}\b", line.partition("{")[2])
    ]
    assert [line for line in found if ".a-bl" not in line] == []  # one of a terminal's own colours
