"""The orchestrator's ASGI application: HTTP by Django, sockets by Channels."""

import os
import sys
from typing import Any

from mimir.env import BadEnvironment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mimir.settings.orchestrator")

try:
    from django.core.asgi import get_asgi_application

    http: Any = get_asgi_application()
except BadEnvironment as error:
    sys.exit(str(error))

from channels.routing import ProtocolTypeRouter  # noqa: E402 - apps have to be loaded first
from django.conf import settings  # noqa: E402

from jobs.answering import beat_forever  # noqa: E402
from jobs.routing import websocket_application  # noqa: E402
from mimir.api.limits import ENVELOPE_BYTES, BodyLimit  # noqa: E402
from mimir.lib.beating import Beating  # noqa: E402
from mimir.lib.forwarded import ForwardedHeaders  # noqa: E402

_public = BodyLimit(http, max_bytes=settings.ENV.max_upload_bytes + ENVELOPE_BYTES)
_worker = BodyLimit(http, max_bytes=settings.ENV.artifact_bytes_max)


async def limited(scope: Any, receive: Any, send: Any) -> None:
    """A worker's artifact may be larger than a person's upload."""
    await (_worker if scope["path"].startswith("/worker/") else _public)(scope, receive, send)


_routed = ProtocolTypeRouter({"http": limited, "websocket": websocket_application})
_forwarded = ForwardedHeaders(_routed, trusted=settings.ENV.trusted_proxies)  # TRUSTED_PROXIES here: our frontends
application = Beating(_forwarded, beat_forever)
