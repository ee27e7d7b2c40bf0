"""The page Account: password and sessions."""

import re
import uuid
from collections.abc import Iterator

import httpx
import pytest

from tests.contract.conftest import PASSWORD, Admin, Api
from tests.support.stack import Stack

NEW = "an-even-longer-password"


class Person:
    """Client of one user, with the pages as a browser gets them."""

    def __init__(self, stack: Stack, username: str) -> None:
        self.client = stack.client_for(None)
        self.client.headers.update(
            {"Origin": stack.described["frontend_url"], "User-Agent": f"Browser of {username}"}
        )
        self.username = username

    def send(self, path: str, page: str = "", **fields: str) -> httpx.Response:
        """Send a form of a page."""
        token = re.search(
            r'name="csrfmiddlewaretoken" value="([^"]+)"', self.client.get(page or path).text
        )
        return self.client.post(
            path, data={**fields, "csrfmiddlewaretoken": token[1] if token else ""}
        )

    def sign_in(self, password: str = PASSWORD) -> int:
        """Sign in and return the status."""
        return self.send("/signin/", username=self.username, password=password).status_code

    @property
    def is_signed_in(self) -> bool:
        return self.client.get("/projects/").status_code == 200


@pytest.fixture
def browsers(stack: Stack, admin: Admin) -> Iterator[tuple[Person, Person]]:
    """Sign in one new user in two browsers."""
    name = f"person-{uuid.uuid4().hex[:8]}"
    form = {
        "username": name,
        "password1": PASSWORD,
        "password2": PASSWORD,
        "usable_password": "true",
    }
    assert admin.form("/admin/auth/user/add/", form).status_code == 302
    here, there = Person(stack, name), Person(stack, name)
    assert (here.sign_in(), there.sign_in()) == (302, 302)
    yield here, there
    for each in (here, there):
        each.client.close()


def test_a_changed_password_signs_out_elsewhere_and_not_here(
    browsers: tuple[Person, Person],
) -> None:
    here, there = browsers
    fields = {
        "current_password": PASSWORD,
        "new_password": NEW,
        "repeated": NEW,
        "end_tokens": "on",
    }
    answer = here.send("/account/", **fields)
    assert answer.status_code == 200
    assert "Password changed" in answer.text
    assert NEW not in answer.text
    assert here.is_signed_in
    assert not there.is_signed_in
    assert there.sign_in(PASSWORD) == 401
    assert there.sign_in(NEW) == 302


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"current_password": "wrong-password", "new_password": NEW, "repeated": NEW}, "wrong"),
        ({"current_password": PASSWORD, "new_password": NEW, "repeated": "other"}, "differ"),
        (
            {"current_password": PASSWORD, "new_password": "short", "repeated": "short"},
            "12 characters",
        ),
        ({"current_password": "", "new_password": "", "repeated": ""}, "current password"),
    ],
)
def test_errors_are_reported_and_no_password_is_returned(
    browsers: tuple[Person, Person], fields: dict[str, str], said: str
) -> None:
    here, there = browsers
    answer = here.send("/account/", **fields)
    assert answer.status_code == 400
    assert said in answer.text
    assert not [value for value in fields.values() if value and f'value="{value}"' in answer.text]
    assert there.is_signed_in


def test_sessions_are_listed_and_ended(browsers: tuple[Person, Person]) -> None:
    here, there = browsers
    page = here.client.get("/account/").text
    assert page.count(f"Browser of {here.username}") == 2
    [ending] = re.findall(r'action="(/account/sessions/[0-9a-f-]{36}/end/)"', page)
    assert here.send(ending, "/account/").headers["Location"] == "/account/"
    assert here.is_signed_in
    assert not there.is_signed_in


def test_signing_out_everywhere(browsers: tuple[Person, Person]) -> None:
    here, there = browsers
    assert here.send("/account/sessions/end/", "/account/").headers["Location"] == "/signin/"
    assert not here.is_signed_in
    assert not there.is_signed_in


def test_a_password_form_of_an_ended_session_keeps_no_password(
    browsers: tuple[Person, Person],
) -> None:
    """Late forms are offered again after a sign-in, except this one's fields."""
    here, _there = browsers
    token = re.search(
        r'name="csrfmiddlewaretoken" value="([^"]+)"', here.client.get("/account/").text
    )
    assert token
    here.client.cookies.delete("mimir_session")
    fields = {
        "current_password": PASSWORD,
        "new_password": NEW,
        "repeated": NEW,
        "csrfmiddlewaretoken": token[1],
    }
    answer = here.client.post("/account/", data=fields)
    assert PASSWORD not in answer.text
    assert NEW not in answer.text


def test_a_one_time_link_sets_a_password_and_says_what_is_wrong(stack: Stack, api: Api) -> None:
    name = f"person-{uuid.uuid4().hex[:8]}"
    link = api.post("users/", {"username": name})["password_link"]["path"]
    person = Person(stack, name)
    for fields, said in (
        ({"new_password": "", "repeated": ""}, "Enter a new password"),
        ({"new_password": NEW, "repeated": "other"}, "differ"),
        ({"new_password": "short", "repeated": "short"}, "12 characters"),
        ({"new_password": f"{name}-1", "repeated": f"{name}-1"}, "too similar to the username"),
    ):
        answer = person.send(link, **fields)
        assert (answer.status_code, said in answer.text) == (400, True), fields
        assert not [
            value for value in fields.values() if value and f'value="{value}"' in answer.text
        ]
    assert "Your password is set" in person.send(link, new_password=NEW, repeated=NEW).text
    assert "This link is not valid" in person.client.get(link).text
    assert person.sign_in(NEW) == 302


def test_the_users_page_says_why_an_action_is_refused(stack: Stack, api: Api) -> None:
    boss = Person(stack, stack.described["username"])
    assert boss.sign_in(stack.described["password"]) == 302
    page = "/system/users/"
    for fields, said in (
        ({"username": boss.username, "then": "demote"}, "is the last active administrator"),
        (
            {"username": boss.username, "then": "deactivate"},
            "You cannot deactivate your own account",
        ),
        ({"username": "no-such-user", "then": "link"}, "There is no user no-such-user"),
        ({"username": boss.username, "then": "delete"}, "Unknown action"),
        ({"username": "bad name"}, "1 to 150 letters"),
        ({"username": boss.username.upper()}, "Already exists"),
        ({"username": ""}, "Enter a user name"),
    ):
        answer = boss.send(page, **fields)
        assert (answer.status_code, said in answer.text) == (400, True), (
            fields,
            answer.text[:3000],
        )
    shown = boss.send(page, username=boss.username, then="link")
    assert (shown.status_code, "New password link for" in shown.text) == (200, True)
