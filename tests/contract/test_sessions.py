"""Sign-in, tokens, and the OpenAPI document."""

import datetime as dt
from collections.abc import Callable

from tests.contract.conftest import PASSWORD, Admin, Api
from tests.contract.document import Document
from tests.support.stack import Stack

AsUser = Callable[[str | None], Api]


def test_a_session_is_a_token_that_works_until_it_is_deleted(
    stack: Stack, api: Api, as_user: AsUser
) -> None:
    created = api.post(
        "session/",
        {"username": stack.described["username"], "password": stack.described["password"]},
    )
    assert sorted(created) == ["expires_at", "token"]
    assert dt.datetime.fromisoformat(created["expires_at"]) > dt.datetime.now(dt.UTC)
    me = as_user(created["token"])
    assert me.get("session/")["username"] == stack.described["username"]
    assert me("DELETE", "session/").status_code == 204
    assert me.refused("GET", "session/", 401)["code"] == "not_authenticated"
    assert me.refused("DELETE", "session/", 401)["code"] == "not_authenticated"


def test_an_api_token_cannot_be_signed_out(api: Api) -> None:
    assert api.refused("DELETE", "session/", 409)["code"] == "not_a_session"
    assert api.get("session/")["username"] == "admin"


def test_a_wrong_password_is_401_and_says_nothing_of_the_user(
    stack: Stack, as_user: AsUser
) -> None:
    nobody = as_user(None)
    known = {"username": stack.described["username"], "password": "wrong-password"}
    wrong = nobody.refused("POST", "session/", 401, json=known)
    unknown = nobody.refused(
        "POST", "session/", 401, json={"username": "nobody-here", "password": "wrong-password"}
    )
    assert wrong == unknown
    nobody.refused("POST", "session/", 400, "username", "password", json={})


def test_signing_in_works_with_an_old_token_in_the_header(stack: Stack, as_user: AsUser) -> None:
    old = as_user("mimir_session_that_was_never_given")
    assert old.post(
        "session/",
        {"username": stack.described["username"], "password": stack.described["password"]},
    )["token"]


def test_too_many_wrong_passwords_are_429_with_a_time_to_wait(
    as_user: AsUser, admin: Admin
) -> None:
    form = {
        "username": "forgetful",
        "password1": PASSWORD,
        "password2": PASSWORD,
        "usable_password": "true",
    }
    assert admin.form("/admin/auth/user/add/", form).status_code == 302
    nobody = as_user(None)
    answers = [
        nobody("POST", "session/", json={"username": "forgetful", "password": f"wrong-{number}"})
        for number in range(12)
    ]
    assert [answer.status_code for answer in answers[:9]] == [401] * 9
    assert answers[-1].status_code == 429
    assert answers[-1].json()["code"] == "locked"
    assert int(answers[-1].headers["Retry-After"]) > 0
    # During the lockout the right password fails too, and other users are not locked out.
    nobody.refused("POST", "session/", 429, json={"username": "forgetful", "password": PASSWORD})
    nobody.refused(
        "POST", "session/", 401, json={"username": "somebody-else", "password": "wrong-password"}
    )


def test_an_api_token_is_shown_once_and_works_until_it_is_deleted(
    api: Api, as_user: AsUser
) -> None:
    ends_at = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat()
    created = api.post("tokens/", {"name": "a program", "expires_at": ends_at})
    program = as_user(created["token"])
    assert program.get("session/")["username"]
    [listed] = [row for row in api.every("tokens/") if row["id"] == created["id"]]
    assert sorted(listed) == ["created_at", "expires_at", "hint", "id", "last_used_at", "name"]
    assert created["token"].endswith(listed["hint"])
    assert listed["last_used_at"] is not None
    assert api("DELETE", f"tokens/{created['id']}/").status_code == 204
    program.refused("GET", "session/", 401)
    api.refused("DELETE", f"tokens/{created['id']}/", 404)


def test_a_token_needs_a_name_and_a_future(api: Api) -> None:
    api.refused("POST", "tokens/", 400, "name", json={"name": " "})
    api.refused(
        "POST",
        "tokens/",
        400,
        "expires_at",
        json={"name": "t", "expires_at": "2001-01-01T00:00:00Z"},
    )
    api.refused("POST", "tokens/", 400, "expires_at", json={"name": "t", "expires_at": "soon"})


def test_a_token_created_with_a_token_does_not_outlive_it(api: Api, as_user: AsUser) -> None:
    now = dt.datetime.now(dt.UTC)
    parent = as_user(
        api.post(
            "tokens/", {"name": "parent", "expires_at": (now + dt.timedelta(hours=1)).isoformat()}
        )["token"]
    )
    child = parent.post("tokens/", {"name": "child"})
    assert dt.datetime.fromisoformat(child["expires_at"]) <= now + dt.timedelta(hours=1)
    parent.refused(
        "POST",
        "tokens/",
        400,
        "expires_at",
        json={"name": "t", "expires_at": (now + dt.timedelta(hours=2)).isoformat()},
    )


NO_ID = "00000000-0000-7000-8000-000000000000"
VALUES = {
    "job_id": NO_ID,
    "other_id": NO_ID,
    "token_id": NO_ID,
    "session_id": NO_ID,
    "upload_id": NO_ID,
    "slug": "contract",
    "name": "numbers",
    "number": "1",
    "username": "viewer",
    "type": "number",
    "key": "1",
}


def test_nobody_gets_401_from_every_operation_but_the_sign_in(
    as_user: AsUser, document: Document
) -> None:
    nobody, bad = as_user(None), as_user("mimir_session_nonsense")
    public = ("session_create", "password_link_use")
    responses = [
        operation
        for operation in document.operations
        if operation.template.startswith("/api/v1/") and operation.name not in public
    ]
    assert len(responses) > 35
    for operation in responses:
        path = operation.template.format(**VALUES)
        for client in (nobody, bad):
            error = client.refused(operation.method, path, 401)
            assert error["code"] == "not_authenticated", operation.name


def test_the_document_and_its_page_are_for_signed_in_users(api: Api, as_user: AsUser) -> None:
    nobody, client = as_user(None).client, api.client
    assert nobody.get("/api/schema/").status_code == 401
    assert nobody.get("/api/docs/").headers["Location"] == "/signin/?next=%2Fapi%2Fdocs%2F"
    assert client.get("/api/schema/").status_code == 200
    docs = client.get("/api/docs/")
    assert docs.status_code == 200
    assert "swagger" in docs.text.lower()


def test_the_worker_api_the_metrics_and_odd_spellings_are_not_forwarded(api: Api) -> None:
    """The frontend does not forward such paths for anyone, whatever the token."""
    for path in (
        "/worker/v1/attempts/x/claim",
        "/metrics",
        "/api/..%2fworker/v1/attempts/x/claim",
        "/api/%2e%2e/metrics",
        "/api//v1/projects/",
    ):
        assert api.client.post(path).status_code in (403, 404), path
        assert api.client.get(path).status_code == 404, path
