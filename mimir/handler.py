"""Django's ASGI handler of both roles: it reads a request's body from the `Body` that the intake hands over."""

from typing import Any, cast

import django
from django.core.handlers.asgi import ASGIHandler

from mimir.lib.asgi import Application
from mimir.lib.bodies import Body


class Handler(ASGIHandler):
    """Django's handler without its own copy of each body in the temporary folder."""

    async def read_body(self, receive: Any) -> Any:
        """The file that `request` reads: the body itself where the intake made one."""
        return receive if isinstance(receive, Body) else await super().read_body(receive)


def django_application() -> Application:
    """Set Django up and return its application. Raises: BadEnvironment."""
    django.setup(set_prefix=False)
    return cast(Application, Handler())
