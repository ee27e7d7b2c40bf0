"""Model instances by queries whose SQL is built once per process.

Building the SQL of a query with the 80 columns of an attempt and its job takes Django three times
as long as PostgreSQL takes for the query, and each change of a job begins with this query.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection, transaction
from django.db.models import Model, QuerySet
from django.db.models.query import RelatedPopulator, get_related_populators

M = TypeVar("M", bound=Model)
# The installed type stubs are for Django 6, where this function has one more parameter.
_populators: Callable[..., list[RelatedPopulator]] = get_related_populators


class CompiledInstances(Generic[M]):
    """Instances that `build()` selects, with their deferred columns and `select_related` objects.

    `varies`: the value in the query that `get` replaces; must differ from all other values.
    Annotations and known related objects are not supported. Nothing in the query may depend on the
    time of the call.
    """

    def __init__(
        self, build: Callable[[], "QuerySet[M, M]"], varies: str | UUID | None = None
    ) -> None:
        self._build, self._varies = build, varies

    def get(self, value: str | UUID) -> M:
        """Return the first instance, with `value` in place of `varies`.

        Raises: DoesNotExist of the model; TransactionManagementError for a lock outside of a
        transaction, as Django does.
        """
        found = self.first(value)
        if found is None:
            raise self._compiled.model.DoesNotExist
        return found

    def first(self, value: str | UUID) -> M | None:
        """Return the first instance, with `value` in place of `varies`; None without a row."""
        compiled = self._compiled
        if compiled.locks and not connection.in_atomic_block:
            raise transaction.TransactionManagementError(
                "select_for_update cannot be used outside of a transaction."
            )
        parameters: list[Any] = [
            value if each == self._varies else each for each in compiled.parameters
        ]
        with connection.cursor() as cursor:
            cursor.execute(compiled.sql, parameters)
            row = cursor.fetchone()
        return None if row is None else self.instance(row)

    def instance(self, row: Sequence[object]) -> M:
        """Return the instance of a row with the columns of the query, in their order."""
        compiled, values = self._compiled, list(row)
        for position, converters, expression in compiled.converters:
            for convert in converters:
                values[position] = convert(values[position], expression, connection)
        found: M = compiled.model.from_db(DEFAULT_DB_ALIAS, compiled.names, values[compiled.own])
        for populator in compiled.populators:
            populator.populate(values, found)
        return found

    @cached_property
    def _compiled(self) -> "_Compiled":
        """The query, and how Django's `ModelIterable` makes instances of its rows."""
        query: Any = self._build().order_by().query  # one row: no default ordering
        if query.annotations:
            raise ValueError("annotations are not supported")
        compiler = query.get_compiler(DEFAULT_DB_ALIAS)
        sql, parameters = compiler.as_sql()
        fields = compiler.klass_info["select_fields"]
        own = slice(fields[0], fields[-1] + 1)
        converters = compiler.get_converters([column for column, _sql, _alias in compiler.select])
        return _Compiled(
            model=compiler.klass_info["model"],
            sql=sql,
            parameters=tuple(parameters),
            locks=query.select_for_update,
            own=own,
            names=[column.target.attname for column, _sql, _alias in compiler.select[own]],
            converters=[
                (position, functions, column)
                for position, (functions, column) in converters.items()
            ],
            populators=_populators(compiler.klass_info, compiler.select, DEFAULT_DB_ALIAS),
        )


@dataclass(frozen=True, slots=True)
class _Compiled:
    """`own`: the columns of the model itself. `converters`: position, functions, expression."""

    model: Any
    sql: str
    parameters: tuple[Any, ...]
    locks: bool
    own: slice
    names: list[str]
    converters: list[tuple[int, list[Callable[..., Any]], Any]]
    populators: list[RelatedPopulator]
