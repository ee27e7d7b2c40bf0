"""What a user's SQL reads, found without running it. DuckDB parses; nothing is bound, since binding opens files.

DuckDB is imported at the first call: not every process that imports this package has it.
"""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

# Table functions that only make or unfold rows. All others open files, hide tables (`query`, `query_table`) or show the engine itself.
TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree"})
QUERY_CHARACTERS_MAX = 100_000


class BadQuery(Exception):
    """The text is not exactly one SELECT over named tables; the message says why."""


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query: the tables it names, in order of first use, as they are written."""

    tables: tuple[str, ...]


def parse_query(text: str) -> Query:
    """The tables of exactly one SELECT. Raises: BadQuery."""
    if len(text) > QUERY_CHARACTERS_MAX:
        raise BadQuery(f"has to have at most {QUERY_CHARACTERS_MAX} characters")
    if "\x00" in text:
        raise BadQuery("may not hold U+0000")
    try:
        return Query(tuple(_tables(text).values()))
    except RecursionError:
        # Said of the query, not of our stack: a definition that is saved here is read by a worker, whose stack has more room.
        raise BadQuery("is nested too deeply: split it into several steps") from None


def _tables(text: str) -> dict[str, str]:
    parsed = _parsed(text)
    if parsed.get("error"):
        raise BadQuery(_complaint(parsed, text))
    statements = parsed.get("statements", [])
    if len(statements) != 1:
        raise BadQuery(f"has to be exactly one SELECT; here are {len(statements)} statements")
    tables: dict[str, str] = {}
    _collect(statements[0], frozenset(), tables)
    return tables


def without_end(text: str) -> str:
    """A query that was parsed before, without the `;` it may end with, and without comments after that."""
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
        row = _connection().cursor().execute("SELECT json_serialize_sql(?::VARCHAR)", [text]).fetchone()
    except duckdb.Error as error:
        raise BadQuery(f"cannot be read: {str(error).splitlines()[0][:300]}") from error
    value: dict[str, Any] = json.loads(row[0]) if row else {}
    return value


@cache
def _connection() -> Any:
    import duckdb

    config: Any = {"enable_external_access": "false", "memory_limit": "128MB", "threads": "1", "autoload_known_extensions": "false"}
    return duckdb.connect(":memory:", config=config)


def _complaint(parsed: dict[str, Any], text: str) -> str:
    message = str(parsed.get("error_message", "it cannot be read"))
    if "Only SELECT" in message:
        return "has to be exactly one SELECT (a PIVOT has to name its values: PIVOT t ON x IN (1, 2) USING sum(y))"
    position = parsed.get("position")
    if isinstance(position, str | int) and str(position).isdigit():
        before = text[: int(position)]
        return f"{message[:300]}, at line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"
    return message[:300]


def _collect(value: Any, defined: frozenset[str], tables: dict[str, str]) -> None:
    """Walk the parsed tree. `defined`: names that a WITH in scope gives; DuckDB itself refuses a WITH that shadows what it reads."""
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
            raise BadQuery(f"may not use {name}(): files are read by a read step")
    for part in value.values():
        _collect(part, defined, tables)


def _base_table(value: dict[str, Any], defined: frozenset[str], tables: dict[str, str]) -> None:
    name, schema = str(value.get("table_name", "")), str(value.get("schema_name", ""))
    if value.get("catalog_name") or schema.casefold() not in ("", "main"):
        raise BadQuery(f"may not name {schema}.{name}: tables are the ids of steps")
    if schema or name.casefold() not in defined:
        tables.setdefault(name.casefold(), name)
