"""The orchestrator's ASGI application: HTTP by Django, sockets by Channels."""

import os
import sys

from mimir.env import BadEnvironment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mimir.settings.orchestrator")

try:
    from mimir.handler import django_application

    http = django_application()
except BadEnvironment as error:
    sys.exit(str(error))

from channels.routing import ProtocolTypeRouter  # noqa: E402 - apps have to be loaded first
from django.conf import settings  # noqa: E402

from jobs.answering import beat_forever  # noqa: E402
from jobs.routing import websocket_application  # noqa: E402
from mimir.api.limits import with_limits  # noqa: E402
from mimir.lib.beating import Beating  # noqa: E402
from mimir.lib.forwarded import ForwardedHeaders  # noqa: E402

_routed = ProtocolTypeRouter({"http": with_limits(http), "websocket": websocket_application})
_forwarded = ForwardedHeaders(_routed, trusted=settings.ENV.trusted_proxies)  # TRUSTED_PROXIES here: our frontends
application = Beating(_forwarded, beat_forever)
