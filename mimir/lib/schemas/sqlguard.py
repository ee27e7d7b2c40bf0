"""Cheap checks of SQL before a parser sees it: length, nesting, runs of prefix operators.

Pure Python, linear time. The limits are far above what people and query generators write; they only
keep texts that are built to exhaust the parser away from it. Whether a text is valid SQL is the
parser's decision. Text inside quotes and comments does not count.
"""

import re

from mimir.lib.schemas.steps import queries

QUERY_CHARACTERS_MAX = 100_000
BRACKETS_MAX = 250  # the parser's own limit is 1,000 levels of an expression
WITH_LEVELS_MAX = 12  # each level multiplies the parser's work if the innermost one is invalid
PREFIXES_MAX = 250

# Unclosed quotes and comments run to the end of the text: the parser judges them, and the scan
# stays linear.
_TOKEN = re.compile(
    r"""
      --[^\n\r]*
    | /\*(?:.*?\*/|.*\Z)
    | [eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)
    | '[^']*(?:''[^']*)*(?:'|\Z)
    | "[^"]*(?:""[^"]*)*(?:"|\Z)
    | \$(?P<tag>(?:[A-Za-z_]\w*)?)\$(?:.*?\$(?P=tag)\$|.*\Z)
    | (?P<word>[^\W\d]\w*)
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    | (?P<prefix>[-+~!@])
    | (?P<space>\s+)
    | (?P<other>\w+|.)
    """,
    re.VERBOSE | re.DOTALL,
)


def text_complaint(text: str) -> str:
    """Return why the parser must not get `text`; an empty string if it can."""
    if len(text) > QUERY_CHARACTERS_MAX:
        return (
            f"has {len(text):,} characters. At most {QUERY_CHARACTERS_MAX:,} are accepted: split "
            "it into several steps"
        )
    if "\x00" in text:
        return "contains a NUL character. Remove it"
    return _structure_complaint(text)


def _structure_complaint(text: str) -> str:
    levels: list[bool] = []  # for each open bracket, whether its content begins with WITH
    with_levels = 0  # number of open brackets whose content begins with WITH
    prefixes = 0
    fresh = True  # at the start of the text or of a bracket's content
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind in (None, "tag", "space"):
            if kind == "space" or match[0].startswith(("--", "/*")):
                continue
            prefixes, fresh = 0, False
        elif kind == "open":
            levels.append(False)
            prefixes, fresh = 0, True
            if len(levels) > BRACKETS_MAX:
                return (
                    f"nests brackets more than {BRACKETS_MAX} levels deep, "
                    f"{_place(text, match.start())}: split it into several steps"
                )
        elif kind == "close":
            with_levels -= levels.pop() if levels else False
            prefixes, fresh = 0, False
        elif kind == "prefix" or (kind == "word" and match[0].upper() == "NOT"):
            prefixes, fresh = prefixes + 1, False
            if prefixes > PREFIXES_MAX:
                return (
                    f"has more than {PREFIXES_MAX} prefix operators in a row, "
                    f"{_place(text, match.start())}: write it with fewer"
                )
        else:
            if kind == "word" and fresh and match[0].upper() == "WITH" and levels:
                levels[-1], with_levels = True, with_levels + 1
                if with_levels > WITH_LEVELS_MAX:
                    return (
                        f"nests WITH more than {WITH_LEVELS_MAX} levels deep, "
                        f"{_place(text, match.start())}: write the WITH entries side by side"
                    )
            prefixes, fresh = 0, False
    return ""


def _place(text: str, position: int) -> str:
    """Return `line 2, column 7` for a character position."""
    before = text[:position]
    return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"


def definition_complaints(definition: object) -> list[tuple[str, str]]:
    """Return (path, complaint) of each SQL text in a definition that no parser must see.

    Any JSON value is accepted.
    """
    complaints = ((path, text_complaint(text)) for path, text in queries(definition))
    return [(path, complaint) for path, complaint in complaints if complaint]
