"""Messages about invalid JSON: line, character and fix.

Python's parser finds the position; the text at the position shows the probable mistake.
"""

import json
import re
from pathlib import Path

from mimir.lib.json_types import Json, JsonObject

_WORD = re.compile(r"[A-Za-z_$][\w$]*")
_WORDS = {
    "None": "null",
    "True": "true",
    "False": "false",
    "undefined": "null",
    "nan": "null",
    "NA": "null",
    "NULL": "null",
    "Null": "null",
}
WORD_CHARACTERS = 40


class Fault(Exception):
    """A position in a JSON text that cannot be parsed. `line` and `column` count from 1."""

    def __init__(self, line: int, column: int, problem: str) -> None:
        super().__init__(f"Line {line}, character {column}: {problem}")
        self.line, self.column, self.problem = line, column, problem


def explain(text: str, error: json.JSONDecodeError) -> str:
    """Return the message for `error`: the problem and the fix."""
    place = error.pos
    rest, before = text[place : place + 100], text[max(0, place - 100) : place].rstrip()
    message = error.msg
    if message.startswith("Unterminated string") or not rest.strip():
        return "The text ends in the middle of a value. It may be truncated: get the file again."
    if message.startswith("Invalid control character"):
        return (
            "A line end or another control character is inside text. Write it as \\n, \\t or "
            "\\u0000."
        )
    if message.startswith("Invalid") and "escape" in message:
        return (
            "A backslash is followed by a character it cannot escape. Write a backslash in text "
            "twice."
        )
    if rest[0] == "'":
        return "There is a single quote. JSON needs double quotes around keys and text."
    if rest.startswith(("//", "/*", "#")):
        return "There is a comment. JSON does not allow comments: remove it."
    if message.startswith("Illegal trailing comma") or (before.endswith(",") and rest[0] in "}],"):
        return "There is a comma with no value after it. Remove it."
    if rest[0] in "]}" and not before:
        return (
            "There is a closing bracket without an opening one. Remove it, or get the whole file "
            "again."
        )
    return (
        _number(text, place, before, rest)
        or _word(message, rest)
        or _missing(message, before, rest)
    )


def _number(text: str, place: int, before: str, rest: str) -> str:
    if re.search(r"(?:^|[^\w.])-?0$", text[max(0, place - 100) : place]) and rest[0].isdigit():
        return "A number begins with 0. Write it without, or as text in double quotes."
    if (text[place - 1 : place].isdigit() and rest[0] in "xX_") or (
        rest[0] in "+." and not before.endswith('"')
    ):
        return "JSON has no such number. Write it with the digits 0 to 9 and a point, such as 0.5."
    return ""


def _word(message: str, rest: str) -> str:
    word = _WORD.match(rest)
    if word is None:
        return ""
    name = word[0][:WORD_CHARACTERS]
    if message.startswith("Expecting property name"):
        return f"The key {name} has no quotes. Put keys into double quotes."
    if message.startswith("Expecting value"):
        return f"JSON has no value {name}. Write {_WORDS.get(name, 'text in double quotes')}."
    return ""


def _missing(message: str, before: str, rest: str) -> str:
    found = f"Before {rest[0]!r}" if rest[0] != "'" else "Here"
    if message.startswith("Expecting ',' delimiter"):
        return f"{found} a comma or a closing bracket is missing."
    if message.startswith("Expecting ':' delimiter"):
        return f"{found} a colon is missing after the key."
    if message.startswith("Expecting property name"):
        return f"{found} a key in double quotes is missing."
    if message.startswith("Extra data"):
        return (
            "There is more text after the end of the value. Write JSON lines with one object on "
            "each line, or one list of objects in [ ]."
        )
    return f"{found} a value is missing." if before else "There is no JSON value."


def checked_object(pairs: list[tuple[str, Json]]) -> JsonObject:
    """Return an object without duplicate keys. Raises: ValueError."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has a duplicate key")
    return found


def value_problem(value: object, what: str) -> str:
    """Return why a value cannot be a row; an empty string if it can.

    `what`: start of the sentence, such as `Line 3`.
    """
    if not isinstance(value, dict):
        return f"{what} is not an object. Each row must be an object with the columns as keys."
    if "" in value:
        return f"{what} has an empty key. Rename it."
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return (
            f"{what} has an unpaired surrogate (an escape from \\ud800 to \\udfff without the "
            "other half). Remove it."
        )
    return ""


def line_fault(path: Path) -> str:
    """Return the message for the first bad line of JSON Lines; an empty string if all are valid."""
    with path.open(encoding="utf-8", newline="\n") as file:
        following = enumerate(file, start=1)
        number, line = next(following, (1, ""))
        while line:
            after = next(following, (number + 1, ""))
            if line.strip():
                problem = _line_problem(number, line, last=not after[1])
                if problem:
                    return problem
            number, line = after
    return ""


def _line_problem(number: int, line: str, *, last: bool) -> str:
    try:
        line = line.rstrip("\r\n")
        value = json.loads(line, object_pairs_hook=checked_object)
    except json.JSONDecodeError as error:
        problem = explain(line, error)
        if problem.startswith("The text ends") and not last:
            problem = (
                "The line ends in the middle of a value. Write each object on one line, or all of "
                "them in one list in [ ]."
            )
        return f"Line {number}, character {error.colno}: {problem}"
    except (ValueError, RecursionError) as error:
        return f"Line {number} cannot be accepted: {str(error)[:200]}."
    return value_problem(value, f"Line {number}")
