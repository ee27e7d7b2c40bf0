"""`python -m mimir.serve orchestrator|frontend`: run uvicorn with the settings of the role.

Host and port come from HOST (default 127.0.0.1) and PORT_TO_SERVE (default 8080 and 3000). Logs are
JSON lines on stdout.
"""

import os
import sys
from typing import Any

import uvicorn

from mimir import env
from mimir.lib.connections import Socket, connection_class
from mimir.lib.garbage_collection import collect_less_often

PORTS: dict[env.Role, int] = {"orchestrator": 8080, "frontend": 3000}
GRACEFUL_SECONDS = 5  # WebSockets get close code 1012 (reconnect); uploads may finish
PING_SECONDS = 20.0  # a peer without a response is disconnected
# Both roles need `reset_contextvars`. If reading was paused, asyncio gives the context variables of
# one request to the next on the same connection (python/cpython#140947), including asgiref's
# executor of the ended request. The next request then failed with 500.
OPTIONS: dict[str, Any] = {
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,  # `mimir.lib.forwarded` does it, with TRUSTED_PROXIES
    "reset_contextvars": True,
}


def main(role: env.Role) -> None:
    """Serve until SIGTERM."""
    collect_less_often()
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
