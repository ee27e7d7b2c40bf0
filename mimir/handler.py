"""Django's ASGI handler for both roles: each request is one call on one thread.

It reads request bodies from `Body` objects. Django's own handler runs a synchronous middleware
chain in a new thread for each request, and passes the request back to the event loop and to the
thread again for the view, for each view hook, for rendering and for closing.
"""

import asyncio
import contextlib
from functools import partial
from typing import Any, cast

import django
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.db import close_old_connections
from django.http import FileResponse
from django.urls import set_script_prefix

from mimir.lib.asgi import Application, Scope
from mimir.lib.bodies import Body
from mimir.lib.request_threads import RequestThreads


class Handler(ASGIHandler):
    """Django's handler on reused threads, without its copy of each body in the temporary folder.

    A streaming response ends when its client disconnects. All other requests run to their end.
    """

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)
        self._threads = RequestThreads()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Respond to one request."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        response = await self._threads.run(partial(self._respond, scope, body))
        if response.streaming:
            await self._stream(response, receive, send)
        else:
            await self.send_response(response, send)

    async def read_body(self, receive: Any) -> Any:
        """Return the file that `request` reads: the `Body` itself if there is one."""
        return receive if isinstance(receive, Body) else await super().read_body(receive)

    def _respond(self, scope: Scope, body: Any) -> Any:
        """Return the response, closed unless it is streaming. Runs on the thread of the request.

        The thread returns its database connection to the pool in both cases.
        """
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        request, refusal = self.create_request(scope, body)
        response: Any = refusal if request is None else self.get_response(request)
        response._handler_class = self.__class__
        if isinstance(response, FileResponse):
            response.block_size = self.chunk_size
        if response.streaming:
            close_old_connections()
        else:
            response.close()
            body.close()
        return response

    async def _stream(self, response: Any, receive: Any, send: Any) -> None:
        """Send a streaming response until it ends or its client disconnects."""
        async with ThreadSensitiveContext():  # for an iterator that is not asynchronous
            sending = asyncio.ensure_future(self.send_response(response, send))
            gone = asyncio.ensure_future(receive())
            try:
                await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
            finally:
                gone.cancel()
                sending.cancel()
                await asyncio.wait((sending, gone))
                await sync_to_async(response.close)()
        with contextlib.suppress(asyncio.CancelledError):
            sending.result()


def django_application() -> Application:
    """Set up Django and return its ASGI application. Raises: BadEnvironment."""
    django.setup(set_prefix=False)
    return cast(Application, Handler())
