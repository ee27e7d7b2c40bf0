"""Django's ASGI handler for both roles. It reads request bodies from `Body` objects."""

from typing import Any, cast

import django
from django.core.handlers.asgi import ASGIHandler

from mimir.lib.asgi import Application
from mimir.lib.bodies import Body


class Handler(ASGIHandler):
    """Django's handler without its copy of each body in the temporary folder."""

    async def read_body(self, receive: Any) -> Any:
        """Return the file that `request` reads: the `Body` itself if there is one."""
        return receive if isinstance(receive, Body) else await super().read_body(receive)


def django_application() -> Application:
    """Set up Django and return its ASGI application. Raises: BadEnvironment."""
    django.setup(set_prefix=False)
    return cast(Application, Handler())
