"""The frontend's ASGI application: the streaming proxy, and Django's pages behind it.

X-Forwarded-* is settled by `mimir.lib.forwarded` from TRUSTED_PROXIES. uvicorn's own belief in it changes nothing here, and is best
switched off (`--no-proxy-headers`).
"""

import os
import sys
from typing import cast

from mimir.env import BadEnvironment, demand_frontend_keys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mimir.settings.frontend")

try:
    from django.conf import settings
    from django.core.asgi import get_asgi_application

    pages = get_asgi_application()
    demand_frontend_keys(settings.ENV)
except BadEnvironment as error:
    sys.exit(str(error))

from mimir.frontend import readiness  # noqa: E402 - settings are checked above
from mimir.frontend.proxy import ProxySettings, in_front_of  # noqa: E402
from mimir.lib.asgi import Application  # noqa: E402

readiness.register()
application = in_front_of(
    cast(Application, pages),
    ProxySettings(
        api_url=settings.ENV.api_url,
        public_url=settings.ENV.public_url,
        allowed_hosts=tuple(settings.ALLOWED_HOSTS),
        trusted_proxies=settings.ENV.trusted_proxies,
        max_upload_bytes=settings.ENV.max_upload_bytes,
        session_cookie=settings.SESSION_COOKIE_NAME,
        frontend_keys=settings.ENV.frontend_keys,
    ),
)
