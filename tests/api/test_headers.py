"""Headers of every response of the orchestrator.

Private responses are not cached, and pages run only our own scripts.
"""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from projects.tokens.write import session_create
from tests.support import make

pytestmark = pytest.mark.django_db
INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)[^>]*>(?!\s*</script>)|<style\b|\son[a-z]+\s*=\s*[\"']|\sstyle\s*=\s*[\"']|javascript:",
    re.IGNORECASE,
)


@pytest.fixture
def boss() -> User:
    return make.user("boss", is_staff=True, is_superuser=True)


def _ask(user: User | None, path: str) -> Any:
    headers = {"Authorization": f"Bearer {session_create(user=user).token}"} if user else {}
    return Client(raise_request_exception=False).get(path, headers=headers)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/session/",
        "/api/v1/projects/",
        "/api/v1/projects/nothing/",
        "/api/v1/nowhere/",
        "/api/schema/",
        "/api/docs/",
    ],
)
@pytest.mark.parametrize("signed_in", [True, False])
def test_no_answer_of_the_api_is_kept_or_shared(boss: User, path: str, signed_in: bool) -> None:
    answer = _ask(boss if signed_in else None, path)
    assert "no-store" in answer["Cache-Control"]
    assert {"Cookie", "Authorization"} <= {part.strip() for part in answer["Vary"].split(",")}
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_the_documentation_and_the_admin_need_no_inline_script_or_style(boss: User) -> None:
    make.job(make.project(owner=boss))
    client = Client()
    client.force_login(boss, backend="projects.users.backends.PasswordBackend")
    index = client.get("/admin/").content.decode()
    pages = [
        "/admin/login/",
        "/admin/",
        "/admin/password_change/",
        "/admin/auth/user/add/",
        f"/admin/auth/user/{boss.pk}/password/",
    ]
    for listed in sorted(set(re.findall(r'href="(/admin/\w+/\w+/)"', index))):
        pages.append(listed)
        change = re.search(rf'href="({listed}[^"?]+/change/)', client.get(listed).content.decode())
        pages += [change[1]] if change else []
    assert len(pages) > 15
    answers = {path: client.get(path) for path in pages} | {
        "/api/docs/": _ask(boss, "/api/docs/"),
        "script": _ask(boss, "/api/docs/?script="),
    }
    for path, answer in answers.items():
        assert answer.status_code in (200, 302), path
        policy = answer["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "no-store" in answer["Cache-Control"], path
        if path != "script":
            assert "script-src 'self'" in policy, path
            assert INLINE.findall(answer.content.decode()) == [], path
