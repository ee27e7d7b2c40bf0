"""`tests.checks.language` finds the old dialect and accepts plain English."""

import re

import pytest

from tests.checks.language import FIRST_LINE_RULES, findings, main, package


def rules(path: str, source: str, names: bool = False) -> list[str]:
    return [found.rule.partition(" ")[0] for found in findings(path, source, names)]


@pytest.mark.parametrize(
    ("phrase", "rule"),
    [
        ("One who is absent", "who"),
        ("The user is told nothing", "told"),
        ("The job tells of it", "told"),
        ("Return what came of it", "what"),
        ("Kept for ever", "for"),
        ("Values left out are null", "left"),
        ("Mend the data", "mend"),
        ("Rows by chance", "by"),
        ("The name has to be short", "has"),
        ("It may not hold NUL", "may"),
        ("It may\n    not hold NUL", "may"),
        ("Takes it away", "take"),
        ("The job goes on", "goes"),
        ("The worker is given up", "given"),
        ("A law of the code", "law"),
        ("The cluster has room", "room"),
        ("The house of a job", "house"),
        ("One story", "story"),
        ("Workers never heard of", "heard"),
        ("The file is no model", "is"),
        ("Wait so that it ends", "so"),
        ("The rows, of each once", "of"),
        ("What a pass does", "starts"),
        ("Which job to take", "starts"),
        ("Whom to ask", "starts"),
        ("All that led to it", "starts"),
    ],
)
def test_each_rule_finds_its_phrase(phrase: str, rule: str) -> None:
    assert rule in rules("jobs/x.py", f'"""{phrase}."""\n')


@pytest.mark.parametrize(
    "sentence",
    [
        "Return the waiting reason of a job.",
        "Rate-limited client of one API server.",
        "Round up to 30 s.\n\nThus followers wait so that fewer updates are sent.",
        "Return the rows. The caller cannot change them; there is no copy.",
        "Storytelling, bedrooms and lawsuits have no rule.",
        "Restart the worker if it is no longer alive.",
        "`for_ever` and `who is` are code.",
        "Whether the job can be retried.",
    ],
)
def test_plain_english_is_accepted(sentence: str) -> None:
    assert rules("jobs/x.py", f'def f() -> None:\n    """{sentence}"""\n') == []


@pytest.mark.parametrize(
    ("path", "source", "line"),
    [
        ("jobs/x.py", "x = 1  # kept for ever\n", 1),
        ("jobs/x.py", "x = 1\n# This is\n# kept for\n# ever.\n", 3),
        ("jobs/x.py", "x = f'{y} is kept for ever'\n", 1),
        ("jobs/x.py", "x = (\n    'one'\n    ' kept for ever'\n)\n", 2),
        ("static/js/x.js", "a();\n// kept for ever\n", 2),
        ("static/js/x.js", "/**\n * Kept for\n * ever.\n */\n", 2),
        ("static/js/x.js", "show(`${n} rows are kept for ever`);\n", 1),
        ("static/js/x.js", 'const p = /["`]/;\nshow("kept for ever");\n', 2),
        ("static/css/x.css", "a {}\n/* for ever */\n", 2),
        ("templates/x.html", "<p>\n<b>{{ n }}</b> kept for ever</p>\n", 2),
        ("templates/x.html", "<p\n title='x'\n aria-label=\"for ever\">\n", 3),
        ("templates/x.html", '{% include "_x.html" with label="Kept for ever" %}', 1),
        ("templates/x.html", "{# kept for ever #}", 1),
        ("templates/x.html", "<p>\n\n Which rows are kept</p>", 3),
        ("docs/x.md", "# Title\n\nRows are kept for\never.\n", 3),
        ("deploy/x.yaml", "a: 1\n# kept for ever\n", 2),
        ("deploy/x.yaml", "a: 1\nsummary: kept for ever\n", 2),
        ("Makefile", "x: ## kept for ever\n", 1),
    ],
)
def test_the_line_of_each_kind_of_text(path: str, source: str, line: int) -> None:
    assert [found.line for found in findings(path, source)] == [line]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("tests/x.py", "assert message == 'kept for ever'\n"),
        ("jobs/x.py", "room = LAWS['laws']\n"),
        ("docs/x.md", "```python\n# kept for ever\n```\n\nRun `mend`, see [this](/by-law/room).\n"),
        ("templates/x.html", '<p class="room law">{{ story|mend:room }}</p>'),
        ("templates/x.html", "<p>Which rows are kept?</p>"),
        ("templates/x.html", "<p>What to do</p>"),
        ("static/js/x.js", "const law = room.story / 2;\n"),
        ("static/img/x.png", "for ever"),
    ],
)
def test_code_and_data_are_not_text(path: str, source: str) -> None:
    assert findings(path, source) == []


def test_names_are_checked_on_request() -> None:
    source = "class JobStory: ...\n\ndef retold(asked: int, ready: bool) -> None:\n    law_of = 1\n"

    assert rules("jobs/x.py", source) == []
    assert [found.text for found in findings("jobs/x.py", source, names=True)] == [
        "JobStory",
        "asked",
        "law_of",
    ]


def test_findings_are_printed_with_a_count(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tests/checks/__init__.py"]) == 0
    assert capsys.readouterr().out.strip() == "0 in total"


def test_a_finding_is_printed_and_counted_by_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(FIRST_LINE_RULES, "bounded → x", re.compile("docstring"))

    assert main(["tests/checks/prose.py"]) == 1

    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("tests/checks/prose.py:1: bounded → x: ")
    assert out[-2:] == ["     1 tests/checks", "     1 in total"]


def test_a_package_is_two_folders() -> None:
    assert [package(each) for each in ("a/b/c/d.py", "a/b.py", "b.py")] == ["a/b", "a", "."]
