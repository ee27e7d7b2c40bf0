"""`python -m mimir.dev up|demo`: run an installation on this machine.

`make up` and `make demo` call it.
"""

import compileall
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import httpx

from mimir.dev.demo import DemoFailed, run_demo
from mimir.dev.paths import ROOT, BadPlace, Places
from mimir.dev.ports import PortTaken, port_of
from mimir.dev.postgres import PostgresFailed
from mimir.dev.secrets import Secrets, secrets_of, write_private
from mimir.dev.services import Plan, command_of, plan
from mimir.dev.supervisor import AlreadyRuns, StartFailed, Supervisor, say
from mimir.dev.valkey import ValkeyFailed

USERNAME = "admin"
MANAGE_SECONDS = 120.0
RELEASE_SECONDS, RELEASE_LIMIT_SECONDS = (
    15.0,
    45.0,
)  # time for workers to stop; limit of the command, including its start
FAILURES = (StartFailed, PostgresFailed, ValkeyFailed, DemoFailed, BadPlace, httpx.HTTPError)


def main(arguments: list[str]) -> int:
    """Return the exit code.

    0: stopped. 1: a start or the demo failed. 2: wrong usage, or it cannot run here (port or
    installation in use, no Linux).
    """
    if arguments not in (["up"], ["demo"]):
        say("usage: python -m mimir.dev up|demo", failure=True)
        return 2
    if sys.platform != "linux":
        say(
            "Mimir on one machine needs Linux: use a Linux virtual machine, or WSL2 on Windows.",
            failure=True,
        )
        return 2
    try:
        places = Places.from_environment()
        supervisor = Supervisor(places)
    except BadPlace as error:
        say(str(error), failure=True)
        return 1
    except AlreadyRuns as error:
        say(str(error), failure=True)
        return 2
    try:
        return _run(arguments[0], places, supervisor)
    finally:
        supervisor.close()


def _run(command: str, places: Places, supervisor: Supervisor) -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: supervisor.stopping.set())
    begun = time.monotonic()
    planned: Plan | None = None
    code = 0
    try:
        frontend_port = port_of("PORT", 3000)
        api_port = port_of("API_PORT", 8080, other_than=frontend_port)
        secrets = secrets_of(places)
        planned = plan(places, secrets, frontend_port=frontend_port, api_port=api_port)
        _start(supervisor, planned, secrets)
        if not supervisor.stopping.is_set():
            say(f"everything started in {time.monotonic() - begun:.1f} s")
            _describe(places, planned, secrets)
            code = _serve(command, places, supervisor)
    except PortTaken as error:
        say(str(error), failure=True)
        code = 2
    except FAILURES as error:
        say(str(error) or type(error).__name__, failure=True)
        code = 1
    finally:
        _stop(supervisor, planned)
    return code


def _start(supervisor: Supervisor, planned: Plan, secrets: Secrets) -> None:
    prepare(supervisor, planned, secrets)
    if not supervisor.stopping.is_set():
        supervisor.start(*planned.processes)


def prepare(supervisor: Supervisor, planned: Plan, secrets: Secrets) -> None:
    """Start the stores, compile the code, and create schema and administrator.

    Meanwhile the fork server imports. Idempotent.

    Raises: StartFailed.
    """
    supervisor.preload(planned.orchestrator)
    for store in planned.stores:
        supervisor.start(store)
    _compile()
    if supervisor.stopping.is_set():
        return
    _manage(
        supervisor,
        planned,
        "bootstrap_admin",
        "--migrate",
        "--username",
        USERNAME,
        BOOTSTRAP_PASSWORD=secrets.admin_password,
    )


def _compile() -> None:
    """Compile Python modules once.

    Workers write no byte code, because user code runs beside them: without this, each would compile
    the modules again.
    """
    for name in ("mimir", "projects", "jobs", "monitoring"):
        compileall.compile_dir(ROOT / name, quiet=2)


def _manage(
    supervisor: Supervisor,
    planned: Plan,
    *arguments: str,
    timeout: float = MANAGE_SECONDS,
    **more: str,
) -> None:
    """Run a management command as the orchestrator. Raises: StartFailed."""
    command = command_of(planned.orchestrator | more, *arguments)
    try:
        code, output = supervisor.run(command, timeout)
    except subprocess.TimeoutExpired:
        raise StartFailed(f"manage.py {arguments[0]} did not end within {timeout:.0f} s") from None
    if code != 0:
        raise StartFailed(f"manage.py {arguments[0]} failed:\n{output.strip()[-3000:]}")


def _describe(places: Places, planned: Plan, secrets: Secrets) -> None:
    """Write addresses and credentials to `demo.json`, for programs."""
    described = {
        "frontend_url": planned.addresses.frontend_url,
        "orchestrator_url": planned.addresses.orchestrator_url,
        "username": USERNAME,
        "password": secrets.admin_password,
        "token": None,
        "project": None,
        "supervisor_pid": os.getpid(),
    }
    try:
        known = json.loads(places.demo.read_text())
        described |= {name: known.get(name) for name in ("token", "project")}
    except (OSError, ValueError):
        pass  # the first start
    write_private(places.demo, json.dumps(described, indent=1))


def _serve(command: str, places: Places, supervisor: Supervisor) -> int:
    """Supervise the processes, first while the demo runs; return the exit code.

    Processes that die are restarted. The command `up` runs only the sign-in of the demo.
    """
    if command == "up":
        _beside(supervisor, lambda: run_demo(places, submit=False, say=say))
    else:
        succeeded = _beside(supervisor, lambda: run_demo(places, submit=True, say=say))
        if os.environ.get("EXIT") == "1":
            _say_where(places, ends=True)
            return 0 if succeeded else 1
    if not supervisor.stopping.is_set():
        _say_where(places)
        supervisor.watch()
    return 0


def _beside(supervisor: Supervisor, work: Callable[[], bool]) -> bool:
    """Return the result of `work`, run in a thread while this thread supervises.

    False if the supervisor is stopped before its end.
    """
    outcome: list[bool | Exception] = []

    def run() -> None:
        try:
            outcome.append(work())
        except Exception as error:  # reported below, on the thread that can end the program
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive() and not supervisor.stopping.wait(0.1):
        supervisor.watch_once()
    found = outcome[0] if outcome else False
    if isinstance(found, Exception):
        raise found
    return found


def _say_where(places: Places, *, ends: bool = False) -> None:
    """Print address, user and password. `ends`: also how to start it again."""
    described = json.loads(places.demo.read_text())
    say(f"\n  Mimir AIP   {described['frontend_url']}")
    say(f"  sign in     {described['username']}   {described['password']}")
    say(f"  also in     {places.demo}")
    if ends:
        say(
            "  It stops now (EXIT=1). `make up` starts it again with all that is there; then the "
            "addresses above work.\n"
        )
    else:
        say("  Ctrl-C stops it; running jobs return to the queue and start again with it.\n")


def _stop(supervisor: Supervisor, planned: Plan | None) -> None:
    """Stop launches, return running jobs to the queue, then stop the rest."""
    supervisor.stopping.set()
    served = supervisor.has("dispatcher")
    supervisor.stop("dispatcher")
    if planned is not None and served:
        say("stopping: running jobs return to the queue")
        try:
            _manage(
                supervisor,
                planned,
                "release_workers",
                "--wait",
                f"{RELEASE_SECONDS:.0f}",
                timeout=RELEASE_LIMIT_SECONDS,
            )
        except StartFailed as error:
            say(
                f"Workers keep running. The next start adopts them. {error}",
                failure=True,
            )
    supervisor.stop("reconciler")
    supervisor.stop("web")
    supervisor.stop_all()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
