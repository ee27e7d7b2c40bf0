"""`python -m tests.e2e`, also `make e2e`.

KUBECONFIG selects the cluster, IMAGE_PREFIX and TAG the images. With KEEP=1 the namespace is kept.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from mimir.dev.demo import DemoFailed, run_demo
from mimir.dev.paths import Places
from tests.e2e.checks import CHECKS, uninstalled
from tests.e2e.cluster import Namespace, Unusable
from tests.e2e.forward import Forward
from tests.e2e.installation import PROJECT, Installation

# Errors of a cluster or an installation; anything else is a fault of these checks.
FAILURES = (AssertionError, DemoFailed, httpx.HTTPError, subprocess.TimeoutExpired)


def main() -> int:
    """Run the checks. Exit code: 0 all passed, 1 a check or the cleanup failed, 2 no usable
    cluster.
    """
    # the namespace is removed in this case, too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        namespace = Namespace()
    except Unusable as unusable:
        print(unusable, file=sys.stderr)
        return 2
    print(f"namespace {namespace.name}", flush=True)
    kept, held = bool(os.environ.get("KEEP")), False
    try:
        held = _held("installed", namespace, lambda: _install(namespace)) and _all(
            namespace, kept=kept
        )
    finally:
        if kept:
            print(f"kept: kubectl delete namespace {namespace.name}")
        else:
            held = namespace.remove() and held
    return 0 if held else 1


def _install(namespace: Namespace) -> None:
    namespace.make()
    namespace.wait_ready()


def _all(namespace: Namespace, *, kept: bool) -> bool:
    way = Forward(namespace)
    try:
        held = _use(namespace, way)
    finally:
        way.close()
    return (kept or _held("uninstalled", namespace, lambda: uninstalled(namespace))) and held


def _use(namespace: Namespace, way: Forward) -> bool:
    """Sign in as the first administrator, run all checks and return whether all passed."""
    with tempfile.TemporaryDirectory(prefix="mimir-e2e-") as folder:
        places = Places(Path(folder))
        if not _held("signed_in", namespace, lambda: _sign_in(namespace, way, places)):
            return False
        it = Installation(namespace, way, json.loads(places.demo.read_text())["token"])
        held = [_held("project", namespace, lambda: _make_project(it))]
        held += [_held("four_types", namespace, lambda: _four_types(places))]
        held += [_held(name, namespace, lambda check=check: check(it)) for name, check in CHECKS]  # type: ignore[misc]
    return all(held)


def _sign_in(namespace: Namespace, way: Forward, places: Places) -> None:
    """Sign in with the password that the bootstrap stored in the cluster, as in the README."""
    way.wait()
    admin = namespace.secret("mimir-admin")
    described = {
        "frontend_url": way.url,
        "username": admin.get("username", "admin"),
        "password": admin["password"],
        "token": "",
    }
    places.demo.parent.mkdir(parents=True, exist_ok=True)
    places.demo.write_text(json.dumps(described))
    run_demo(places, submit=False, say=print)


def _make_project(it: Installation) -> None:
    it.json("POST", "/api/v1/projects/", json={"slug": PROJECT, "name": "End to end"})


def _four_types(places: Places) -> None:
    """Run the demo: pipeline, training, inference, twin update, each using the previous output."""
    assert run_demo(places, submit=True, say=lambda line: print(f"    {line}", flush=True)), (
        "a job of the demo did not succeed"
    )


def _held(name: str, namespace: Namespace, check: Callable[[], None]) -> bool:
    """Return whether a check passed; after a failure print the state of the cluster."""
    began = time.monotonic()
    try:
        check()
    except FAILURES as error:
        print(
            f"FAILED  {name} ({time.monotonic() - began:.0f} s): {type(error).__name__}: {error}",
            flush=True,
        )
        namespace.show()
        return False
    print(f"ok      {name} ({time.monotonic() - began:.0f} s)", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
