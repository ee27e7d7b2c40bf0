"""One real installation for all contract tests, accessed only through the port of the frontend."""

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.contract.balancer import Balanced, balanced_site
from tests.contract.document import Document, document_of
from tests.support.stack import Stack, running

PASSWORD = "correct-horse-battery"
ROLES = ("viewer", "operator", "maintainer")
QUEUED_MAX = 12
TWIN = {
    "types": [
        {"name": "number", "key": {"name": "n"}, "properties": [{"name": "word", "type": "string"}]}
    ]
}
TERMINAL = ("succeeded", "failed", "cancelled")


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Installation with a small queue per project, to test a full queue."""
    yield from running(
        tmp_path_factory.mktemp("contract"),
        QUEUED_JOBS_PER_PROJECT=str(QUEUED_MAX),
        CAPACITY_JOBS="4",
        CANCEL_GRACE="2",
    )


@pytest.fixture(scope="package")
def document(stack: Stack) -> Document:
    return document_of(stack.client)


class Api:
    """API client that validates every response against the OpenAPI document."""

    def __init__(self, stack: Stack, document: Document, token: str | None) -> None:
        self.token = token
        self.client = stack.client_for(token)
        self._document = document

    def __call__(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        answer = self.client.request(
            method, path if path.startswith("/") else f"/api/v1/{path}", **arguments
        )
        self._document.judge(answer)
        return answer

    def get(self, path: str, **query: Any) -> Any:
        """Return the body of a GET request with status 200."""
        answer = self(
            "GET", path, params=query or None
        )  # an empty dict would replace the parameters that `next` needs
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(
        self, path: str, body: Any, status: int = 201, headers: dict[str, str] | None = None
    ) -> Any:
        """Return the body of a POST request with the expected status."""
        answer = self("POST", path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    def refused(
        self, method: str, path: str, status: int, *fields: str, **arguments: Any
    ) -> dict[str, Any]:
        """Return the error of a request rejected with `status`, with `fields` in its details."""
        answer = self(method, path, **arguments)
        assert answer.status_code == status, answer.text
        error: dict[str, Any] = answer.json()
        assert sorted(error) == ["code", "detail", "message"]
        assert set(fields) <= set(error["detail"]), error
        return error

    def every(self, path: str, **query: Any) -> list[Any]:
        """Return all rows of a list, following `next` from page to page."""
        page = self.get(path, **query)
        rows = list(page["results"])
        while page["next"]:
            assert page["next"].startswith("/api/v1/")
            page = self.get(page["next"])
            rows += page["results"]
        return rows

    def ended(self, job: str) -> dict[str, Any]:
        """Wait with the parameter `wait` until the job has ended, and return it."""
        for _ in range(6):
            shown: dict[str, Any] = self.get(f"jobs/{job}/", wait=20)
            if shown["status"] in TERMINAL:
                return shown
        raise AssertionError(f"{job} did not end")


@pytest.fixture(scope="package")
def api(stack: Stack, document: Document) -> Api:
    """Return a client of the installation's first administrator."""
    return Api(stack, document, stack.described["token"])


@pytest.fixture(scope="package")
def as_user(stack: Stack, document: Document) -> Callable[[str | None], Api]:
    """Return a client with another token, or without one."""
    return lambda token: Api(stack, document, token)


@pytest.fixture(scope="package")
def project(api: Api) -> str:
    """Create a project with a small dataset `numbers`, a pipeline `echo`, and a twin `numbers`
    filled from the dataset.
    """
    api.post("projects/", {"slug": "contract", "name": "Contract"})
    upload(api, "contract", "numbers", b"n,word\n1,one\n2,two\n3,three\n")
    argv = ["sh", "-c", "echo to stdout; echo to stderr >&2"]
    api.post(
        "projects/contract/pipelines/",
        {"name": "echo", "definition": {"steps": [command("say", argv)]}},
    )
    api.post("projects/contract/twins/", {"name": "numbers", "definition": TWIN})
    update = {"twin": "numbers", "dataset": "numbers", "type": "number", "key": "n"}
    job = api.ended(
        api.post("projects/contract/jobs/", {"type": "digital_twin_update", "parameters": update})[
            "id"
        ]
    )
    assert job["status"] == "succeeded", job
    return "contract"


def command(name: str, argv: list[str], **fields: Any) -> dict[str, Any]:
    """Return a step that runs a program."""
    return {"id": name, "uses": "command", "with": {"argv": argv}, **fields}


def job_body(pipeline: str = "echo", **fields: Any) -> dict[str, Any]:
    """Return a request for a job that runs a pipeline."""
    return {"type": "pipeline_execution", "parameters": {"pipeline": pipeline}, **fields}


def upload(api: Api, project: str, name: str, content: bytes, status: int = 201) -> Any:
    """Upload the next version of a dataset."""
    answer = api(
        "POST",
        f"projects/{project}/datasets/",
        data={"name": name},
        files={"file": ("any.bin", content)},
    )
    assert answer.status_code == status, answer.text
    return answer.json()


class Admin:
    """Client of the Django admin without a browser: cookies, forms and their CSRF tokens."""

    def __init__(self, client: httpx.Client, username: str, password: str) -> None:
        self.client = client
        self.signed_in = self.form("/admin/login/", {"username": username, "password": password})

    def form(self, path: str, fields: dict[str, Any], **headers: str) -> httpx.Response:
        """Open a page with a form and send it with these fields."""
        page = self.client.get(path, headers=headers)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        return self.client.post(
            path, data={**fields, "csrfmiddlewaretoken": token[1] if token else ""}, headers=headers
        )


@pytest.fixture(scope="package")
def admin(stack: Stack) -> Iterator[Admin]:
    with stack.client_for(None) as client:
        admin = Admin(client, stack.described["username"], stack.described["password"])
        assert admin.signed_in.status_code == 302
        yield admin


@dataclass(frozen=True)
class Person:
    """A user with a session."""

    username: str
    token: str


@pytest.fixture(scope="package")
def people(api: Api, admin: Admin, project: str) -> dict[str, Person]:
    """Create a member of each role in `project`, and a user without a role.

    They are created in the admin.
    """
    created = {}
    for name in (*ROLES, "stranger"):
        form = {
            "username": name,
            "password1": PASSWORD,
            "password2": PASSWORD,
            "usable_password": "true",
        }
        answer = admin.form("/admin/auth/user/add/", form)
        assert answer.status_code == 302, answer.text
        if name in ROLES:
            assert (
                api("PUT", f"projects/{project}/members/{name}/", json={"role": name}).status_code
                == 200
            )
        created[name] = Person(
            name, api.post("session/", {"username": name, "password": PASSWORD})["token"]
        )
    return created


@pytest.fixture(scope="package")
def ran(api: Api, project: str) -> dict[str, Any]:
    """Return an ended job with every kind of step, output on both streams and a file.

    Its log is complete.
    """
    script = (
        "import os, sys, hashlib; "
        "print('first'); print('to stderr', file=sys.stderr, flush=True); "
        "sys.stdout.flush(); sys.stdout.buffer.write(b'x' * 40000 + b'\\n' + b'bad \\xff "
        "byte\\n'); "
        "open('outputs/made.txt', 'w').write('made by ' + os.environ['JOB_ID'])"
    )
    steps = [
        {"id": "numbers", "uses": "read", "with": {"dataset": "numbers"}},
        {"id": "large", "uses": "sql", "with": {"query": "SELECT * FROM numbers WHERE n > 1"}},
        {"id": "kept", "uses": "write", "with": {"dataset": "large", "from": "large"}},
        command("say", ["python3", "-c", script], needs=["kept"]),
    ]
    api.post(f"projects/{project}/pipelines/", {"name": "rich", "definition": {"steps": steps}})
    body = {
        "type": "pipeline_execution",
        "parameters": {"pipeline": "rich"},
        "name": "The rich one",
        "labels": {"kind": "rich"},
    }
    job = api.ended(api.post(f"projects/{project}/jobs/", body)["id"])
    assert job["status"] == "succeeded", job
    return job


@pytest.fixture(scope="module")
def balanced(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balanced]:
    yield from balanced_site(stack, tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def boss(balanced: Balanced) -> Iterator[Admin]:
    """Client of an administrator, signed in to the admin through the proxy with a Referer, like a
    browser.
    """
    with balanced.client(headers={"Referer": f"{balanced.url}/admin/"}) as client:
        boss = Admin(client, balanced.username, balanced.password)
        assert boss.signed_in.status_code == 302, boss.signed_in.text
        assert boss.signed_in.headers["Location"].startswith("/")
        yield boss


@pytest.fixture
def paused(api: Api) -> Iterator[str]:
    """Create a project that starts no jobs; its waiting jobs are cancelled at the end."""
    slug = f"paused-{uuid.uuid4().hex[:8]}"
    api.post("projects/", {"slug": slug, "name": "Paused"})
    api.post(
        f"projects/{slug}/pipelines/",
        {"name": "echo", "definition": {"steps": [command("a", ["true"])]}},
    )
    assert (
        api("PATCH", "limits/", json={"scope": "project", "key": slug, "paused": True}).status_code
        == 200
    )
    yield slug
    for job in api.every(f"projects/{slug}/jobs/", status="queued"):
        api("POST", f"jobs/{job['id']}/cancel/")
    assert (
        api("PATCH", "limits/", json={"scope": "project", "key": slug, "paused": False}).status_code
        == 200
    )


@pytest.fixture(scope="package")
def failed(api: Api, project: str) -> dict[str, Any]:
    """Return a failed job: both attempts ended with exit code 3."""
    api.post(
        f"projects/{project}/pipelines/",
        {
            "name": "fails",
            "definition": {"steps": [command("bad", ["sh", "-c", "echo why; exit 3"])]},
        },
    )
    return api.ended(api.post(f"projects/{project}/jobs/", job_body("fails", max_attempts=2))["id"])
