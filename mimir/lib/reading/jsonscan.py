"""Scan of the top-level objects of a JSON file, whatever separates them.

Nearly valid files (JSON Lines with commas, a comma after the last element, several lists) lose
nothing if their objects are read one by one. Separators that are not JSON are reported.
"""

import json
import re
from pathlib import Path

from mimir.lib.reading.jsonfaults import Fault, checked_object, explain, value_problem

WINDOW_CHARACTERS = 16 * 1024**2  # size limit of one object
BYTES_MAX = 256 * 1024**2  # size limit of a file: Python reads about 50 MB per second
_SPACE, _LINE_END = re.compile(r"[ \t\r\n]+"), re.compile(r"[\r\n]+")
_COMMENT = re.compile(r"(?://|#)[^\n]*|/\*.*?\*/", re.DOTALL)
COMMA, TRAILING, NO_COMMA, LISTS, MARK, COMMENT = (
    "a comma between objects that are in no list",
    "a comma after the last object of a list",
    "no comma between two objects of a list",
    "several lists one after the other",
    "a mark between objects (U+FEFF or U+001E)",
    "a comment",
)


class Scan:
    """One pass over a file.

    After `write_lines`, `oddities` has the line of the first separator of each invalid kind, and
    `count` the number of objects.
    """

    def __init__(self, path: Path) -> None:
        self.oddities: dict[str, int] = {}
        self.count = 0
        self._path = path
        self._decoder = json.JSONDecoder(object_pairs_hook=checked_object)
        self._text, self._place, self._line, self._column = "", 0, 1, 1
        self._ended = False

    def write_lines(self, target: Path) -> str:
        """Write each object as one line.

        Returns why an object cannot be a row, or why there are no rows; an empty string for none.
        Raises: Fault for text that is not JSON, GaveUp.
        """
        if self._path.stat().st_size > BYTES_MAX:
            raise GaveUp
        with (
            self._path.open(encoding="utf-8", newline="") as self._file,
            target.open("w", encoding="utf-8", newline="\n") as output,
        ):
            depth = comma = False  # inside a list; after an object, a comma follows
            listed = lists = 0  # objects in the current list; lists so far
            while (character := self._next()) is not None:
                if character == "," and (comma or (depth and not listed) or not self.count):
                    raise self._fault("There is a comma with no object before it. Remove it.")
                if character == ",":
                    comma = True
                    self._odd(COMMA) if not depth else None
                elif character == "[" and not depth:
                    depth, comma, listed, lists = True, False, 0, lists + 1
                    self._odd(LISTS) if self.count or lists > 1 else None
                elif character == "]" and depth:
                    self._odd(TRAILING) if comma else None
                    depth = comma = False
                elif character == "]":
                    raise self._fault(
                        "There is a closing bracket without an opening one. Remove it, or get the "
                        "whole file again."
                    )
                elif character != "{" and not depth and self.count:
                    raise self._fault("There is more text after the end of the JSON. Remove it.")
                else:
                    if depth and listed and not comma:
                        self._odd(NO_COMMA)
                    if lists and not depth:
                        self._odd(LISTS)
                    problem = self._object(output)
                    if problem:
                        return problem
                    listed, comma = listed + 1, False
                    continue
                self._place += 1
            if depth:
                raise self._fault(
                    "The closing ] of the list is missing. The file may be truncated: get it again."
                )
        return "" if self.count else "The file has no rows: the JSON array is empty."

    def _next(self) -> str | None:
        """Return the next character that is not a space, comment or separator; None at the end."""
        while True:
            self._fill()
            if space := _SPACE.match(self._text, self._place):
                self._place = space.end()
            elif self._text[self._place : self._place + 1] in ("\ufeff", "\x1e"):
                self._odd(MARK)
                self._place += 1
            elif comment := _COMMENT.match(self._text, self._place):
                self._odd(COMMENT)
                self._place = comment.end()
            elif self._place < len(self._text):
                return self._text[self._place]
            elif self._ended:
                return None

    def _fill(self) -> None:
        if self._ended or len(self._text) - self._place >= WINDOW_CHARACTERS:
            return
        self._line, self._column = self._position(self._place)
        block = self._file.read(WINDOW_CHARACTERS)
        self._text, self._place, self._ended = (
            self._text[self._place :] + block,
            0,
            len(block) < WINDOW_CHARACTERS,
        )

    def _object(self, output: object) -> str:
        try:
            value, end = self._decoder.raw_decode(self._text, self._place)
        except json.JSONDecodeError as error:
            problem = explain(self._text, error)
            if problem.startswith("The text ends") and not self._ended:
                raise GaveUp from error
            raise Fault(*self._position(error.pos), problem) from error
        except RecursionError as error:
            raise self._fault("The JSON is nested too deeply.") from error
        except ValueError as error:
            raise self._fault(f"This object cannot be accepted: {error}.") from error
        self.count += 1
        problem = value_problem(value, f"Element {self.count} of the JSON array")
        if not problem:
            output.write(_LINE_END.sub(" ", self._text[self._place : end]) + "\n")  # type: ignore[attr-defined]
        self._place = end
        return problem

    def _position(self, place: int) -> tuple[int, int]:
        """Return line and column of a position in the window."""
        lines = self._text.count("\n", 0, place)
        column = place - self._text.rfind("\n", 0, place) if lines else self._column + place
        return self._line + lines, column

    def _fault(self, problem: str) -> Fault:
        return Fault(*self._position(self._place), problem)

    def _odd(self, what: str) -> None:
        if what not in self.oddities:
            self.oddities[what] = self._position(self._place)[0]


class GaveUp(Exception):
    """The file, or one object, is too large for Python's parser."""
