"""Slightly invalid JSON.

It is read if no data is lost, otherwise refused with the place and the remedy.
"""

import json
from pathlib import Path

import pytest

from mimir.lib.reading import jsonscan
from mimir.lib.tables import NotATable
from tests.support.reading import codes_of, read_bytes, rows_of

ONE_TWO = [("1",), ("2",)]


@pytest.mark.parametrize(
    ("content", "what", "line"),
    [
        ('{"a":1},\n{"a":2},\n', jsonscan.COMMA, 1),
        ('{\n "a":1\n},\n{\n "a":2\n}\n', jsonscan.COMMA, 3),
        ('[{"a":1},\n{"a":2},\n]', jsonscan.TRAILING, 3),
        ('[{"a":1}\n{"a":2}]', jsonscan.NO_COMMA, 2),
        ('[{"a":1}]\n[{"a":2}]', jsonscan.LISTS, 2),
        ('[{"a":1}]{"a":2}', jsonscan.LISTS, 1),
        ('{"a":1}\n\ufeff{"a":2}\n', jsonscan.MARK, 2),
        ('\x1e{"a":1}\n\x1e{"a":2}\n', jsonscan.MARK, 1),
        ('// made by x\n{"a":1}\n{"a":2}\n', jsonscan.COMMENT, 1),
        ('# made by x\n[{"a":1}, {"a":2}]', jsonscan.COMMENT, 1),
        ('/* made\nby x */\n[{"a":1}, {"a":2}]', jsonscan.COMMENT, 1),
        ('[{"a":1}, // one\n {"a":2}]', jsonscan.COMMENT, 1),
    ],
)
def test_text_between_objects_is_skipped_and_reported(
    tmp_path: Path, content: str, what: str, line: int
) -> None:
    found = read_bytes(tmp_path, content.encode())
    assert rows_of(found) == ONE_TWO
    assert [one["params"] for one in found.warnings if one["code"] == "json_oddity"] == [
        {"what": what, "line": line}
    ]
    assert found.lines[0] == content.removeprefix("\ufeff").splitlines()[0]


@pytest.mark.parametrize(
    "content",
    [
        '\ufeff{"a":1}\n{"a":2}\n',
        '\ufeff[{"a":1},{"a":2}]',
        '{"a":1}{"a":2}\n',
        '[{"a":1,},{"a":2}]',
        '{"d":[{"a":1},{"a":2},],}',
    ],
)
def test_what_the_engine_reads_is_read(tmp_path: Path, content: str) -> None:
    assert rows_of(read_bytes(tmp_path, content.encode())) == ONE_TWO


def test_not_a_number_is_missing_and_reported(tmp_path: Path) -> None:
    found = read_bytes(tmp_path, b'[{"a": NaN}, {"a": 1.5}, {"a": -Infinity}]')
    assert (rows_of(found), codes_of(found)) == ([(None,), ("1.5",), ("-inf",)], ["missing_words"])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            "{'a': 1}\n{'a': 2}\n",
            "Line 1, character 2: There is a single quote. JSON needs double quotes",
        ),
        ("[{\"a\": 'x'}]", "Line 1, character 8: There is a single quote."),
        (
            '{"a":1}\n{"a":2, // two\n"b":3}',
            "Line 2, character 9: There is a comment. JSON does not allow comments: remove it.",
        ),
        (
            '[{"a":1}, {"b":2 "c":3}]',
            "Line 1, character 18: Before '\"' a comma or a closing bracket is missing.",
        ),
        ('{"a":1}\n{"a":1 "b":2}\n', "Line 2, character 8: Before '\"' a comma"),
        ('[{"a" 1}]', "Line 1, character 7: Before '1' a colon is missing after the key."),
        (
            '[{"a":1},\n{"a":2},\n{"a":',
            "Line 3, character 6: The text ends in the middle of a value. It may be truncated",
        ),
        (
            '[{"a":1},\n{"a":2}',
            "Line 2, character 8: The closing ] of the list is missing.",
        ),
        ('{"a":1}\n{"a":2}\n{"a":"x', "Line 3, character 6: The text ends in the middle"),
        (
            '{"a":1}\n{"a":\n{"a":2}\n',
            "Line 2, character 6: The line ends in the middle of a value. Write each object on "
            "one line",
        ),
        (
            '{"a":1}\n{"a":2}\n]',
            "Line 3, character 1: There is a closing bracket without an opening one.",
        ),
        (
            '[{"a":1}] x',
            "Line 1, character 11: There is more text after the end of the JSON. Remove it.",
        ),
        ('[{"a":1},,{"a":2}]', "Line 1, character 10: There is a comma with no object before it."),
        ('[{"a":None}]', "Line 1, character 7: JSON has no value None. Write null."),
        ('[{"a":yes}]', "Line 1, character 7: JSON has no value yes. Write text in double quotes."),
        ("[{a:1}]", "Line 1, character 3: The key a has no quotes."),
        (
            '[{"a":"x\ty"}]',
            "Line 1, character 9: A line end or another control character is inside text.",
        ),
        (
            '[{"a":"C:\\data"}]',
            "Line 1, character 10: A backslash is followed by a character it cannot escape.",
        ),
        ('[{"a":01}]', "Line 1, character 8: A number begins with 0."),
        ('[{"a":+1}]', "Line 1, character 7: JSON has no such number."),
        ('[{"a":.5}]', "Line 1, character 7: JSON has no such number."),
        ('[{"a":"\\ud800"}]', "Element 1 of the JSON array has an unpaired surrogate"),
        ('{"a":1}\n{"b":"\\udc00x"}\n', "Line 2 has an unpaired surrogate"),
        ('{"a":1}\n7\n', "Line 2 is not an object."),
        ('[{"a":1}, 7]', "Element 2 of the JSON array is not an object."),
        ('{"a":1}\n{"":2}\n', "Line 2 has an empty key."),
        ('var x = [{"a":1}];', "The file is JavaScript with JSON inside. Keep only the JSON"),
        ('callback({"a":1})', "The file is JavaScript with JSON inside."),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_place(
    tmp_path: Path, content: str, sentence: str
) -> None:
    with pytest.raises(NotATable) as refused:
        read_bytes(tmp_path, content.encode())
    assert refused.value.message.startswith(sentence), refused.value.message


def test_places_are_right_in_files_larger_than_the_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonscan, "WINDOW_CHARACTERS", 50)
    rows = [{"n": number, "t": "  two  spaces\u00e9"} for number in range(40)]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    found = read_bytes(tmp_path / "good", (",\n".join(lines) + ",\n").encode())
    assert rows_of(found) == [(str(row["n"]), row["t"]) for row in rows]
    lines[30] = lines[30].replace('"t"', "'t'")
    with pytest.raises(NotATable, match="Line 31, character 11: There is a single quote"):
        read_bytes(tmp_path / "bad", ("[" + ",\n".join(lines) + "]").encode())


def test_a_csv_file_with_comments_or_braces_stays_csv(tmp_path: Path) -> None:
    assert read_bytes(tmp_path / "comment", b"# made by x\na,b\n1,2\n").format == "csv"
    assert read_bytes(tmp_path / "call", b"f(x),b\n1,2\n").format == "csv"
