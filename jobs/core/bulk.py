"""Many rows in one statement. `bulk_create` prepares each value of each row in Python: of thousands of wide rows that is most of the time."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection, models


def insert_many(
    model: type[models.Model], columns: Mapping[str, Sequence[Any]], **same: Any
) -> None:
    """Insert a row of `model` for each place in the lists of `columns`; all lists are of one length.

    `same` are values of further columns, the same in each row; any other column has its field's default. Keys are names of columns.
    No signal is sent and nothing is checked but by the database.
    """
    names, values, parameters = [], [], []
    for field in model._meta.concrete_fields:
        name = field.column
        if isinstance(field, models.AutoField) and name not in columns:
            continue  # the database counts
        names.append(f'"{name}"')
        if name in columns:
            values.append(f'given."{name}"')
            continue
        values.append(f"%s::{field.db_type(connection)}")
        parameters.append(
            field.get_db_prep_save(same[name] if name in same else field.get_default(), connection)
        )
    arrays = ", ".join(f"%s::{model_type(model, name)}[]" for name in columns)
    given = ", ".join(f'"{name}"' for name in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{model._meta.db_table}" ({", ".join(names)}) SELECT {", ".join(values)} FROM unnest({arrays}) AS given ({given})',
            [*parameters, *(list(each) for each in columns.values())],
        )


def model_type(model: type[models.Model], column: str) -> str:
    """The database's type of a column, as an array of it is written; a limit of length is the table's business."""
    field = next(each for each in model._meta.concrete_fields if each.column == column)
    kind = field.rel_db_type(connection) if field.is_relation else field.db_type(connection)
    return str(kind).partition("(")[0].replace("varchar", "text")
