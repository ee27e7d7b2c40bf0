"""Count of the database statements and commits of this thread in a block."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from django.db import connection


@dataclass(slots=True)
class Cost:
    """Statements and commits. `sql` has the statements, to explain a higher count."""

    commits: int = 0
    sql: list[str] = field(default_factory=list)

    @property
    def statements(self) -> int:
        """Return the number of statements, without BEGIN and COMMIT."""
        return len(self.sql)


@contextmanager
def counted() -> Iterator[Cost]:
    """Count the statements and commits in the block. A statement outside a transaction also
    commits.
    """
    cost = Cost()
    commit: Callable[[], None] = getattr(connection, "_commit")  # noqa: B009 - Django's own hook

    def count(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        cost.sql.append(sql)
        cost.commits += not connection.in_atomic_block
        return execute(sql, *arguments)

    def committed() -> None:
        cost.commits += 1
        commit()

    with connection.execute_wrapper(count), patch.object(connection, "_commit", committed):
        yield cost
