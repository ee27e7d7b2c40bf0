"""The state of the whole installation, as GET /api/v1/system/ answers it."""

from dataclasses import asdict
from typing import Any

from monitoring.headline import headline
from monitoring.selectors.components import components
from monitoring.selectors.failures import recent_failures
from monitoring.selectors.running import queues, reconcile_lag_seconds, room, workers
from monitoring.selectors.stored import stored, versions


def system_state() -> dict[str, Any]:
    """Everything an administrator looks at, and first what needs one. A constant number of statements."""
    parts, server_versions = components()
    capacity, limits, workers_total = room()
    state: dict[str, Any] = {
        "components": parts,
        "queues": queues(),
        "workers": workers(),
        "workers_total": workers_total,
        "capacity": capacity,
        "limits": limits,
        "storage": stored(),
        "versions": {**versions(), **server_versions},
        "failures": recent_failures(),
        "reconcile": {"lag_seconds": reconcile_lag_seconds()},
    }
    return {"headline": asdict(headline(state)), **state}
