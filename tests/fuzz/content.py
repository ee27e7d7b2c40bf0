"""Content for the fuzzer: the sample project with its jobs, a failed job, users of each role."""

import secrets
from dataclasses import dataclass

import httpx

from mimir.dev.demo import run_demo
from mimir.dev.paths import Places
from mimir.lib import sample
from tests.support.stack import Stack

ROLES = ("viewer", "maintainer", "superuser")


@dataclass(frozen=True)
class Account:
    """The credentials of one role.

    `token` is an API token, which survives when all sessions of its user are ended.
    `token_of_second` is the session of a second user, which survives when that user's API tokens
    are deleted.
    """

    role: str
    token: str
    token_of_second: str


@dataclass(frozen=True)
class Content:
    """The accounts, and ids for the path parameters."""

    accounts: tuple[Account, ...]
    job_ids: tuple[str, ...]


def prepare(stack: Stack) -> Content:
    """Fill an installation. Raises: httpx.HTTPStatusError, AssertionError."""
    assert run_demo(Places(stack.var), submit=True, say=lambda _line: None), (
        "the jobs of the sample failed"
    )
    failed = stack.submit("exit 3", project=sample.PROJECT, max_attempts=1)
    stack.end_of(failed)
    users = {role: f"fuzz-{role}" for role in ROLES}
    accounts = []
    for role, username in users.items():
        session, second = (_session(stack, role, name) for name in (username, f"{username}-2"))
        with stack.client_for(session) as person:
            token = _sent(person, "POST", "/api/v1/tokens/", json={"name": "fuzz"}).json()["token"]
        accounts.append(Account(role, token, second))
    project = f"/api/v1/projects/{sample.PROJECT}/"
    for role in ("viewer", "maintainer"):
        _sent(
            stack.client, "POST", f"{project}members/", json={"username": users[role], "role": role}
        )
    # The last maintainer cannot give up the role, which preserves the access of the run.
    _sent(stack.client, "DELETE", f"{project}members/{stack.described['username']}/")
    listed = _sent(stack.client, "GET", f"{project}jobs/").json()["results"]
    return Content(tuple(accounts), tuple(job["id"] for job in listed))


def _session(stack: Stack, role: str, username: str) -> str:
    """Return the token of a new user's session."""
    created = _sent(
        stack.client,
        "POST",
        "/api/v1/users/",
        json={"username": username, "is_superuser": role == "superuser"},
    ).json()
    password = secrets.token_urlsafe(18)
    link = {name: created["password_link"][name] for name in ("uid", "token")}
    with stack.client_for(None) as stranger:
        _sent(stranger, "POST", "/api/v1/password-link/", json={**link, "new_password": password})
        signed_in = _sent(
            stranger, "POST", "/api/v1/session/", json={"username": username, "password": password}
        )
    return str(signed_in.json()["token"])


def _sent(client: httpx.Client, method: str, path: str, **body: object) -> httpx.Response:
    return client.request(method, path, **body).raise_for_status()  # type: ignore[arg-type]
