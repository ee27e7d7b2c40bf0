"""Faults that `make check` finds in a template."""

import pytest

from tests.checks.templates import faults_of


@pytest.mark.parametrize(
    "text",
    [
        '<p style="color: red">',
        '<a onclick="go()">',
        "<script>go()</script>",
        "<style>p {}</style>",
        '<a href="javascript:go()">',
        '<p\n class="x"\n style="y">',
        '<p {% if a > b %}style="x"{% endif %}>',
    ],
)
def test_refused(text: str) -> None:
    assert faults_of("page.html", text)


@pytest.mark.parametrize(
    "text",
    [
        '<p class="style">style = on = x</p>',
        '<script src="/static/a.js"></script>',
        '<script type="application/json" id="x">{}</script>',
        '<p data-done="/x/">',
        "{# <p style='x'> #}",
        '<a title="{% if one > 2 %}x{% endif %}">',
    ],
)
def test_accepted(text: str) -> None:
    assert faults_of("page.html", text) == []


def test_the_place_is_named() -> None:
    assert faults_of("page.html", "<p>\n\n<i style='x'>")[0].startswith(
        "page.html:3: an inline style"
    )
