"""The orchestrator's ASGI application: HTTP by Django, sockets by Channels."""

import os
import sys

from mimir.env import BadEnvironment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mimir.settings.orchestrator")

try:
    from django.core.asgi import get_asgi_application

    http = get_asgi_application()
except BadEnvironment as error:
    sys.exit(str(error))

from channels.routing import ProtocolTypeRouter  # noqa: E402 - apps have to be loaded first

from jobs.routing import websocket_application  # noqa: E402

application = ProtocolTypeRouter({"http": http, "websocket": websocket_application})
