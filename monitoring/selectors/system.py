"""State of the installation for GET /api/v1/system/."""

from monitoring.headline import headline
from monitoring.selectors.components import components
from monitoring.selectors.failures import recent_failures
from monitoring.selectors.running import queues, reconcile_lag_seconds, usage, workers
from monitoring.selectors.stored import stored, versions
from monitoring.state_types import InstallationState, SystemState


def system_state() -> SystemState:
    """Return the state with its most urgent problem, in a constant number of queries."""
    parts, server_versions = components()
    capacity, limits, workers_total = usage()
    state: InstallationState = {
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
    return {"headline": headline(state), **state}
