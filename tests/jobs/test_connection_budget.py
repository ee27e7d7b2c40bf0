"""Connections that all processes may open, against the limits of PostgreSQL."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg
import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from jobs.liveness.connection_budget import (
    OUTSIDE_POOL,
    ConnectionBudget,
    connection_budget,
    connections_check,
)
from jobs.liveness.connection_names import connection_name
from mimir.env.storage import POOL_SIZE_MIN
from monitoring.readiness import own_connection

rows = pytest.mark.django_db(transaction=True)
_counts = st.integers(0, 2000)
_budgets = st.builds(
    ConnectionBudget,
    processes=st.integers(1, 50),
    pools=_counts,
    max_connections=st.integers(1, 2000),
    reserved=st.integers(0, 10),
    others=_counts,
    role_limit=st.integers(-1, 500),
    database_limit=st.integers(-1, 500),
)


@contextmanager
def processes(*names: str, database: str = "") -> Iterator[None]:
    """Connect as processes with these names."""
    given = dict(connection.get_connection_params())
    given.pop("pool", None)
    if database:
        given["dbname"] = database
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(psycopg.connect(**{**given, "application_name": name}))
        yield


@given(_budgets)
def test_a_budget_is_short_exactly_if_a_limit_is_lower_than_what_is_needed(
    budget: ConnectionBudget,
) -> None:
    limits = [budget.max_connections - budget.reserved - budget.others]
    limits += [each for each in (budget.role_limit, budget.database_limit) if each >= 0]
    assert budget.is_short == any(budget.needed > limit for limit in limits)


_FIELDS = {"server": "max_connections", "role": "role_limit", "database": "database_limit"}


@given(_budgets)
def test_the_proposed_limit_is_sufficient_and_not_too_large(budget: ConnectionBudget) -> None:
    if not budget.is_short:
        return
    field = _FIELDS[budget.lowest_limit]
    increased = budget._replace(**{field: budget.sufficient_limit})
    assert increased.lowest_limit != budget.lowest_limit or not increased.is_short
    assert budget._replace(**{field: budget.sufficient_limit - 1}).is_short


@given(_budgets)
def test_the_proposed_pool_size_fits(budget: ConnectionBudget) -> None:
    size = budget.fitting_pool_size
    if size is None:
        size = POOL_SIZE_MIN
        assert budget._replace(pools=size * budget.processes).is_short
    else:
        assert size >= POOL_SIZE_MIN
        assert not budget._replace(pools=size * budget.processes).is_short


@rows
def test_each_process_of_the_installation_counts_once_with_its_own_pool() -> None:
    before = connection_budget()
    names = ["mimir pool=30 web-1:7", "mimir pool=30 web-1:7", "mimir pool=8 web-2:7", "psql"]
    with processes(*names), processes("mimir pool=50 web-3:7", database="postgres"):
        after = connection_budget()
    assert after.processes - before.processes == 2
    assert after.pools - before.pools == 38
    assert after.others - before.others == 2, "psql, and a process of another installation"
    assert after.needed == after.pools + after.processes * OUTSIDE_POOL
    assert after.max_connections == 200


@rows
def test_a_process_is_visible_by_every_connection_of_its_own() -> None:
    connection.ensure_connection()
    with own_connection() as own:
        [name] = own.execute("SELECT current_setting('application_name')").fetchone() or [""]
    assert name == connection_name(20)
    assert str(os.getpid()) in name
    assert connection_budget().processes >= 1


@rows
def test_a_start_logs_a_short_budget_with_the_remedy(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with processes("mimir pool=500 web-1:7"):
        connections_check()
    [line] = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    assert "reduce DATABASE_POOL_SIZE" in line["event"]
    assert line["needed"] > line["available"]
    assert line["sufficient_limit"] > 500


@rows
def test_a_sufficient_budget_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    connections_check()
    assert [record.msg for record in caplog.records if isinstance(record.msg, dict)] == []


_NAMES = """
import os
from jobs.liveness import connection_names
from mimir.settings import orchestrator
options = orchestrator.DATABASES["default"]["OPTIONS"]
assert options["pool"]["max_size"] == 12
assert options["application_name"] == connection_names.connection_name(12)
if os.fork() == 0:
    own = options["application_name"] == connection_names.connection_name(12)
    os._exit(0 if own else 3)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
"""


def test_the_setting_bounds_the_pool_and_a_forked_process_has_a_name_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _NAMES],
        env={**os.environ, "DATABASE_POOL_SIZE": "12"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
