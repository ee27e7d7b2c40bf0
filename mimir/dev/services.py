"""The processes of an installation: commands, environments, readiness checks, stop signals."""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from mimir.dev.paths import MARKER, ROOT, Places
from mimir.dev.ports import answers, free_port
from mimir.dev.postgres import Postgres, postgres_of
from mimir.dev.secrets import Secrets
from mimir.dev.valkey import redis_url, valkey_argv

PYTHON = sys.executable
# Never inherited: each role gets its own, or none.
_OURS = (
    "SECRET_KEY",
    "WORKER_KEYS",
    "FRONTEND_KEYS",
    "METRICS_TOKEN",
    "DATABASE_URL",
    "REDIS_URL",
    "BOOTSTRAP_PASSWORD",
    "DJANGO_SETTINGS_MODULE",
    "MIMIR_ROLE",
    "VIRTUAL_ENV",
)


@dataclass(frozen=True, slots=True)
class Service:
    """One process.

    `stop_seconds`: killed after that time. `forks`: the fork server can fork it, because it has the
    settings of the orchestrator and their environment.
    """

    name: str
    argv: list[str]
    environment: Mapping[str, str]
    ready: Callable[[], bool]
    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 10.0
    cwd: Path = ROOT
    user_id: int | None = None
    group_id: int | None = None
    forks: bool = False


@dataclass(frozen=True, slots=True)
class Addresses:
    """Addresses of an installation. `redis_url` and `database_url` contain passwords."""

    frontend_port: int
    api_port: int
    database_url: str
    redis_url: str

    @property
    def frontend_url(self) -> str:
        return f"http://localhost:{self.frontend_port}"

    @property
    def orchestrator_url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"


@dataclass(slots=True)
class Plan:
    """The processes in their start order. `orchestrator`: environment of management commands."""

    stores: list[Service]
    processes: list[Service]
    addresses: Addresses
    orchestrator: dict[str, str] = field(default_factory=dict)


def plan(places: Places, secrets: Secrets, *, frontend_port: int, api_port: int) -> Plan:
    """Return the plan; create the database folder at the first start.

    DATABASE_URL and REDIS_URL in the environment replace the embedded servers.

    Raises: PostgresFailed, ValkeyFailed.
    """
    stores: list[Service] = []
    marked = _base(places)
    database, redis = os.environ.get("DATABASE_URL", ""), os.environ.get("REDIS_URL", "")
    if not database:
        postgres = postgres_of(places, password=secrets.database_password, port=free_port())
        stores.append(_postgres(postgres, marked))
        database = postgres.url()
    if not redis:
        port = free_port()
        argv = valkey_argv(places, password=secrets.redis_password, port=port)
        stores.append(Service("valkey", argv, marked, lambda: answers(port), cwd=places.var))
        redis = redis_url(password=secrets.redis_password, port=port)
    addresses = Addresses(frontend_port, api_port, database, redis)
    orchestrator = marked | _orchestrator(places, secrets, addresses)
    return Plan(
        stores, _processes(marked, orchestrator, secrets, addresses), addresses, orchestrator
    )


def _base(places: Places) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in _OURS
    }
    return {**kept, MARKER: str(places.var), "PYTHONUNBUFFERED": "1"}


def _postgres(postgres: Postgres, environment: Mapping[str, str]) -> Service:
    return Service(
        "postgres",
        postgres.argv(durable=os.environ.get("MIMIR_DURABLE", "1") != "0"),
        {**environment, "HOME": "/"},
        postgres.is_ready,
        stop_signal=signal.SIGINT,  # fast shutdown: ends sessions, keeps committed data
        stop_seconds=20.0,
        cwd=Path("/"),
        user_id=postgres.user_id,
        group_id=postgres.group_id,
    )


def _orchestrator(places: Places, secrets: Secrets, addresses: Addresses) -> dict[str, str]:
    defaults = {
        "ENVIRONMENT": "development",
        "LAUNCHER": "process",
        "ORPHAN_GRACE": "0",
        "ARTIFACTS_URL": f"file://{places.var}/artifacts",
        "SPOOL_DIR": str(places.var / "spool"),
        "WORKERS_DIR": str(places.var / "workers"),
        "PUBLIC_URL": addresses.frontend_url,
    }
    return {
        **{name: os.environ.get(name, value) for name, value in defaults.items()},
        "ORCHESTRATOR_URL": addresses.orchestrator_url,
        "DATABASE_URL": addresses.database_url,
        "REDIS_URL": addresses.redis_url,
        "SECRET_KEY": secrets.orchestrator_key,
        "WORKER_KEYS": secrets.worker_key,
        "FRONTEND_KEYS": secrets.proof_key,
        "METRICS_TOKEN": secrets.metrics_token,
        "MIMIR_ROLE": "orchestrator",
    }


def _processes(
    marked: dict[str, str], orchestrator: dict[str, str], secrets: Secrets, addresses: Addresses
) -> list[Service]:
    frontend = {
        **marked,
        "ENVIRONMENT": os.environ.get("ENVIRONMENT", "development"),
        "PUBLIC_URL": os.environ.get("PUBLIC_URL", addresses.frontend_url),
        "API_URL": addresses.orchestrator_url,
        "SECRET_KEY": secrets.frontend_key,
        "FRONTEND_KEYS": secrets.proof_key,
        "MIMIR_ROLE": "frontend",
        "PORT_TO_SERVE": str(addresses.frontend_port),
    }
    web = orchestrator | {"PORT_TO_SERVE": str(addresses.api_port)}
    return [
        Service(
            "web",
            [PYTHON, "-m", "mimir.serve", "orchestrator"],
            web,
            lambda: _healthy(addresses.api_port),
            stop_seconds=15.0,
            forks=True,
        ),
        Service(
            "frontend",
            [PYTHON, "-m", "mimir.serve", "frontend"],
            frontend,
            lambda: _healthy(addresses.frontend_port),
        ),
        command_of(orchestrator, "dispatcher"),
        command_of(orchestrator, "reconciler"),
    ]


def command_of(environment: Mapping[str, str], *arguments: str) -> Service:
    """Return the process of a management command of the orchestrator."""
    argv = [PYTHON, "manage.py", *arguments]
    return Service(arguments[0], argv, environment, lambda: True, forks=True)


def _healthy(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
