"""Access to the pages of the Django admin."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.api.access_rules import ADMIN, routes
from tests.api.access_world import World
from tests.support import make

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]


ADMIN_OPEN = {"admin/login/", "admin/logout/", "admin/jsi18n/"}


def _admin_paths(world: World) -> list[str]:
    """Return every path of the admin, with values for its variable parts."""
    admin_routes = [route for route, _view in routes() if route.startswith(ADMIN)]
    named = {
        "<path:object_id>": str(world.job.id),
        "<int:content_type_id>": "1",
        "<id>": "1",
        "<url>": "x",
        "<app_label>": "jobs",
    }
    paths = []
    for route in admin_routes:
        if "(?P" in route:  # the index of an application, and the catch-all of Django
            route = ADMIN + ("jobs/" if "app_label" in route else "no-such-page")
        for part, value in named.items():
            route = (
                route.replace(part, value)
                .replace(f"<path:{part[1:]}", value)
                .replace(f"<str:{part[1:]}", value)
            )
        paths.append("/" + route.replace("\\Z", ""))
    assert len(paths) > 60
    return paths


def test_the_admin_is_for_staff_alone(world: World) -> None:
    """Visitors, members and staff without permissions get only the sign-in page.

    A Bearer token gives no access either.
    """
    for path in _admin_paths(world):
        for person in ("nobody", "maintainer", "worker"):
            token = world.tokens.get(person)
            answer = Client().get(
                path, headers={"Authorization": f"Bearer {token}"} if token else {}
            )
            if path.removeprefix("/") not in ADMIN_OPEN:
                assert answer.status_code in (302, 404), (path, person)
                assert answer.status_code == 404 or answer["Location"].startswith(
                    "/admin/login/"
                ), (path, answer["Location"])
    client = Client()
    client.force_login(User.objects.get(username="maintainer"))
    assert client.get("/admin/jobs/job/").status_code == 302
    client.force_login(make.user("clerk", is_staff=True))
    for path in (
        "/admin/jobs/job/",
        f"/admin/jobs/job/{world.job.id}/change/",
        "/admin/jobs/limit/add/",
        "/admin/projects/accesstoken/",
    ):
        assert client.get(path).status_code == 403, path
    client.force_login(make.user("boss", is_staff=True, is_superuser=True))
    assert client.get("/admin/jobs/job/").status_code == 200
