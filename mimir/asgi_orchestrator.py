"""ASGI application of the orchestrator: HTTP by Django, WebSockets by Channels."""

import functools
import os
import sys

from mimir.env import BadEnvironment, demand_frontend_keys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mimir.settings.orchestrator")

try:
    from django.conf import settings

    from mimir.handler import django_application

    http = django_application()
    demand_frontend_keys(settings.ENV)
except BadEnvironment as error:
    sys.exit(str(error))

from channels.layers import get_channel_layer  # noqa: E402 - apps must be loaded first
from channels.routing import ProtocolTypeRouter  # noqa: E402

from jobs.api.heartbeats import Heartbeats  # noqa: E402
from jobs.live.routing import websocket_application  # noqa: E402
from jobs.liveness.answering import beat_forever  # noqa: E402
from jobs.liveness.refused_claims import RefusedClaims  # noqa: E402
from mimir.api.lanes import Lanes, lane_limits  # noqa: E402
from mimir.api.port_access import PortAccess, rules  # noqa: E402
from mimir.api.request_limits import with_limits  # noqa: E402
from mimir.lib.background_task import BackgroundTask  # noqa: E402

get_channel_layer()  # registers its counters, so that /metrics has them before the first WebSocket
_refused = RefusedClaims()
_lanes = Lanes(http, lane_limits(settings.ENV.database_pool_size), on_refused=_refused.add)
_http = with_limits(Heartbeats(_lanes, on_late=_lanes.note_overload))
_routed = ProtocolTypeRouter({"http": _http, "websocket": websocket_application})
_entered = PortAccess(
    _routed,
    rules(
        frontend_keys=settings.ENV.frontend_keys,
        direct_sources=settings.ENV.direct_sources,
        metrics_token=settings.ENV.metrics_token,
        metrics_sources=settings.ENV.metrics_sources,
        public_url=settings.ENV.public_url,
    ),
)
application = BackgroundTask(_entered, functools.partial(beat_forever, _lanes, _refused))
