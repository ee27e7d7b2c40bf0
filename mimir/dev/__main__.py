"""`python -m mimir.dev up|demo`: the whole system on this machine. `make up` and `make demo` call it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable

from mimir.dev.demo import DemoFailed, run_demo
from mimir.dev.places import ROOT, Places
from mimir.dev.ports import PortTaken, port_of
from mimir.dev.postgres import PostgresFailed
from mimir.dev.secrets import Secrets, secrets_of, write_private
from mimir.dev.services import PYTHON, Plan, plan
from mimir.dev.supervisor import AlreadyRuns, StartFailed, Supervisor, stderr

USERNAME = "admin"
STOP_WORKERS_SECONDS = 30


def main(arguments: list[str]) -> int:
    """The exit code: 0 stopped in order, 1 a start or the demo failed, 2 a port or the installation is taken."""
    if arguments not in (["up"], ["demo"]):
        stderr("usage: python -m mimir.dev up|demo")
        return 2
    places = Places.from_environment()
    try:
        supervisor = Supervisor(places)
    except AlreadyRuns as error:
        stderr(str(error))
        return 2
    try:
        return _run(arguments[0], places, supervisor)
    finally:
        supervisor.close()


def _run(command: str, places: Places, supervisor: Supervisor) -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: supervisor.stopping.set())
    made: Plan | None = None
    code = 0
    try:
        ports = {"frontend_port": port_of("PORT", 3000), "api_port": port_of("API_PORT", 8080)}
        secrets = secrets_of(places)
        made = plan(places, secrets, **ports)
        _start(supervisor, made, secrets)
        if not supervisor.stopping.is_set():
            _describe(places, made, secrets)
            code = _serve(command, places, supervisor)
    except PortTaken as error:
        stderr(str(error))
        code = 2
    except (StartFailed, PostgresFailed, DemoFailed) as error:
        stderr(str(error))
        code = 1
    finally:
        _stop(supervisor, made)
    return code


def _start(supervisor: Supervisor, made: Plan, secrets: Secrets) -> None:
    """Stores, then the schema and the first administrator, then the processes."""
    for store in made.stores:
        supervisor.start(store)
    if supervisor.stopping.is_set():
        return
    _manage(made, "bootstrap_admin", "--migrate", "--username", USERNAME, BOOTSTRAP_PASSWORD=secrets.admin_password)
    supervisor.start(*made.processes)


def _manage(made: Plan, *arguments: str, timeout: float = 120, **more: str) -> None:
    """A management command as the orchestrator. Raises: StartFailed."""
    argv = [PYTHON, "manage.py", *arguments]
    done = subprocess.run(argv, env=made.orchestrator | more, cwd=ROOT, capture_output=True, text=True, timeout=timeout, start_new_session=True)
    if done.returncode != 0:
        raise StartFailed(f"manage.py {arguments[0]} failed:\n{(done.stdout + done.stderr).strip()[-3000:]}")


def _describe(places: Places, made: Plan, secrets: Secrets) -> None:
    """`demo.json`: addresses and credentials, as a program finds them."""
    known = json.loads(places.demo.read_text()) if places.demo.exists() else {}
    described = {
        "frontend_url": made.addresses.frontend_url,
        "orchestrator_url": made.addresses.orchestrator_url,
        "username": USERNAME,
        "password": secrets.admin_password,
        "token": known.get("token"),
        "project": known.get("project"),
        "supervisor_pid": os.getpid(),
    }
    write_private(places.demo, json.dumps(described, indent=1))


def _serve(command: str, places: Places, supervisor: Supervisor) -> int:
    """Watch over the processes; the demo runs beside that, so that what it kills is started again too."""
    if command == "up":
        run_demo(places, submit=False, say=lambda _line: None)
        _say_where(places)
        supervisor.watch()
        return 0
    succeeded = _beside(supervisor, lambda: run_demo(places, submit=True, say=lambda line: print(line, flush=True)))
    if os.environ.get("EXIT") == "1" or supervisor.stopping.is_set():
        return 0 if succeeded else 1
    _say_where(places)
    supervisor.watch()
    return 0


def _beside(supervisor: Supervisor, work: Callable[[], bool]) -> bool:
    """`work` on a thread of its own while this one watches."""
    import threading

    outcome: list[bool | Exception] = []

    def run() -> None:
        try:
            outcome.append(work())
        except Exception as error:  # told below, on the thread that can end the program
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive() and not supervisor.stopping.wait(0.1):
        supervisor.watch_once()
    found = outcome[0] if outcome else False
    if isinstance(found, Exception):
        raise found
    return found


def _say_where(places: Places) -> None:
    described = json.loads(places.demo.read_text())
    print(f"\n  Mimir AIP   {described['frontend_url']}", flush=True)
    print(f"  sign in     {described['username']}   {described['password']}", flush=True)
    print(f"  also in     {places.demo}", flush=True)
    print("  Ctrl-C stops it; running jobs go back in the line and start again with it.\n", flush=True)


def _stop(supervisor: Supervisor, made: Plan | None) -> None:
    """No more launches; running jobs go back in the line, not failed; then the rest."""
    supervisor.stopping.set()
    supervisor.stop("dispatcher")
    if made is not None and supervisor.runs("web"):
        try:
            _manage(made, "release_workers", "--wait", "15", timeout=STOP_WORKERS_SECONDS)
        except (StartFailed, subprocess.TimeoutExpired) as error:
            stderr(f"Workers were left as they are; the next start takes them over. ({type(error).__name__})")
    supervisor.stop("reconciler")
    supervisor.stop_all()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
