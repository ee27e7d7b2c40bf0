"""Connections that the running processes may open, against those that PostgreSQL accepts.

A process opens more connections under load than at rest. So a limit that is too low fails only
under load. This module reports it before. Behind a pooler such as PgBouncer, only the processes
that it serves at the moment are counted.
"""

from typing import Literal, NamedTuple

import structlog
from django.db import Error, connection

from jobs.liveness.connection_names import PATTERN
from mimir.env.storage import POOL_SIZE_MIN

log = structlog.get_logger(__name__)
Limit = Literal["server", "role", "database"]
OUTSIDE_POOL = 2  # of each process: a probe of readiness, and a scrape of metrics


class ConnectionBudget(NamedTuple):
    """Connections that the processes of this installation may open, and limits of PostgreSQL.

    `others`: open connections of other programs. `role_limit`, `database_limit`: -1 for none.
    """

    processes: int
    pools: int
    max_connections: int
    reserved: int
    others: int
    role_limit: int = -1
    database_limit: int = -1

    @property
    def needed(self) -> int:
        """Connections that the processes may open together."""
        return self.pools + self.processes * OUTSIDE_POOL

    @property
    def available(self) -> int:
        """Connections that PostgreSQL accepts from the processes."""
        return max(0, self._limits[self.lowest_limit])

    @property
    def lowest_limit(self) -> Limit:
        """The limit that is reached first."""
        return min(self._limits, key=self._limits.__getitem__)

    @property
    def sufficient_limit(self) -> int:
        """Value of the lowest limit that would be sufficient."""
        more = self.needed - self._limits[self.lowest_limit]
        return self.max_connections + more if self.lowest_limit == "server" else self.needed

    @property
    def is_short(self) -> bool:
        """Whether the processes may open more connections than PostgreSQL accepts."""
        return self.needed > self.available

    @property
    def fitting_pool_size(self) -> int | None:
        """Size of the pool of each process that would fit; None if it is too small to work."""
        size = self.available // max(1, self.processes) - OUTSIDE_POOL
        return size if size >= POOL_SIZE_MIN else None

    @property
    def _limits(self) -> dict[Limit, int]:
        limits: dict[Limit, int] = {"server": self.max_connections - self.reserved - self.others}
        if self.role_limit >= 0:
            limits["role"] = self.role_limit
        if self.database_limit >= 0:
            limits["database"] = self.database_limit
        return limits


def connection_budget() -> ConnectionBudget:
    """Return the current budget, with one statement. Raises: django.db.Error."""
    with connection.cursor() as cursor:
        cursor.execute(_BUDGET, {"ours": PATTERN})
        return ConnectionBudget(*cursor.fetchone())


def connections_check() -> None:
    """Log a warning if the budget is short. Each process calls it once, at its start.

    The last process to start counts all others. Never raises: a start does not depend on it.
    """
    try:
        budget = connection_budget()
    except Error as error:
        log.warning("the connection limits are unknown", error=type(error).__name__)
        connection.close()
        return
    if budget.is_short:
        log.warning(
            "PostgreSQL accepts fewer connections than the processes may open: increase the limit"
            " or reduce DATABASE_POOL_SIZE",
            processes=budget.processes,
            needed=budget.needed,
            available=budget.available,
            limit_of=budget.lowest_limit,
            sufficient_limit=budget.sufficient_limit,
            fitting_pool_size=budget.fitting_pool_size,
        )


# A process has several connections with one name. The limits of a role do not apply to superusers.
_BUDGET = """
WITH clients AS MATERIALIZED (
    SELECT application_name AS name,
        application_name ~ %(ours)s AND datname = current_database() AS ours
    FROM pg_stat_activity
    WHERE datid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'
), processes AS (
    SELECT DISTINCT name FROM clients WHERE ours
)
SELECT
    (SELECT count(*) FROM processes),
    (SELECT coalesce(sum(substring(name FROM %(ours)s)::int), 0) FROM processes),
    current_setting('max_connections')::int,
    current_setting('superuser_reserved_connections')::int
        + coalesce(current_setting('reserved_connections', true)::int, 0),
    (SELECT count(*) FROM clients WHERE NOT ours),
    (SELECT CASE WHEN rolsuper THEN -1 ELSE rolconnlimit END
        FROM pg_roles WHERE rolname = current_user),
    (SELECT datconnlimit FROM pg_database WHERE datname = current_database())
"""
