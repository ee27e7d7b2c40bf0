"""What a pipeline's definition may be: `{"steps": [{"id", "uses", "with", "needs"?}]}`.

The SQL of its steps is parsed by DuckDB: only workers and the parsing child may import this module (see `sql.py`).

A step's id is the name of its table. A command has the tables that its `tables` names. A step depends on what `needs` names and on the
steps whose tables it reads. A `command` without `needs` depends on every step before it in the list: it finds their tables in `inputs/`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mimir.lib.schemas.faults import Fault
from mimir.lib.schemas.sql import BadQuery, parse_query

STEPS_MAX = 200
ARGUMENTS_MAX = 1000
ARGUMENT_BYTES_MAX = 128 * 1024
USES = ("read", "sql", "write", "command")
FORMATS = ("csv", "jsonl", "json", "parquet", "arrow", "excel")
TABLES_MAX = 50  # of one command
_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_DATASET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
_FIELDS = {
    "read": {"dataset", "version", "url", "format"},
    "sql": {"query"},
    "write": {"dataset", "from"},
    "command": {"argv", "tables"},
}


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a checked definition. `needs`: ids of all steps it depends on directly; `tables`: names of the tables it reads."""

    id: str
    uses: str
    options: dict[str, Any]
    needs: tuple[str, ...]
    tables: tuple[str, ...]

    @property
    def makes(self) -> tuple[str, ...]:
        """Names of the tables that other steps can read."""
        return made_tables(self.id, self.uses, self.options)


def made_tables(step_id: str, uses: str, options: dict[str, Any]) -> tuple[str, ...]:
    """Names of the tables that a step makes."""
    if uses == "command":
        return tuple(options.get("tables", ()))
    return (step_id,) if uses in ("read", "sql") else ()


def check_definition(definition: Any) -> list[Fault]:
    """Everything wrong with a definition, in order; empty when it can run."""
    if not isinstance(definition, dict) or not isinstance(definition.get("steps"), list):
        return [Fault("steps", 'has to be a list of steps: {"steps": [{"id", "uses", "with"}]}')]
    faults = [
        Fault(str(key), "is not a field of a definition: it has only steps")
        for key in definition
        if key != "steps"
    ]
    steps = definition["steps"]
    if not 1 <= len(steps) <= STEPS_MAX:
        return [*faults, Fault("steps", f"has to have 1 to {STEPS_MAX} steps")]
    for index, step in enumerate(steps):
        faults.extend(_shape(step, f"steps[{index}]"))
    if faults:
        return faults
    faults.extend(_names(steps))
    if faults:
        return faults
    faults.extend(_references(steps))
    return faults or _cycles(steps)


def steps_in_order(definition: dict[str, Any]) -> list[Step]:
    """The steps of a checked definition, each after all it depends on, otherwise in the order of the list."""
    waiting = _steps(definition["steps"])
    done: set[str] = set()
    ordered: list[Step] = []
    while waiting:
        step = next(step for step in waiting if done.issuperset(step.needs))
        waiting.remove(step)
        done.add(step.id)
        ordered.append(step)
    return ordered


def graph(definition: dict[str, Any]) -> dict[str, Any]:
    """A checked definition as {"nodes": [{"id", "uses"}], "edges": [[from, to]]}, nodes in the order they run."""
    ordered = steps_in_order(definition)
    return {
        "nodes": [{"id": step.id, "uses": step.uses} for step in ordered],
        "edges": [[need, step.id] for step in ordered for need in step.needs],
    }


def _shape(step: Any, path: str) -> Iterator[Fault]:
    """What is wrong with one step by itself."""
    if not isinstance(step, dict):
        yield Fault(path, 'has to be a step: {"id", "uses", "with"}')
        return
    for key in step.keys() - {"id", "uses", "with", "needs"}:
        yield Fault(f"{path}.{key}", "is not a field of a step: use id, uses, with, needs")
    if not isinstance(step.get("id"), str) or not _ID.fullmatch(step["id"]):
        yield Fault(
            f"{path}.id",
            "has to be 1 to 63 letters, digits and underscores, not beginning with a digit: it names the step's table",
        )
    needs = step.get("needs", [])
    if not isinstance(needs, list) or not all(isinstance(need, str) for need in needs):
        yield Fault(f"{path}.needs", "has to be a list of step ids")
    uses, options = step.get("uses"), step.get("with")
    if uses not in USES:
        yield Fault(f"{path}.uses", f"has to be one of {', '.join(USES)}")
        return
    if not isinstance(options, dict):
        yield Fault(f"{path}.with", f"has to be an object with {', '.join(sorted(_FIELDS[uses]))}")
        return
    for key in options.keys() - _FIELDS[uses]:
        yield Fault(
            f"{path}.with.{key}",
            f"is not a field of {uses}: use {', '.join(sorted(_FIELDS[uses]))}",
        )
    yield from _CHECKS[uses](options, f"{path}.with")


def _read(options: dict[str, Any], path: str) -> Iterator[Fault]:
    if ("dataset" in options) == ("url" in options):
        yield Fault(path, "has to name either a dataset or a url")
        return
    if "dataset" in options:
        yield from _dataset(options, path)
        version = options.get("version", 1)
        if isinstance(version, bool) or not isinstance(version, int) or version < 1:
            yield Fault(
                f"{path}.version", "has to be a whole number from 1, or left out for the newest"
            )
        if "format" in options:
            yield Fault(f"{path}.format", "is known of a dataset: give it with a url only")
        return
    fault = _url_fault(options["url"])
    if fault:
        yield Fault(f"{path}.url", fault)
    if "version" in options:
        yield Fault(f"{path}.version", "belongs to a dataset, not to a url")
    if options.get("format", "csv") not in FORMATS:
        yield Fault(
            f"{path}.format",
            f"has to be one of {', '.join(FORMATS)}, or left out to go by the content",
        )


def _url_fault(url: object) -> str:
    if (
        not isinstance(url, str)
        or len(url) > 4000
        or any(character.isspace() or character < " " for character in url)
    ):
        return "has to be a URL without white space"
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "has to be a URL"
    if parts.scheme not in ("http", "https") or not host:
        return "has to begin with http:// or https:// and name a host"
    if parts.username or parts.password:
        return "may not hold a user or a password: definitions are not secret"
    return ""


def _sql(options: dict[str, Any], path: str) -> Iterator[Fault]:
    query = options.get("query")
    if not isinstance(query, str) or not query.strip():
        yield Fault(f"{path}.query", "must be one SELECT over the tables of other steps")
        return
    try:
        parse_query(query)
    except BadQuery as error:
        yield Fault(f"{path}.query", str(error), error.detail)


def _write(options: dict[str, Any], path: str) -> Iterator[Fault]:
    yield from _dataset(options, path)
    if not isinstance(options.get("from"), str):
        yield Fault(f"{path}.from", "has to be the id of the step whose table is written")


def _dataset(options: dict[str, Any], path: str) -> Iterator[Fault]:
    name = options.get("dataset")
    if not isinstance(name, str) or not _DATASET.fullmatch(name):
        yield Fault(
            f"{path}.dataset",
            "has to be 1 to 200 letters, digits, dots, dashes and underscores, beginning with a letter or a digit",
        )


def _command(options: dict[str, Any], path: str) -> Iterator[Fault]:
    argv = options.get("argv")
    if not isinstance(argv, list) or not 1 <= len(argv) <= ARGUMENTS_MAX:
        yield Fault(
            f"{path}.argv",
            f"has to be a list of 1 to {ARGUMENTS_MAX} texts: the program and its arguments",
        )
        return
    for index, argument in enumerate(argv):
        if (
            not isinstance(argument, str)
            or "\x00" in argument
            or len(argument.encode(errors="replace")) > ARGUMENT_BYTES_MAX
        ):
            yield Fault(
                f"{path}.argv[{index}]",
                f"has to be text of at most {ARGUMENT_BYTES_MAX} bytes without U+0000",
            )
    if argv and argv[0] == "":
        yield Fault(f"{path}.argv[0]", "has to name a program")
    tables = options.get("tables", [])
    if not isinstance(tables, list) or len(tables) > TABLES_MAX:
        yield Fault(
            f"{path}.tables",
            f"must be a list of at most {TABLES_MAX} table names: the command writes outputs/<name>.parquet or .csv",
        )
        return
    for index, table in enumerate(tables):
        if not isinstance(table, str) or not _ID.fullmatch(table):
            yield Fault(
                f"{path}.tables[{index}]",
                "must be 1 to 63 letters, digits and underscores, not beginning with a digit",
            )


_CHECKS = {"read": _read, "sql": _sql, "write": _write, "command": _command}


def _names(steps: list[dict[str, Any]]) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    written: dict[str, str] = {}
    for index, step in enumerate(steps):
        folded = step["id"].casefold()
        if folded in seen:
            yield Fault(
                f"steps[{index}].id",
                f"is taken by another step ({seen[folded]}); case does not tell them apart",
            )
        seen.setdefault(folded, step["id"])
    makers = dict(seen)
    for index, step in enumerate(steps):
        for position, table in enumerate(
            step["with"].get("tables", []) if step["uses"] == "command" else []
        ):
            maker = makers.setdefault(table.casefold(), step["id"])
            if maker != step["id"] or table in step["with"]["tables"][:position]:
                yield Fault(
                    f"steps[{index}].with.tables[{position}]",
                    f"is already the name of a table or step ({maker})",
                )
    for index, step in enumerate(steps):
        if step["uses"] == "write":
            name = step["with"]["dataset"]
            if name in written:
                yield Fault(
                    f"steps[{index}].with.dataset", f"is written by step {written[name]} already"
                )
            written.setdefault(name, step["id"])


def _references(steps: list[dict[str, Any]]) -> Iterator[Fault]:
    uses = {step["id"]: step["uses"] for step in steps}
    folded = {name.casefold(): name for name in uses}
    makers = _makers(steps)
    for index, step in enumerate(steps):
        for position, need in enumerate(step.get("needs", [])):
            if need not in uses or need == step["id"]:
                yield Fault(
                    f"steps[{index}].needs[{position}]",
                    f"has to be the id of another step: {need[:63]} is not",
                )
        field = "query" if step["uses"] == "sql" else "from"
        for table in _named_tables(step):
            found = makers.get(table.casefold())
            other = folded.get(table.casefold())
            if found is not None and found[1] != step["id"]:
                continue
            if other is None or other == step["id"]:
                yield Fault(
                    f"steps[{index}].with.{field}", f"names {table[:63]}, which is not another step"
                )
            else:
                yield Fault(
                    f"steps[{index}].with.{field}",
                    f"names {other}, a {uses[other]} step{_NO_TABLE.get(uses[other], '').format(other)}",
                )


_NO_TABLE = {
    "command": ' without a table of that name. Add "tables": ["{0}"] to its "with", and let the command write outputs/{0}.parquet or .csv',
    "write": ": it makes no table. Name the step that it writes from",
}


def _makers(steps: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    """Table name and step id by case-folded table name."""
    return {
        table.casefold(): (table, step["id"])
        for step in steps
        for table in made_tables(step["id"], step["uses"], step["with"])
    }


def _named_tables(step: dict[str, Any]) -> tuple[str, ...]:
    if step["uses"] == "sql":
        return parse_query(step["with"]["query"]).tables
    return (step["with"]["from"],) if step["uses"] == "write" else ()


def _steps(steps: list[dict[str, Any]]) -> list[Step]:
    makers = _makers(steps)
    made = []
    for index, step in enumerate(steps):
        read = [makers[table.casefold()] for table in _named_tables(step)]
        needs = step.get("needs")
        if needs is None:
            needs = [other["id"] for other in steps[:index]] if step["uses"] == "command" else []
        direct = tuple(dict.fromkeys([*needs, *(maker for _table, maker in read)]))
        made.append(
            Step(
                step["id"],
                step["uses"],
                step["with"],
                direct,
                tuple(table for table, _maker in read),
            )
        )
    return made


def _cycles(steps: list[dict[str, Any]]) -> list[Fault]:
    waiting = {step.id: set(step.needs) for step in _steps(steps)}
    while free := [name for name, needs in waiting.items() if not needs]:
        for name in free:
            del waiting[name]
        for needs in waiting.values():
            needs.difference_update(free)
    if not waiting:
        return []
    index = next(index for index, step in enumerate(steps) if step["id"] in waiting)
    return [
        Fault(f"steps[{index}].needs", f"depends on itself by way of {', '.join(sorted(waiting))}")
    ]
