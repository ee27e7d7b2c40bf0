"""Components of the installation and their last heartbeat.

Loops write heartbeat rows; servers are asked directly.
"""

import datetime as dt
import time
from typing import cast

import redis
from django.conf import settings
from django.db import connection

from jobs.admission.waiting import DISPATCHER_AWAY_SECONDS
from jobs.liveness.beats import instance_name
from jobs.liveness.connection_budget import ConnectionBudget, Limit, connection_budget
from jobs.models import LoopBeat
from mimir.lib.clock import utc_now
from monitoring.readiness import REDIS_SECONDS
from monitoring.state_types import ComponentState
from projects.storage import artifacts

LOOPS = ("dispatcher", "reconciler")
LATE_SECONDS = 6.0  # three passes of either loop
AWAY_SECONDS = DISPATCHER_AWAY_SECONDS  # waiting jobs show it from then on
REPLACED_SECONDS = 600.0
_LIMITS: dict[Limit, str] = {
    "server": "max_connections",
    "role": "the connection limit of the role",
    "database": "the connection limit of the database",
}
_SERVER = (
    "SELECT pg_postmaster_start_time(), clock_timestamp(), current_setting('server_version'), "
    "inet_server_port()"
)


def components() -> tuple[list[ComponentState], dict[str, str]]:
    """Return the components, and the versions of servers: {"postgresql": …, "redis": …}.

    Executes three SQL statements and one request to Redis.
    """
    database, database_version = _database()
    valkey, valkey_version = _redis()
    rows = [
        *_loops(),
        _row("web", instance_name(), None, utc_now(), 0.0),
        database,
        valkey,
        _storage(),
    ]
    return rows, {"postgresql": database_version, **valkey_version}


def state_of(age_seconds: float | None) -> str:
    """Return alive, late or away, by the age of the last heartbeat; None counts as away."""
    if age_seconds is None or age_seconds >= AWAY_SECONDS:
        return "away"
    return "alive" if age_seconds < LATE_SECONDS else "late"


def _row(
    component: str,
    instance: str,
    started_at: dt.datetime | None,
    beat_at: dt.datetime | None,
    age_seconds: float | None,
) -> ComponentState:
    return {
        "component": component,
        "instance": instance,
        "started_at": started_at,
        "beat_at": beat_at,
        "age_seconds": age_seconds,
        "state": state_of(age_seconds),
        "message": "",
    }


def _loops() -> list[ComponentState]:
    """Return every process of each loop.

    A lost process is dropped once another of its kind runs. A loop without any process has one row.
    """
    now = utc_now()
    beats = list(LoopBeat.objects.filter(component__in=LOOPS).order_by("component", "-beat_at"))
    found = []
    for component in LOOPS:
        rows = [
            _row(
                component,
                beat.instance,
                beat.started_at,
                beat.beat_at,
                max(0.0, round((now - beat.beat_at).total_seconds(), 1)),
            )
            for beat in beats
            if beat.component == component
        ]
        found += _without_replaced(rows) or [_row(component, "", None, None, None)]
    return found


def _without_replaced(rows: list[ComponentState]) -> list[ComponentState]:
    """Drop lost processes that were replaced: a successor started after their last heartbeat.

    Processes that were lost long ago are dropped as well if another one runs.
    """
    living = [row for row in rows if row["state"] != "away"]
    if not living:
        return rows[:1]
    newest = max(row["started_at"] for row in living if row["started_at"])
    gone = [
        row
        for row in rows
        if row["state"] == "away"
        and row["beat_at"]
        and row["beat_at"] > newest
        and (row["age_seconds"] or 0.0) < REPLACED_SECONDS
    ]
    return living + gone


def _database() -> tuple[ComponentState, str]:
    with connection.cursor() as cursor:
        cursor.execute(_SERVER)
        started_at, now, version, port = cursor.fetchone()
    where = f"{settings.DATABASES['default']['HOST'] or 'local socket'}{f':{port}' if port else ''}"
    row = _row("database", where, started_at, now, 0.0)
    return {**row, "message": connections_problem(connection_budget())}, version.split()[0]


def connections_problem(budget: ConnectionBudget) -> str:
    """Return why processes can fail to connect under load, with the remedy; else an empty text."""
    if not budget.is_short:
        return ""
    size = budget.fitting_pool_size
    reduce = f", or set DATABASE_POOL_SIZE to at most {size}" if size else ""
    return (
        f"{budget.processes} processes may open {budget.needed} connections, and PostgreSQL accepts"
        f" {budget.available} from them. Increase {_LIMITS[budget.lowest_limit]} to at least"
        f" {budget.sufficient_limit}{reduce}."
    )


def _redis() -> tuple[ComponentState, dict[str, str]]:
    """Return the state of Redis now.

    Redis and Valkey share a protocol; the version is listed under the server's own name.
    """
    client = redis.Redis.from_url(
        settings.ENV.redis_url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS
    )
    where = _place(client)
    try:
        info = cast("dict[str, object]", client.info("server"))
    except (redis.RedisError, OSError):
        return _row("redis", where, None, None, None), {}
    finally:
        client.close()
    name = "valkey" if "valkey_version" in info else "redis"
    now = utc_now()
    started_at = now.fromtimestamp(
        int(time.time()) - int(str(info.get("uptime_in_seconds", 0))), tz=now.tzinfo
    )
    return _row("redis", where, started_at, now, 0.0), {name: str(info[f"{name}_version"])}


def _place(client: "redis.Redis") -> str:
    """Return host and port of a URL, or its socket path; never its password."""
    known = client.connection_pool.connection_kwargs
    return (
        str(known["path"])
        if "path" in known
        else f"{known.get('host', 'localhost')}:{known.get('port', 6379)}"
    )


def _storage() -> ComponentState:
    """Return whether the folder or the bucket can be used, with the problem."""
    problem = artifacts.problem()
    row = _row(
        "storage",
        artifacts.location(),
        None,
        None if problem else utc_now(),
        None if problem else 0.0,
    )
    return {**row, "message": problem}
