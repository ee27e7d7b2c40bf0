"""Checks of pipeline definitions: `{"steps": [{"id", "uses", "with", "needs"?}]}`.

The SQL of steps is parsed by DuckDB: only workers and the parsing child may import this module
(see `sqlparser.py`).

Most steps make one table, named by their id. A step depends on the steps in `needs` and on the
steps whose tables it reads. Step types are in `mimir.lib.schemas.steps`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mimir.lib.schemas import jsonschema
from mimir.lib.schemas.field_errors import FieldError
from mimir.lib.schemas.pipeline_types import PipelineDefinition, PipelineStep, StepGraph
from mimir.lib.schemas.sqlparser import BadQuery, parse_query
from mimir.lib.schemas.steps import STEP_TYPES
from mimir.lib.schemas.steptype import TABLE_PATTERN, TABLE_RULE, Makes, StepType

STEPS_MAX = 200
_ID = re.compile(TABLE_PATTERN)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a checked definition.

    `needs`: ids of the steps it depends on directly. `tables`: names of the tables it reads.
    """

    id: str
    uses: str
    options: dict[str, Any]
    needs: tuple[str, ...]
    tables: tuple[str, ...]

    @property
    def type(self) -> StepType:
        """The type of the step."""
        return STEP_TYPES[self.uses]

    @property
    def makes(self) -> tuple[str, ...]:
        """Names of the tables that other steps can read."""
        return self.type.output_tables(self.id, self.options)


def check_definition(definition: object) -> list[FieldError]:
    """Return the faults of a definition, in order; empty for a valid one.

    References between steps are checked only if each step is valid by itself.
    """
    if not isinstance(definition, dict) or not isinstance(definition.get("steps"), list):
        return [FieldError("steps", 'must be a list of steps: {"steps": [{"id", "uses", "with"}]}')]
    faults = [
        FieldError(str(key), "is not a field of a definition. Use only steps")
        for key in definition
        if key != "steps"
    ]
    steps = definition["steps"]
    if not 1 <= len(steps) <= STEPS_MAX:
        return [*faults, FieldError("steps", f"must have 1 to {STEPS_MAX} steps")]
    for index, step in enumerate(steps):
        faults.extend(_step_faults(step, f"steps[{index}]"))
    if faults:
        return faults
    faults.extend(_duplicates(steps))
    if faults:
        return faults
    faults.extend(_unresolved(steps))
    return faults or _cycles(steps)


def steps_in_order(definition: PipelineDefinition) -> list[Step]:
    """Steps of a checked definition, each after its dependencies, else in the order of the list."""
    waiting = _steps(definition["steps"])
    done: set[str] = set()
    ordered: list[Step] = []
    while waiting:
        step = next(step for step in waiting if done.issuperset(step.needs))
        waiting.remove(step)
        done.add(step.id)
        ordered.append(step)
    return ordered


def graph(definition: PipelineDefinition) -> StepGraph:
    """The graph of a checked definition. Nodes are in the order of the run."""
    ordered = steps_in_order(definition)
    return {
        "nodes": [{"id": step.id, "uses": step.uses} for step in ordered],
        "edges": [[need, step.id] for step in ordered for need in step.needs],
    }


def _step_faults(step: object, path: str) -> Iterator[FieldError]:
    """Faults of one step, without its references to other steps."""
    if not isinstance(step, dict):
        yield FieldError(path, 'must be a step: {"id", "uses", "with"}')
        return
    for key in step.keys() - {"id", "uses", "with", "needs"}:
        yield FieldError(f"{path}.{key}", "is not a field of a step. Use id, uses, with, needs")
    if not isinstance(step.get("id"), str) or not _ID.match(step["id"]):
        yield FieldError(f"{path}.id", f"must be {TABLE_RULE}. It names the table of the step")
    needs = step.get("needs", [])
    if not isinstance(needs, list) or not all(isinstance(need, str) for need in needs):
        yield FieldError(f"{path}.needs", "must be a list of step ids")
    uses = step.get("uses")
    if not isinstance(uses, str) or uses not in STEP_TYPES:
        yield FieldError(f"{path}.uses", f"must be one of {', '.join(STEP_TYPES)}")
        return
    yield from _option_faults(STEP_TYPES[uses], step.get("with"), f"{path}.with")


def _option_faults(step_type: StepType, options: Any, path: str) -> Iterator[FieldError]:
    """Faults of `with`: its schema first, then the step type's own rules, then its SQL."""
    if not isinstance(options, dict):
        yield FieldError(path, f"must be an object with {', '.join(step_type.properties)}")
        return
    faults = jsonschema.check(step_type.fields, options, path)
    if not faults:
        faults = list(step_type.check(options, path))
    yield from faults
    if faults:
        return
    for name in step_type.names("sql"):
        try:
            parse_query(options.get(name, "SELECT 1"))
        except BadQuery as error:
            yield FieldError(f"{path}.{name}", str(error), error.detail)


def _duplicates(steps: list[PipelineStep]) -> Iterator[FieldError]:
    """Faults of ids, table names and written datasets that occur more than once."""
    ids: dict[str, str] = {}
    for index, step in enumerate(steps):
        folded = step["id"].casefold()
        if folded in ids:
            yield FieldError(
                f"steps[{index}].id",
                f"is the id of another step ({ids[folded]}). Ids must differ in more than case",
            )
        ids.setdefault(folded, step["id"])
    yield from _duplicate_tables(steps, dict(ids))
    yield from _duplicate_outputs(steps)


def _duplicate_tables(steps: list[PipelineStep], makers: dict[str, str]) -> Iterator[FieldError]:
    """Faults of declared tables whose name is already used.

    `makers`: step id by case-folded table name; declared tables are added.
    """
    for index, step in enumerate(steps):
        for name in STEP_TYPES[step["uses"]].names("new-tables"):
            tables = step["with"].get(name, [])
            for position, table in enumerate(tables):
                maker = makers.setdefault(table.casefold(), step["id"])
                if maker != step["id"] or table in tables[:position]:
                    yield FieldError(
                        f"steps[{index}].with.{name}[{position}]",
                        f"is already the name of a table or step ({maker})",
                    )


def _duplicate_outputs(steps: list[PipelineStep]) -> Iterator[FieldError]:
    writers: dict[str, str] = {}
    for index, step in enumerate(steps):
        name = STEP_TYPES[step["uses"]].dataset_field("write")
        dataset = step["with"].get(name) if name is not None else None
        if dataset is None:
            continue
        if dataset in writers:
            yield FieldError(
                f"steps[{index}].with.{name}", f"is already written by step {writers[dataset]}"
            )
        writers.setdefault(dataset, step["id"])


def _unresolved(steps: list[PipelineStep]) -> Iterator[FieldError]:
    """Faults of `needs` and of table names that refer to no other step."""
    uses = {step["id"]: step["uses"] for step in steps}
    ids = {name.casefold(): name for name in uses}
    makers = _makers(steps)
    for index, step in enumerate(steps):
        for position, need in enumerate(step.get("needs", [])):
            if need not in uses or need == step["id"]:
                yield FieldError(
                    f"steps[{index}].needs[{position}]",
                    f"must be the id of another step. {need[:63]} is not",
                )
        for name, table in _named_tables(step):
            maker = makers.get(table.casefold())
            if maker is not None and maker[1] != step["id"]:
                continue
            path, other = f"steps[{index}].with.{name}", ids.get(table.casefold())
            if other is None or other == step["id"]:
                yield FieldError(path, f"names {table[:63]}, which is not another step")
            else:
                yield FieldError(path, _no_such_table(other, uses[other]))


def _no_such_table(step_id: str, uses: str) -> str:
    step_type = STEP_TYPES[uses]
    if step_type.makes is Makes.NOTHING:
        return (
            f"names {step_id}, a {uses} step: it makes no table. Name the step that makes the table"
        )
    field = next(iter(step_type.names("new-tables")), "tables")
    return (
        f"names {step_id}, a {uses} step without a table of that name."
        f' Add "{field}": ["{step_id}"] to its "with",'
        f" and let it write outputs/{step_id}.parquet or .csv"
    )


def _makers(steps: list[PipelineStep]) -> dict[str, tuple[str, str]]:
    """Table name and step id by case-folded table name."""
    return {
        table.casefold(): (table, step["id"])
        for step in steps
        for table in STEP_TYPES[step["uses"]].output_tables(step["id"], step["with"])
    }


def _named_tables(step: PipelineStep) -> Iterator[tuple[str, str]]:
    """(field, table name) of each table that a step reads."""
    step_type, options = STEP_TYPES[step["uses"]], step["with"]
    for name in step_type.names("table"):
        if name in options:
            yield name, options[name]
    for name in step_type.names("sql"):
        for table in parse_query(options.get(name, "SELECT 1")).tables:
            yield name, table


def _steps(steps: list[PipelineStep]) -> list[Step]:
    makers = _makers(steps)
    checked = []
    for index, step in enumerate(steps):
        read = [makers[table.casefold()] for _field, table in _named_tables(step)]
        needs = step.get("needs")
        if needs is None:
            after_all = STEP_TYPES[step["uses"]].after_all
            needs = [other["id"] for other in steps[:index]] if after_all else []
        checked.append(
            Step(
                step["id"],
                step["uses"],
                step["with"],
                needs=tuple(dict.fromkeys([*needs, *(maker for _table, maker in read)])),
                tables=tuple(table for table, _maker in read),
            )
        )
    return checked


def _cycles(steps: list[PipelineStep]) -> list[FieldError]:
    """A fault for one circular dependency, at its first step in the list; empty without one."""
    waiting = {step.id: set(step.needs) for step in _steps(steps)}
    while free := [name for name, needs in waiting.items() if not needs]:
        for name in free:
            del waiting[name]
        for needs in waiting.values():
            needs.difference_update(free)
    if not waiting:
        return []
    # Every remaining step needs a remaining step: following them leads into a cycle.
    order = {step["id"]: index for index, step in enumerate(steps)}
    visited = [next(iter(waiting))]
    while (following := min(waiting[visited[-1]], key=order.__getitem__)) not in visited:
        visited.append(following)
    cycle = visited[visited.index(following) :]
    first = cycle.index(min(cycle, key=order.__getitem__))
    cycle = [*cycle[first:], *cycle[: first + 1]]
    path = f"steps[{order[cycle[0]]}].needs"
    return [FieldError(path, f"is a circular dependency: {' → '.join(cycle)}")]
