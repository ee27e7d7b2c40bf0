"""Queries whose SQL is built once per process.

Django builds the SQL of a query each time. With several expressions, this takes longer than the
query itself, and an admission pass executes five such queries.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from django.db import connection
from django.db.models import QuerySet


class CompiledQuery:
    """Rows of `build()`, a query set of values.

    The values are those of the driver, without the conversions of Django's fields: `build` selects
    only text, numbers, booleans, UUIDs and times. Nothing in it may depend on the time of the call.

    `varies`: placeholder in the query that `rows` replaces; must differ from all other values.
    """

    def __init__(self, build: Callable[[], QuerySet[Any, Any]], varies: object = None) -> None:
        self._build, self._varies = build, varies

    def rows(self, value: object = None) -> list[tuple[Any, ...]]:
        """Return all rows, with `value` in place of `varies`."""
        sql, parameters = self.statement
        if self._varies is not None:
            parameters = tuple(value if each == self._varies else each for each in parameters)
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            found: list[tuple[Any, ...]] = cursor.fetchall()
        return found

    @cached_property
    def statement(self) -> tuple[str, tuple[Any, ...]]:
        """The SQL and its parameters."""
        sql, parameters = self._build().query.sql_with_params()
        return sql, tuple(parameters)
