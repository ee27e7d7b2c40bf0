"""A production system with crash points refuses to start, since these are for tests."""

import subprocess
import sys

import pytest

from mimir.dev.paths import ROOT
from tests.chaos.beside import environment_of
from tests.support.stack import Stack


@pytest.mark.parametrize("role", ["web", "frontend"])
def test_production_refuses_crash_points(stack: Stack, role: str) -> None:
    changes = {
        "ALLOW_UNISOLATED_WORKERS": "true",
        "PUBLIC_URL": "https://mimir.example",
        "ACCEPT_PLAIN": "database,redis",
    }
    production = environment_of(stack, role) | {"ENVIRONMENT": "production"} | changes
    refused = _start(production)
    assert refused.returncode != 0
    assert "MIMIR_CRASH_POINTS" in refused.stderr
    del production["MIMIR_CRASH_POINTS"]
    accepted = _start(production)
    assert accepted.returncode == 0, accepted.stderr


def _start(environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
