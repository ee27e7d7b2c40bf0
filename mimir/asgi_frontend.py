"""ASGI application of the frontend: the streaming proxy in front of Django's pages.

`mimir.lib.forwarded` evaluates X-Forwarded-* with TRUSTED_PROXIES. Run uvicorn with
`--no-proxy-headers`: its own evaluation has no effect here.
"""

import os
import sys

from mimir.env import BadEnvironment, demand_frontend_keys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mimir.settings.frontend")

try:
    from django.conf import settings

    from mimir.handler import django_application

    pages = django_application()
    demand_frontend_keys(settings.ENV)
except BadEnvironment as error:
    sys.exit(str(error))

from mimir.frontend import readiness  # noqa: E402 - settings are checked above
from mimir.frontend.proxy.application import ProxySettings, in_front_of  # noqa: E402

readiness.register()
application = in_front_of(
    pages,
    ProxySettings(
        api_url=settings.ENV.api_url,
        public_url=settings.ENV.public_url,
        allowed_hosts=tuple(settings.ALLOWED_HOSTS),
        trusted_proxies=settings.ENV.trusted_proxies,
        max_upload_bytes=settings.ENV.max_upload_bytes,
        upload_spool_bytes=settings.ENV.upload_spool_bytes,
        requests_per_client=settings.ENV.requests_per_client,
        sockets_per_client=settings.ENV.sockets_per_client,
        session_cookie=settings.SESSION_COOKIE_NAME,
        frontend_keys=settings.ENV.frontend_keys,
        https_redirect=settings.ENV.https_redirect,
    ),
)
