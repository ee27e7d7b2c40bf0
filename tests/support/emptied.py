"""pytest plugin: fast cleanup of the database after a test with real transactions.

Deletes rows only. Django's flush would also recreate all permissions each time.
"""

from typing import Any

from django.db import connections
from django.test import TransactionTestCase

# Tables filled by migrations.
KEPT = ("django_migrations", "django_content_type", "auth_permission")


def _rows_delete(alias: str) -> None:
    """Delete all rows of all tables, in one statement and without triggers.

    As every table is emptied, no dangling reference remains.
    """
    connection = connections[alias]
    tables = [
        table
        for table in connection.introspection.django_table_names(
            only_existing=True, include_views=False
        )
        if table not in KEPT
    ]
    deletes = ";".join(f"DELETE FROM {connection.ops.quote_name(table)}" for table in tables)
    with connection.cursor() as cursor:
        cursor.execute(f"BEGIN; SET LOCAL session_replication_role = replica; {deletes}; COMMIT")


def _teardown(case: Any) -> None:
    for alias in case._databases_names(include_mirrors=False):
        _rows_delete(alias)


def pytest_configure() -> None:
    vars_of: Any = TransactionTestCase
    vars_of._fixture_teardown = _teardown
