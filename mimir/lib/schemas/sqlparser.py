"""Table names in a user's SQL, from DuckDB's parser, without binding or running it.

DuckDB's parser is native code that hostile text can exhaust or crash. Only workers and the parsing
child import this module (an import contract in `pyproject.toml` checks that). DuckDB is imported at
the first call.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from mimir.lib.schemas.sqlguard import text_complaint

# Table functions that only generate or unnest rows. Others open files, hide table names (`query`,
# `query_table`) or expose the engine.
TABLE_FUNCTIONS = frozenset(
    {"range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree"}
)
TOO_DEEP = "is nested too deeply: split it into several steps"
_MEMORY = "needs too much memory to check: shorten it, or split it into several steps"
_PIVOT_HINT = "A PIVOT must list its values: PIVOT t ON x IN (1, 2) USING sum(y)"


class BadQuery(Exception):
    """The text is not one SELECT over named tables. The message says why.

    `detail`: the engine's message, if any.
    """

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query: its table names in order of first use, as written."""

    tables: tuple[str, ...]


def parse_query(text: str) -> Query:
    """Return the tables of exactly one SELECT. Raises: BadQuery."""
    found = _parse_once(text)
    if isinstance(found, BadQuery):
        raise BadQuery(str(found), found.detail)
    return found


@lru_cache(maxsize=256)  # one definition is walked several times; errors are cached too
def _parse_once(text: str) -> Query | BadQuery:
    complaint = text_complaint(text)
    if complaint:
        return BadQuery(complaint)
    try:
        return Query(tuple(_tables(text).values()))
    except BadQuery as error:
        return error.with_traceback(None)
    except RecursionError:
        return BadQuery(TOO_DEEP)
    except MemoryError:
        return BadQuery(_MEMORY)


def _tables(text: str) -> dict[str, str]:
    parsed = _parsed(text)
    if parsed.get("error"):
        raise _complaint(parsed, text)
    statements = parsed.get("statements", [])
    if len(statements) != 1:
        raise BadQuery(f"must be exactly one SELECT; there are {len(statements)} statements")
    tables: dict[str, str] = {}
    _collect(statements[0], frozenset(), tables)
    return tables


def without_end(text: str) -> str:
    """Return a parsed query without the `;` at its end and comments after that."""
    import duckdb

    data = text.encode()
    for position, kind in reversed(duckdb.tokenize(text)):  # positions count bytes
        if kind == duckdb.token_type.comment:
            continue
        if data[position : position + 1] != b";":
            break
        data = data[:position]
    return data.decode()


def _parsed(text: str) -> dict[str, Any]:
    import duckdb

    try:
        cursor = _connect().cursor()
        row = cursor.execute("SELECT json_serialize_sql(?::VARCHAR)", [text]).fetchone()
    except (duckdb.OutOfMemoryException, MemoryError) as error:
        raise BadQuery(_MEMORY) from error
    except duckdb.Error as error:
        raise BadQuery("cannot be parsed as SQL", _first_line(str(error))) from error
    value: dict[str, Any] = json.loads(row[0]) if row else {}
    return value


def parse_with(connect: Callable[[], Any]) -> None:
    """Use connections from `connect` for parsing, because a second DuckDB takes 17 ms to start."""
    global _connect
    _connect = connect


@cache
def _own_connection() -> Any:
    import duckdb

    config: Any = {
        "enable_external_access": "false",
        "memory_limit": "128MB",
        "threads": "1",
        "autoload_known_extensions": "false",
    }
    return duckdb.connect(":memory:", config=config)


_connect: Callable[[], Any] = _own_connection


def _complaint(parsed: dict[str, Any], text: str) -> BadQuery:
    """Return the parser's error as a readable message with its position."""
    message = str(parsed.get("error_message", ""))
    detail = _first_line(message)
    if parsed.get("error_type") == "out of memory":
        return BadQuery(_MEMORY)
    if "Only SELECT" in message:
        hint = f". {_PIVOT_HINT}" if re.search(r"\b(un)?pivot\b", text, re.IGNORECASE) else ""
        return BadQuery(
            f"must be exactly one SELECT: {_first_keyword(text)} is another kind of "
            f"statement{hint}",
            detail,
        )
    if "expression depth" in message:
        return BadQuery(TOO_DEEP, detail)
    position = parsed.get("position")
    known = isinstance(position, str | int) and str(position).isdigit()
    place = f" at {_place(text, int(str(position)))}" if known else ""
    near = re.search(r'at or near "(.*)"', message, re.DOTALL)
    if "at end of input" in message or (near and not near[1].strip()):
        return BadQuery("is incomplete: something is missing at its end", detail)
    if "syntax error" in message and near:
        return BadQuery(f'has a syntax error near "{near[1][:60]}"{place}', detail)
    if "unterminated" in message:
        what = (
            "comment"
            if "comment" in message
            else 'name in double quotes (")'
            if "identifier" in message
            else "text in quotes (')"
        )
        return BadQuery(f"has a {what} that is not closed{place}", detail)
    if message.startswith("window "):
        return BadQuery("refers to a window that is not defined", detail)
    return BadQuery(f"is not valid SQL{place}", detail)


def _first_line(message: str) -> str:
    lines = message.strip().splitlines()
    return lines[0][:300] if lines else ""


def _first_keyword(text: str) -> str:
    """Return the first keyword of a statement in upper case, such as `CREATE`."""
    bare = re.sub(r"--[^\n]*|/\*.*?\*/", " ", text[:2000], flags=re.DOTALL)
    keywords = re.findall(r"[A-Za-z]+", bare)[:1]
    return keywords[0].upper()[:20] if keywords else "this"


def _place(text: str, position: int) -> str:
    """Return `line 2, column 7` for a position in bytes."""
    before = text.encode()[:position].decode(errors="ignore")
    return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"


def _collect(value: object, defined: frozenset[str], tables: dict[str, str]) -> None:
    """Collect table names from the parsed tree.

    `defined`: names of WITH entries in scope. DuckDB refuses a WITH that shadows a table it reads.
    """
    if isinstance(value, list):
        for part in value:
            _collect(part, defined, tables)
        return
    if not isinstance(value, dict):
        return
    if "cte_map" in value:
        defined |= {str(entry["key"]).casefold() for entry in value["cte_map"].get("map", [])}
    kind = value.get("type")
    if kind == "BASE_TABLE":
        _base_table(value, defined, tables)
    elif kind == "TABLE_FUNCTION":
        name = str(value.get("function", {}).get("function_name", "")).casefold()
        if name not in TABLE_FUNCTIONS:
            raise BadQuery(f"must not use {name}(): files are read by a read step")
    for part in value.values():
        _collect(part, defined, tables)


def _base_table(value: dict[str, Any], defined: frozenset[str], tables: dict[str, str]) -> None:
    name, schema = str(value.get("table_name", "")), str(value.get("schema_name", ""))
    if value.get("catalog_name") or schema.casefold() not in ("", "main"):
        raise BadQuery(f"must not name {schema}.{name}: tables are named by the ids of steps")
    if schema or name.casefold() not in defined:
        tables.setdefault(name.casefold(), name)
