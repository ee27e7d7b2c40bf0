"""Bulk inserts in one statement.

`bulk_create` prepares each value of each row in Python, which takes most of the time for
thousands of wide rows.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from django.db import connection, models

Statement = tuple[str, list[Any]]  # SQL and its parameters


def insert_many(
    model: type[models.Model], columns: Mapping[str, Sequence[Any]], **same: Any
) -> None:
    """Insert one row of `model` per index of the lists in `columns`.

    `columns` maps column names to lists of equal length. `same` gives columns with one value for
    all rows; every other column gets its field's default. Sends no signals; only the database
    validates.
    """
    with connection.cursor() as cursor:
        cursor.execute(*insert_statement(model, columns, **same))


def insert_statement(
    model: type[models.Model], columns: Mapping[str, Sequence[Any]], **same: Any
) -> Statement:
    """Return the statement of `insert_many`, for use as a part of another statement."""
    sql, others = _insert(model, tuple(columns))
    parameters = [
        field.get_db_prep_save(
            same[field.column] if field.column in same else field.get_default(), connection
        )
        for field in others
    ]
    return sql, [*parameters, *(list(each) for each in columns.values())]


@cache
def _insert(
    model: type[models.Model], columns: tuple[str, ...]
) -> tuple[str, tuple["models.Field[Any, Any]", ...]]:
    """Return the SQL of an insert, and the fields that have the same value in all rows.

    Cached by list of columns: looking up the types of a wide table takes longer than an insert.
    """
    names, values, others = [], [], []
    for field in model._meta.concrete_fields:
        name = field.column
        if isinstance(field, models.AutoField) and name not in columns:
            continue  # the database assigns it
        names.append(f'"{name}"')
        if name in columns:
            values.append(f'given."{name}"')
            continue
        values.append(f"%s::{field.db_type(connection)}")
        others.append(field)
    arrays = ", ".join(f"%s::{model_type(model, name)}[]" for name in columns)
    given = ", ".join(f'"{name}"' for name in columns)
    sql = (
        f'INSERT INTO "{model._meta.db_table}" ({", ".join(names)}) '
        f"SELECT {', '.join(values)} FROM unnest({arrays}) AS given ({given})"
    )
    return sql, tuple(others)


def model_type(model: type[models.Model], column: str) -> str:
    """Return the column's database type for use in an array.

    The length limit is dropped: the table enforces it.
    """
    field = next(each for each in model._meta.concrete_fields if each.column == column)
    kind = field.rel_db_type(connection) if field.is_relation else field.db_type(connection)
    return str(kind).partition("(")[0].replace("varchar", "text")
