"""Start and liveness of pods: serial migrations, first administrator, heartbeat file."""

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import DataError, OperationalError, connection, connections

from jobs.liveness.beats import beat_record
from jobs.models import LoopBeat
from mimir.lib import heartbeat_probe
from monitoring.readiness import own_connection
from projects.management.commands.migrate_locked import LOCK

ROOT = Path(__file__).resolve().parents[2]
transactional = pytest.mark.django_db(transaction=True)


def _migrate(done: threading.Event) -> None:
    try:
        call_command("migrate_locked", wait_seconds=10)
        done.set()
    finally:
        connections.close_all()


@transactional
def test_migrations_wait_while_another_replica_migrates_longer_than_a_statement_may_wait() -> None:
    done = threading.Event()
    with own_connection() as other:
        other.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        waiting = threading.Thread(target=_migrate, args=(done,))
        waiting.start()
        # it polls: a waiting session would block CREATE INDEX CONCURRENTLY
        assert not done.wait(timeout=2.5)
    waiting.join(timeout=30)
    assert done.is_set()
    with own_connection() as other:
        assert other.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone() == (True,)


@transactional
def test_a_migration_that_was_killed_leaves_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_args: Any, **_options: Any) -> None:
        # The server ends the session, as after the death of its client process.
        with connection.cursor() as cursor, own_connection() as other:
            cursor.execute("SELECT pg_backend_pid()")
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [cursor.fetchone()[0]])

    monkeypatch.setattr("projects.management.commands.migrate_locked.call_command", killed)
    with pytest.raises(OperationalError):
        call_command("migrate_locked")
    connection.close()
    with own_connection() as other:
        assert other.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone() == (True,)


def test_an_unreachable_database_is_awaited_and_then_reported() -> None:
    code = (
        "from django.core.management import execute_from_command_line as run; run(['manage.py', "
        "'migrate_locked', '--wait-seconds', '0'])"
    )
    environment = {
        "PATH": "/usr/bin:/bin",
        "SECRET_KEY": "s" * 40,
        "WORKER_KEYS": "w" * 40,
        "LAUNCHER": "memory",
        "REDIS_URL": "redis://127.0.0.1:1",
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "DJANGO_SETTINGS_MODULE": "mimir.settings.orchestrator",
    }
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 1
    assert "Check DATABASE_URL" in ran.stderr


@transactional
def test_the_first_administrator_is_created_once_and_keeps_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for password in ("first-password-of-all", "another-password"):
        monkeypatch.setenv("BOOTSTRAP_PASSWORD", password)
        call_command("bootstrap_admin", migrate=True)
    [user] = get_user_model().objects.all()
    assert user.is_superuser
    assert user.check_password("first-password-of-all")


@transactional
def test_an_administrator_without_a_password_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOOTSTRAP_PASSWORD", raising=False)
    with pytest.raises(CommandError, match="BOOTSTRAP_PASSWORD"):
        call_command("bootstrap_admin")


def _beats_into(settings: Any, file: Path) -> None:
    settings.ENV = replace(settings.ENV, beat_file=str(file))


@transactional
def test_the_file_of_a_loop_is_touched_when_its_row_was_written(
    settings: Any, tmp_path: Path
) -> None:
    file = tmp_path / "beat"
    _beats_into(settings, file)
    beat_record(component="dispatcher")
    assert LoopBeat.objects.count() == 1
    assert heartbeat_probe.problem(str(file), 60, file.stat().st_mtime + 59) == ""
    assert "61 seconds old; 60 are allowed" in heartbeat_probe.problem(
        str(file), 60, file.stat().st_mtime + 61
    )


@transactional
def test_a_loop_whose_row_cannot_be_written_does_not_touch_its_file(
    settings: Any, tmp_path: Path
) -> None:
    file = tmp_path / "beat"
    _beats_into(settings, file)
    with pytest.raises(DataError):
        beat_record(component="x" * 1000)
    assert not file.exists()
    assert "no heartbeat" in heartbeat_probe.problem(str(file), 60, 0)


def test_the_probe_runs_as_the_manifests_start_it(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-I",
        "-S",
        str(ROOT / "mimir/lib/heartbeat_probe.py"),
        str(tmp_path / "beat"),
        "60",
    ]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert (ran.returncode, "no heartbeat" in ran.stderr) == (1, True)
    (tmp_path / "beat").touch()
    assert subprocess.run(command, capture_output=True).returncode == 0


def test_a_pod_accepts_requests_to_its_address() -> None:
    code = "from django.conf import settings; print(*settings.ALLOWED_HOSTS)"
    environment = {
        "PATH": "/usr/bin:/bin",
        "SECRET_KEY": "s" * 40,
        "WORKER_KEYS": "w" * 40,
        "LAUNCHER": "memory",
        "REDIS_URL": "redis://127.0.0.1:1",
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "DJANGO_SETTINGS_MODULE": "mimir.settings.orchestrator",
        "PUBLIC_URL": "https://mimir.example.com",
        "ORCHESTRATOR_URL": "http://orchestrator:8080",
        "POD_IP": "fd00::7",
    }
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    expected = ["mimir.example.com", "orchestrator", "worker-api.invalid", "[fd00::7]"]
    assert ran.stdout.split() == expected
