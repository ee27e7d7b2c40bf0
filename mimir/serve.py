"""`python -m mimir.serve orchestrator|frontend`: the one place that says how uvicorn serves us.

Host and port come from HOST (default 127.0.0.1) and PORT_TO_SERVE (default 8080 and 3000). Log lines are ours: JSON on stdout.
"""

import os
import sys
from typing import Any

import uvicorn

from mimir import env
from mimir.lib.connections import Socket, connection_class

PORTS: dict[env.Role, int] = {"orchestrator": 8080, "frontend": 3000}
GRACEFUL_SECONDS = 5  # open sockets are told to come again (1012), uploads may end
PING_SECONDS = 20.0  # a peer that does not answer is gone
# For both roles. `reset_contextvars`: asyncio hands the context variables of one request to the next on its connection when reading was paused
# meanwhile (python/cpython#140947). Among them is asgiref's executor of the earlier request, which has ended: the next one failed with 500.
OPTIONS: dict[str, Any] = {
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,  # settled by mimir.lib.forwarded from TRUSTED_PROXIES
    "reset_contextvars": True,
}


def main(role: env.Role) -> None:
    """Serve until SIGTERM."""
    os.environ["DJANGO_SETTINGS_MODULE"] = f"mimir.settings.{role}"
    try:
        values = env.load(role)
    except env.BadEnvironment as error:
        sys.exit(str(error))
    uvicorn.run(
        f"mimir.asgi_{role}:application",
        host=os.environ.get("HOST", "127.0.0.1"),
        port=int(os.environ.get("PORT_TO_SERVE", PORTS[role])),
        http=connection_class(values.connections_per_client, values.trusted_proxies),
        ws=Socket,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
        timeout_keep_alive=75,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PING_SECONDS,
        lifespan="on" if role == "orchestrator" else "off",
        **OPTIONS,
    )


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in PORTS:
        sys.exit("usage: python -m mimir.serve orchestrator|frontend")
    main(sys.argv[1])
