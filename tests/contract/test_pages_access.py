"""Access table of the frontend's pages: every route and method. A route without a rule fails."""

import html
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psutil
import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from tests.contract.conftest import Api, Person
from tests.frontend.process import session_cookie
from tests.frontend.shelf import regression
from tests.support.modelrows import write_versions
from tests.support.stack import Stack

AsUser = Callable[[str | None], Api]
PUBLIC, SIGNED, VIEWER, OPERATOR, MAINTAINER = (
    "public",
    "signed",
    "viewer",
    "operator",
    "maintainer",
)
ADMINISTRATOR = "administrator"  # none of PEOPLE is a site administrator
# an empty form, which needs nothing from the API: the cookie opens it, the API has its say when it
# is sent
FORM = "form"
RANK = {"viewer": 1, "operator": 2, "maintainer": 3}
LINK = "link"  # anyone with the link; the link in this table is invalid
EVERYWHERE = "everywhere"  # signs the person out
OUT = ("nobody", "expired", "worker")
PEOPLE = (*OUT, "stranger", "viewer", "operator", "maintainer")
_DEFINITION = '{"steps": [{"id": "say", "uses": "command", "with": {"argv": ["true"]}}]}'

_TWIN = (
    '{"types": [{"name": "number", "key": {"name": "n"}, "properties": [{"name": "word", "type": '
    '"string"}]}]}'
)
QUERIES = {
    "projects/<str:slug>/twins/<str:name>/entity/": "?type=number&key=1"
}  # query of a page's URL

RULES: dict[tuple[str, str], tuple[str, dict[str, str] | None]] = {
    ("admin", "GET"): (PUBLIC, None),
    ("", "GET"): (PUBLIC, None),
    ("signin/", "GET"): (PUBLIC, None),
    ("session/", "GET"): (PUBLIC, None),
    ("signout/", "POST"): (PUBLIC, {}),
    ("password/<str:uid>/<str:token>/", "GET"): (LINK, None),
    ("password/<str:uid>/<str:token>/", "POST"): (
        LINK,
        {"new_password": "another-long-one", "repeated": "another-long-one"},
    ),
    ("account/", "GET"): (SIGNED, None),
    ("account/", "POST"): (
        SIGNED,
        {
            "current_password": "wrong",
            "new_password": "another-long-one",
            "repeated": "another-long-one",
        },
    ),
    ("account/sessions/<uuid:session_id>/end/", "POST"): (SIGNED, {}),
    ("account/sessions/end/", "POST"): (EVERYWHERE, {}),
    ("tokens/", "GET"): (SIGNED, None),
    ("tokens/", "POST"): (SIGNED, {"name": "made by a form", "days": "1"}),
    ("tokens/<uuid:token_id>/delete/", "POST"): (SIGNED, {}),
    ("projects/", "GET"): (SIGNED, None),
    ("projects/new/", "GET"): (FORM, None),
    ("projects/new/", "POST"): (SIGNED, {"slug": "contract", "name": "Taken"}),
    ("projects/<str:slug>/", "GET"): (VIEWER, None),
    ("projects/<str:slug>/sample/", "POST"): (MAINTAINER, {}),
    ("projects/<str:slug>/members/", "GET"): (VIEWER, None),
    ("projects/<str:slug>/members/", "POST"): (
        MAINTAINER,
        {"username": "viewer", "role": "viewer"},
    ),
    ("projects/<str:slug>/settings/", "GET"): (VIEWER, None),
    ("projects/<str:slug>/settings/", "POST"): (
        MAINTAINER,
        {"name": "Contract", "description": ""},
    ),
    ("projects/<str:slug>/jobs/", "GET"): (VIEWER, None),
    ("projects/<str:slug>/jobs/compare/", "GET"): (VIEWER, None),
    ("projects/<str:slug>/jobs/new/", "GET"): (VIEWER, None),
    ("projects/<str:slug>/jobs/new/", "POST"): (OPERATOR, {"parameters.pipeline": "echo"}),
    ("projects/<str:slug>/datasets/", "GET"): (VIEWER, None),
    ("projects/<str:slug>/datasets/<str:name>/", "GET"): (VIEWER, None),
    ("projects/<str:slug>/datasets/<str:name>/", "POST"): (MAINTAINER, {"make_current": "1"}),
    ("projects/<str:slug>/datasets/import/<uuid:upload_id>/", "GET"): (MAINTAINER, None),
    ("projects/<str:slug>/datasets/import/<uuid:upload_id>/", "POST"): (
        MAINTAINER,
        {"then": "show"},
    ),
    ("projects/<str:slug>/models/", "GET"): (VIEWER, None),
    ("projects/<str:slug>/models/<str:name>/", "GET"): (VIEWER, None),
    ("projects/<str:slug>/models/<str:name>/compare/", "GET"): (VIEWER, None),
    ("projects/<str:slug>/pipelines/", "GET"): (VIEWER, None),
    ("projects/<str:slug>/pipelines/new/", "GET"): (VIEWER, None),
    ("projects/<str:slug>/pipelines/new/", "POST"): (
        MAINTAINER,
        {"name": "formed", "definition": _DEFINITION},
    ),
    ("projects/<str:slug>/pipelines/<str:name>/", "GET"): (VIEWER, None),
    ("projects/<str:slug>/twins/", "GET"): (VIEWER, None),
    ("projects/<str:slug>/twins/new/", "GET"): (VIEWER, None),
    ("projects/<str:slug>/twins/new/", "POST"): (
        MAINTAINER,
        {"name": "formed", "definition": _TWIN},
    ),
    ("projects/<str:slug>/twins/<str:name>/", "GET"): (VIEWER, None),
    ("projects/<str:slug>/twins/<str:name>/definition/", "GET"): (VIEWER, None),
    ("projects/<str:slug>/twins/<str:name>/definition/", "POST"): (
        MAINTAINER,
        {"definition": _TWIN},
    ),
    ("projects/<str:slug>/twins/<str:name>/entity/", "GET"): (VIEWER, None),
    ("projects/<str:slug>/twins/<str:name>/entity/", "POST"): (OPERATOR, {"v-word": "uno"}),
    ("projects/<str:slug>/twins/<str:name>/revisions/", "GET"): (VIEWER, None),
    ("projects/<str:slug>/twins/<str:name>/revisions/<int:number>/", "GET"): (VIEWER, None),
    ("system/", "GET"): (ADMINISTRATOR, None),
    ("system/clusters/", "GET"): (ADMINISTRATOR, None),
    ("system/clusters/new/", "GET"): (ADMINISTRATOR, None),
    ("system/clusters/new/", "POST"): (ADMINISTRATOR, {"name": "eu-1", "jobs": "1"}),
    ("system/clusters/<str:name>/", "GET"): (ADMINISTRATOR, None),
    ("system/clusters/<str:name>/", "POST"): (ADMINISTRATOR, {"then": "off"}),
    ("system/users/", "GET"): (ADMINISTRATOR, None),
    ("system/users/", "POST"): (ADMINISTRATOR, {"username": "made-by-a-form"}),
    ("jobs/<uuid:job_id>/", "GET"): (VIEWER, None),
    ("jobs/<uuid:job_id>/files/<str:name>/", "GET"): (VIEWER, None),
    ("jobs/<uuid:job_id>/files/<str:name>/raw/", "GET"): (VIEWER, None),
    ("jobs/<uuid:job_id>/dismiss/", "POST"): (VIEWER, {}),
    ("jobs/<uuid:job_id>/cancel/", "POST"): (OPERATOR, {}),
    ("jobs/<uuid:job_id>/retry/", "POST"): (OPERATOR, {}),
}


def _routes(patterns: Any = None, prefix: str = "") -> Iterator[str]:
    for pattern in (
        get_resolver("mimir.urls_frontend").url_patterns if patterns is None else patterns
    ):
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, prefix + str(pattern.pattern))
        elif isinstance(pattern, URLPattern):
            yield prefix + str(pattern.pattern)


def test_every_page_has_a_rule_and_every_rule_a_page() -> None:
    assert set(_routes()) == {route for route, _ in RULES}


class Visitor:
    """Client with the cookies of a browser."""

    def __init__(self, stack: Stack, session: str) -> None:
        self._client = stack.client_for(None)
        form = self._client.get("/signin/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)
        assert token
        self._token = token[1]
        self._cookie = f"mimir_csrf={form.cookies['mimir_csrf']}" + (
            f"; mimir_session={session}" if session else ""
        )
        self._client.cookies.clear()
        self._client.headers["Cookie"] = self._cookie
        self.origin = stack.described["frontend_url"]

    def get(self, path: str) -> httpx.Response:
        """Open a page."""
        return self._asked("GET", path)

    def send(self, path: str, form: dict[str, str]) -> httpx.Response:
        """Send a form as one of our pages does."""
        return self._asked(
            "POST",
            path,
            data={**form, "csrfmiddlewaretoken": self._token},
            headers={"Origin": self.origin},
        )

    def post(self, path: str, **arguments: Any) -> httpx.Response:
        """Send a request that no page of ours sends."""
        return self._asked("POST", path, **arguments)

    def _asked(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        answer = self._client.request(method, path, **arguments)
        self._client.cookies.clear()  # each request uses the original cookies
        return answer


@pytest.fixture(scope="module", autouse=True)
def _forecast(stack: Stack, project: str) -> None:
    """Create a model for the pages."""
    write_versions(
        stack,
        project=project,
        name="forecast",
        dataset="numbers",
        versions=[regression(1), regression(2)],
    )


@pytest.fixture(scope="module")
def visitors(
    stack: Stack, api: Api, people: dict[str, Person], as_user: AsUser
) -> dict[str, Visitor]:
    """Return a client for each kind of user.

    All except `nobody` have a session cookie as signed by the frontend.
    """
    key = psutil.Process(stack.pids("frontend")[0]).environ()["SECRET_KEY"]
    ended = api.post("tokens/", {"name": "ended"})
    assert api("DELETE", f"tokens/{ended['id']}/").status_code == 204
    # Tokens that survive signing out, because the people are used again.
    tokens = {
        name: as_user(person.token).post("tokens/", {"name": "visitor"})["token"]
        for name, person in people.items()
    }
    tokens |= {"expired": ended["token"], "worker": "f" * 64}
    return {
        name: Visitor(stack, session_cookie(tokens[name], key=key) if name in tokens else "")
        for name in PEOPLE
    }


@pytest.fixture(scope="module")
def staged(project: str, people: dict[str, Person], as_user: AsUser) -> str:
    """Return the id of a file that the maintainer has uploaded but not imported."""
    created = as_user(people["maintainer"].token)(
        "POST", f"projects/{project}/uploads/", files={"file": ("a.csv", b"a\n1\n")}
    )
    assert created.status_code == 201, created.text
    return str(created.json()["id"])


def _path(route: str, ran: dict[str, Any], staged: str) -> str:
    name = (
        "echo"
        if "pipelines" in route
        else "forecast"
        if "models" in route
        else "made.txt"
        if "files" in route
        else "numbers"
    )
    values = {f"<uuid:{part}_id>": ran["id"] for part in ("job", "token", "session")}
    values |= {"<str:slug>": "contract", "<str:name>": name, "<uuid:upload_id>": staged}
    path = f"/{route}"
    for part, value in {**values, "<int:number>": "1"}.items():
        path = path.replace(part, value)
    return path + QUERIES.get(route, "")


@pytest.mark.parametrize(("route", "method"), sorted(RULES))
def test_access_to_a_page(
    visitors: dict[str, Visitor], ran: dict[str, Any], staged: str, route: str, method: str
) -> None:
    need, form = RULES[route, method]
    for person, visitor in visitors.items():
        if need == EVERYWHERE and person not in OUT:
            continue  # it would end the sessions of the people; test_account.py tests it
        path = _path(route, ran, staged)
        answer = visitor.get(path) if method == "GET" else visitor.send(path, form or {})
        expected = (
            f"{person} got {answer.status_code} {answer.headers.get('Location', '')}, the rule is "
            f"{need}"
        )
        out = answer.status_code == 302 and answer.headers["Location"].startswith("/signin/")
        # the sign-in page keeps a posted form
        out = out or (answer.status_code == 401 and 'action="/signin/"' in answer.text)
        if need == PUBLIC:
            assert answer.status_code < 400, expected
        elif need == LINK:
            assert (answer.status_code, "This link is not valid" in answer.text) == (400, True), (
                expected
            )
        elif need == FORM:
            assert out if person == "nobody" else answer.status_code == 200, expected
        elif person in OUT:
            assert out, expected
        elif need == SIGNED:
            assert not out, expected
            assert answer.status_code in (200, 302, 400, 404, 409), expected
        elif need == ADMINISTRATOR:
            assert answer.status_code == 403, expected
        elif person == "stranger":
            assert answer.status_code == 404, expected
        elif RANK[person] < RANK[need]:
            assert answer.status_code == 403, expected
        else:
            assert not out, expected
            # text files are not sent to a frame
            assert answer.status_code in (
                (404,) if route.endswith("raw/") else (200, 302, 400, 409)
            ), expected


@pytest.mark.parametrize(
    "path",
    [
        "/projects/new/",
        "/jobs/00000000-0000-7000-8000-000000000000/cancel/",
        "/signout/",
        "/tokens/",
    ],
)
def test_a_form_of_another_site_is_refused(visitors: dict[str, Visitor], path: str) -> None:
    for headers in ({"Origin": "https://evil.example"}, {}):
        assert (
            visitors["maintainer"].post(path, data={"name": "x"}, headers=headers).status_code
            == 403
        )


@pytest.mark.parametrize("prefix", ["/api/v1/projects/", "/api/v1/projects/contract/jobs/"])
def test_a_cookie_reads_the_api_and_writes_only_from_our_own_pages(
    visitors: dict[str, Visitor], prefix: str
) -> None:
    member = visitors["operator"]
    assert member.get(prefix).status_code == 200
    for headers in ({"Origin": "https://evil.example"}, {"Origin": member.origin}, {}):
        answer = member.post(prefix, json={}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed"), headers
    for person in ("expired", "worker"):
        assert visitors[person].get(prefix).status_code == 401
    assert visitors["nobody"].get(prefix).status_code == 401


def test_members_are_added_changed_and_removed_by_the_forms_of_their_page(
    visitors: dict[str, Visitor], people: dict[str, Person]
) -> None:
    maintainer, page = visitors["maintainer"], "/projects/by-form/members/"
    assert (
        maintainer.send("/projects/new/", {"slug": "by-form", "name": "By form"}).status_code == 302
    )
    name, last = people["stranger"].username, people["maintainer"].username
    for form, status, expected in (
        ({"username": name, "role": "viewer"}, 302, ""),
        ({"username": name, "role": "operator"}, 400, "is already a member, with the role viewer"),
        ({"username": name, "role": "operator", "change": "1"}, 302, ""),
        ({"username": "no-such-user", "role": "viewer"}, 400, "There is no user no-such-user"),
        ({"username": last, "role": "viewer", "change": "1"}, 400, "maintainer"),
        ({"username": last, "remove": "1"}, 400, "maintainer"),
    ):
        answer = maintainer.send(page, form)
        assert (answer.status_code, expected in answer.text) == (status, True), form
    assert "role: operator" in visitors["stranger"].get("/projects/").text
    assert maintainer.send(page, {"username": name, "remove": "1"}).headers["Location"] == page
    assert visitors["stranger"].get(page).status_code == 404


def test_a_cluster_is_added_changed_disabled_and_removed_by_forms(stack: Stack, api: Api) -> None:
    key = psutil.Process(stack.pids("frontend")[0]).environ()["SECRET_KEY"]
    boss = Visitor(stack, session_cookie(api.post("tokens/", {"name": "boss"})["token"], key=key))
    form = {
        "name": "by-form",
        "region": "eu",
        "jobs": "5",
        "memory": "64Gi",
        "node_selector": "pool=jobs\r\ndisk=fast",
        "model_cache": "empty_dir",
    }
    new, page = "/system/clusters/new/", "/system/clusters/by-form/"
    bad = boss.send(
        new, {**form, "name": "By form", "jobs": "many", "tolerations": '{"key": "a b"}'}
    )
    assert (bad.status_code, "Enter a whole number, for example 8." in bad.text) == (400, True)
    for wrong, expected in (
        ({"name": "By form"}, "Must be 1 to 63 lower-case letters"),
        ({"tolerations": '{"key": "a b"}'}, "Number 1: key must be a label"),
    ):
        bad = boss.send(new, {**form, **wrong})
        assert (bad.status_code, expected in bad.text) == (400, True), expected
    assert boss.send(new, form).headers["Location"] == page
    etag = re.search(r'name="etag" value="([^"]+)"', boss.get(page).text)
    assert etag
    assert boss.send(page, {"then": "off"}).headers["Location"] == page
    assert "Disabled" in boss.get(page).text
    late = boss.send(page, {**form, "region": "us", "etag": html.unescape(etag[1])})
    assert (late.status_code, "Someone changed the cluster" in late.text) == (400, True)
    etag = re.search(r'name="etag" value="([^"]+)"', late.text)
    assert etag
    assert (
        boss.send(page, {**form, "region": "us", "etag": html.unescape(etag[1])}).status_code == 302
    )
    row = api.get("clusters/by-form/")
    assert (row["region"], row["enabled"], row["node_selector"]) == (
        "us",
        False,
        {"pool": "jobs", "disk": "fast"},
    )
    assert row["capacity"] == {"jobs": 5, "cpu": None, "memory": "64Gi", "gpu": 0}
    assert boss.send(page, {"then": "remove"}).headers["Location"] == "/system/clusters/"
    assert boss.get(page).status_code == 404
    kept = boss.send("/system/clusters/local/", {"then": "remove"})
    assert (kept.status_code, "Disable it instead" in kept.text) == (400, True)
