"""The table of promises is correct: each named test and each crash point exists."""

import importlib
import re

import pytest

from mimir.dev.paths import ROOT
from tests.chaos import PROMISES


@pytest.mark.parametrize(
    ("what", "file", "test", "parameter"), PROMISES, ids=[promise[0] for promise in PROMISES]
)
def test_a_promise_has_its_test(what: str, file: str, test: str, parameter: str) -> None:
    function = getattr(importlib.import_module(f"tests.chaos.{file}"), test)
    marks = [mark for mark in getattr(function, "pytestmark", []) if mark.name == "parametrize"]
    values = [
        str(value) for mark in marks for value in [*mark.args[1], *(mark.kwargs.get("ids") or ())]
    ]
    assert not parameter or parameter in values, what


def test_each_armed_crash_point_exists_in_the_program() -> None:
    """A misspelled crash point would never be hit."""
    program = "".join(
        path.read_text() for part in ("jobs", "mimir") for path in (ROOT / part).rglob("*.py")
    )
    points = set(re.findall(r'crash_point\("([a-z_.]+)"\)', program))
    armed = {
        name
        for path in (ROOT / "tests" / "chaos").glob("*.py")
        for name in re.findall(r'\.arm\("([a-z_.]+)"', path.read_text())
    }
    named = {parameter for _what, _file, _test, parameter in PROMISES if "." in parameter}
    assert armed | named <= points
