"""WebSocket routes. An unknown path is closed with 4404, like one without access."""

from typing import Any

from channels.routing import URLRouter
from django.urls import path, re_path

from jobs.live.consumers import Follower
from jobs.live.job import JobFollower
from jobs.live.project import ProjectFollower
from mimir.lib.errors import NotFound


class UnknownPath(Follower):
    """Consumer of unknown paths."""

    async def open(self) -> None:
        raise NotFound()


_routes: list[Any] = [
    path("ws/jobs/<str:job_id>/", JobFollower.as_asgi()),
    path("ws/projects/<str:slug>/", ProjectFollower.as_asgi()),
    re_path(r"^.*$", UnknownPath.as_asgi()),
]
websocket_routes = _routes
websocket_application = URLRouter(_routes)
