"""The admin, the pages and the sockets behind a load balancer that ends TLS, with the values of
production.
"""

import asyncio
import json
import re
import ssl
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from mimir.dev.paths import ROOT
from mimir.dev.ports import answers, free_port
from tests.contract.conftest import PASSWORD, Admin, Api, Person
from tests.support.stack import Stack
from tests.support.tls import tls_proxy
from tests.support.waiting import wait_for

AsUser = Callable[[str | None], Api]
CLIENT = "203.0.113.9"  # RFC 5737: nobody's


@dataclass(frozen=True)
class Balanced:
    """The site as people reach it, and what to trust."""

    url: str
    certificate: Path
    username: str
    password: str

    def client(self, **options: Any) -> httpx.Client:
        """A visitor."""
        trusted = ssl.create_default_context(cafile=str(self.certificate))
        return httpx.Client(
            base_url=self.url, verify=trusted, timeout=30, trust_env=False, **options
        )


@pytest.fixture(scope="module")
def balanced(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balanced]:
    """A second web and a second frontend of the same installation, in production's clothes, behind
    a proxy.
    """
    folder = tmp_path_factory.mktemp("tls")
    api_port, frontend_port, tls_port = free_port(), free_port(), free_port()
    url = f"https://localhost:{tls_port}"
    production = {
        "ENVIRONMENT": "production",
        "ALLOW_UNISOLATED_WORKERS": "true",
        "PUBLIC_URL": url,
        "TRUSTED_PROXIES": "127.0.0.1",
    }
    production["ACCEPT_PLAIN"] = "database,redis"  # of this machine
    with ExitStack() as started:
        for name, role, port in (
            ("web", "orchestrator", api_port),
            ("frontend", "frontend", frontend_port),
        ):
            environ = (
                psutil.Process(stack.pids(name)[0]).environ()
                | production
                | {"PORT_TO_SERVE": str(port)}
            )
            environ.pop("MIMIR_CRASH_POINTS")
            if name == "frontend":
                environ["API_URL"] = f"http://127.0.0.1:{api_port}"
            started.enter_context(_process(role, environ, folder))
            wait_for(partial(answers, port), f"the {role} answers")
        certificate = started.enter_context(
            tls_proxy(folder, port=tls_port, upstream_port=frontend_port, client=CLIENT)
        )
        yield Balanced(url, certificate, stack.described["username"], stack.described["password"])


def _process(role: str, environ: dict[str, str], folder: Path) -> Any:
    log = (folder / f"{role}.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "mimir.serve", role], cwd=ROOT, env=environ, stdout=log, stderr=log
    )

    class _Running:
        def __enter__(self) -> subprocess.Popen[bytes]:
            return process

        def __exit__(self, *_: object) -> None:
            process.terminate()
            process.wait(20)
            log.close()

    return _Running()


@pytest.fixture(scope="module")
def boss(balanced: Balanced) -> Iterator[Admin]:
    """An administrator who signed in to the admin through the proxy, as a browser does.

    With a Referer.
    """
    with balanced.client(headers={"Referer": f"{balanced.url}/admin/"}) as client:
        boss = Admin(client, balanced.username, balanced.password)
        assert boss.signed_in.status_code == 302, boss.signed_in.text
        assert boss.signed_in.headers["Location"].startswith("/")
        yield boss


def test_the_admins_cookies_are_secure_and_its_own(balanced: Balanced) -> None:
    with balanced.client(headers={"Referer": f"{balanced.url}/admin/"}) as client:
        signed_in = Admin(client, balanced.username, balanced.password).signed_in
        given = [
            *client.get("/admin/login/?next=/admin/").headers.get_list("set-cookie"),
            *signed_in.headers.get_list("set-cookie"),
        ]
    assert {cookie.partition("=")[0] for cookie in given} == {
        "mimir_admin_csrf",
        "mimir_admin_session",
    }
    for cookie in given:
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/admin"} <= {
            part.strip() for part in cookie.split(";")
        }, cookie


def test_a_form_of_another_site_is_refused_by_the_admin(balanced: Balanced) -> None:
    for headers in (
        {},
        {"Referer": "https://evil.example/"},
        {"Origin": "https://evil.example"},
        {"Origin": balanced.url.replace("https", "http")},
    ):
        with balanced.client() as client:
            refused = Admin(client, balanced.username, balanced.password)
            answer = refused.form(
                "/admin/login/",
                {"username": balanced.username, "password": balanced.password},
                **headers,
            )
        assert answer.status_code == 403, headers
        assert "mimir_admin_session" not in client.cookies


def test_a_limit_is_changed_in_the_admin(boss: Admin, api: Api) -> None:
    added = boss.form(
        "/admin/jobs/limit/add/", {"scope": "type", "key": "ml_training", "max_jobs": "7"}
    )
    assert added.status_code == 302, added.text
    [row] = [row for row in api.every("limits/") if row["key"] == "ml_training"]
    assert row == {"scope": "type", "key": "ml_training", "max_jobs": 7, "paused": False}
    listed = boss.client.get("/admin/jobs/limit/", params={"key": "ml_training"})
    [page] = set(re.findall(r'href="(/admin/jobs/limit/\d+/change/)[^"]*">A job type', listed.text))
    changed = boss.form(page, {"max_jobs": "", "paused": "on"})
    assert changed.status_code == 302, changed.text
    assert {"scope": "type", "key": "ml_training", "max_jobs": None, "paused": True} in api.every(
        "limits/"
    )
    assert boss.form(page.replace("change", "delete"), {"post": "yes"}).status_code == 302
    assert [row for row in api.every("limits/") if row["key"] == "ml_training"] == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"scope": "project", "key": "no-such-project"}, "slug of a project"),
        ({"scope": "type", "key": "x"}, "pipeline_execution"),
        ({"scope": "global", "key": "x"}, "empty for global"),
        ({"scope": "global", "max_jobs": "1000001"}, "from 0 to 1000000"),
    ],
)
def test_a_wrong_limit_is_said_at_its_field_and_not_saved(
    boss: Admin, api: Api, fields: dict[str, str], said: str
) -> None:
    before = api.every("limits/")
    answer = boss.form("/admin/jobs/limit/add/", fields)
    assert answer.status_code == 200
    assert said in unescape(answer.text)
    assert "errorlist" in answer.text
    assert "was added successfully" not in answer.text
    assert api.every("limits/") == before


def _models(boss: Admin) -> list[str]:
    index = boss.client.get("/admin/")
    assert index.status_code == 200
    return sorted(set(re.findall(r'href="(/admin/\w+/\w+/)"', index.text)))


def test_every_page_of_the_admin_opens(boss: Admin, ran: dict[str, Any]) -> None:
    models = _models(boss)
    of_jobs = ("job", "attempt", "jobevent", "artifact", "cluster", "limit")
    of_projects = (
        "project",
        "dataset",
        "datasetversion",
        "pipeline",
        "pipelineversion",
        "accesstoken",
    )
    assert {
        *(f"/admin/jobs/{name}/" for name in of_jobs),
        *(f"/admin/projects/{name}/" for name in of_projects),
    } <= set(models)
    opened = 0
    for model in models:
        listed = boss.client.get(model)
        assert listed.status_code == 200, model
        searched = boss.client.get(model, params={"q": ran["id"][:8]})
        assert searched.status_code == 200, model
        found = re.search(rf'href="({model}[^"?]+/change/)', listed.text)
        if found:
            assert boss.client.get(unescape(found[1])).status_code == 200, found[1]
            opened += 1
    assert opened >= 10
    style = re.search(r'href="(/admin/static/[^"]+\.css)"', boss.client.get("/admin/").text)
    assert style
    assert boss.client.get(style[1]).headers["Content-Type"].startswith("text/css")


_FIELD = re.compile(r'<(?:input|select|textarea)[^>]*\bname="([^"]+)"')
_NO_FIELDS = {"csrfmiddlewaretoken", "q", "next"}
_PLACE = {
    "region": "",
    "context": "",
    "namespace": "",
    "orchestrator_url": "",
    "model_cache": "empty_dir",
}
_PLACE |= {
    "node_selector": "{}",
    "tolerations": "[]",
    "gpu_node_selector": "{}",
    "gpu_tolerations": "[]",
}
_CAPACITY = {"capacity_jobs", "capacity_cpu_millicores", "capacity_memory_bytes", "capacity_gpus"}
_WRITABLE = {
    "/admin/jobs/cluster/": {
        "name",
        "launcher",
        "enabled",
        "away_grace_seconds",
        *_CAPACITY,
        *_PLACE,
        *(f"initial-{name}" for name in _PLACE),
    },
    "/admin/jobs/limit/": {"scope", "key", "max_jobs", "paused"},
}


def test_no_form_writes_what_jobs_are(boss: Admin, ran: dict[str, Any]) -> None:
    """Rows of jobs, attempts, events and artifacts have no field to write.

    A POST to one is refused.
    """
    for model in (model for model in _models(boss) if model.startswith("/admin/jobs/")):
        change = re.search(rf'href="({model}[^"?]+/change/)', boss.client.get(model).text)
        for page in ([unescape(change[1])] if change else []) + [f"{model}add/"]:
            shown = boss.client.get(page)
            fields = (
                set(_FIELD.findall(shown.text)) - _NO_FIELDS if shown.status_code == 200 else set()
            )
            written = {
                name for name in fields if not name.startswith(("_", "input_rows-", "outputs-"))
            }  # of rows shown inline: no form takes them
            assert written <= _WRITABLE.get(model, set()), page
            if model not in _WRITABLE:
                assert not {"_save", "_continue", "_addanother"} & fields, page
                token = {
                    "csrfmiddlewaretoken": boss.client.cookies.get(
                        "mimir_admin_csrf", path="/admin"
                    )
                    or ""
                }
                assert (
                    boss.client.post(
                        page, data={**token, "status": "succeeded", "_save": "Save"}
                    ).status_code
                    == 403
                ), page


def _act(boss: Admin, action: str, job: str) -> httpx.Response:
    return boss.form("/admin/jobs/job/", {"action": action, "_selected_action": job, "index": "0"})


def test_a_job_is_run_again_and_cancelled_by_actions(
    boss: Admin, api: Api, ran: dict[str, Any]
) -> None:
    slug = f"admin-{uuid.uuid4().hex[:8]}"
    api.post("projects/", {"slug": slug, "name": "N"})
    api.post(
        f"projects/{slug}/pipelines/",
        {
            "name": "p",
            "definition": {"steps": [{"id": "a", "uses": "command", "with": {"argv": ["true"]}}]},
        },
    )
    api("PATCH", "limits/", json={"scope": "project", "key": slug, "paused": True})
    job = api.post(
        f"projects/{slug}/jobs/", {"type": "pipeline_execution", "parameters": {"pipeline": "p"}}
    )["id"]
    assert _act(boss, "cancel", job).status_code == 302
    assert api.get(f"jobs/{job}/")["status"] == "cancelled"
    assert [event["kind"] for event in api.every(f"jobs/{job}/events/")] == [
        "job.submitted",
        "job.cancelled",
    ]
    assert _act(boss, "retry", job).status_code == 302
    [again, first] = api.every(f"projects/{slug}/jobs/")
    assert (first["id"], again["retry_of"], again["status"]) == (job, job, "queued")
    # A refusal of the service is shown and changes nothing.
    assert _act(boss, "cancel", ran["id"]).status_code == 302
    assert "has already succeeded" in boss.client.get("/admin/jobs/job/").text
    assert api.get(f"jobs/{ran['id']}/")["status"] == "succeeded"
    api("POST", f"jobs/{again['id']}/cancel/")


def test_the_admin_changes_only_the_capacity_of_a_cluster(
    boss: Admin, api: Api, project: str
) -> None:
    page = "/admin/jobs/cluster/local/change/"
    before = {
        **_PLACE,
        **dict(
            re.findall(
                r'name="(capacity_\w+|away_grace_seconds)" value="(\d+)"',
                boss.client.get(page).text,
            )
        ),
    }
    # CAPACITY_JOBS, which this installation sets, wins over the row; GPUs are the row's alone.
    assert boss.form(page, {**before, "capacity_gpus": "3", "enabled": "on"}).status_code == 302
    assert 'name="capacity_gpus" value="3"' in boss.client.get(page).text
    assert boss.form(page, {**before, "enabled": "on"}).status_code == 302
    body = {"type": "pipeline_execution", "parameters": {"pipeline": "echo"}}
    assert api.ended(api.post(f"projects/{project}/jobs/", body)["id"])["status"] == "succeeded"


def test_a_project_created_in_the_admin_has_a_slug_the_api_accepts(boss: Admin, api: Api) -> None:
    inline = {
        f"memberships-{name}": "0"
        for name in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")
    }
    refused = boss.form(
        "/admin/projects/project/add/",
        {"slug": "Not_A_Slug", "name": "N", "status": "active", **inline},
    )
    assert refused.status_code == 200
    assert "lower-case letters" in refused.text
    created = boss.form(
        "/admin/projects/project/add/",
        {"slug": "by-admin", "name": "N", "status": "active", **inline},
    )
    assert created.status_code == 302, created.text
    assert api.get("projects/by-admin/")["name"] == "N"


def test_staff_without_rights_and_others_do_not_get_in(
    balanced: Balanced, people: dict[str, Person]
) -> None:
    with balanced.client(headers={"Referer": f"{balanced.url}/admin/"}) as client:
        stranger = Admin(client, people["stranger"].username, PASSWORD)
        assert stranger.signed_in.status_code == 200, "the form again, with a word about it"
        for path in ("/admin/", "/admin/jobs/job/", "/admin/jobs/limit/add/"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (
                302,
                "/admin/login/",
            )


def _sign_in(client: httpx.Client, balanced: Balanced) -> None:
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get("/signin/").text)
    assert token
    form = {
        "username": balanced.username,
        "password": balanced.password,
        "csrfmiddlewaretoken": token[1],
        "next": "",
    }
    signed_in = client.post("/signin/", data=form)
    assert signed_in.status_code == 302, signed_in.text
    for cookie in signed_in.headers.get_list("set-cookie"):
        assert "Secure" in cookie, cookie


async def test_pages_and_sockets_work_through_it(balanced: Balanced, ran: dict[str, Any]) -> None:
    with balanced.client(headers={"Referer": f"{balanced.url}/signin/"}) as person:
        _sign_in(person, balanced)
        assert person.get("/projects/").status_code == 200
        cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in person.cookies.jar)
    trusted = ssl.create_default_context(cafile=str(balanced.certificate))
    url = f"{balanced.url.replace('https', 'wss')}/ws/jobs/{ran['id']}/"
    for origin, code in ((balanced.url, 1000), (balanced.url.replace("https", "http"), 4403)):
        kinds: list[str] = []
        async with connect(
            url,
            ssl=trusted,
            additional_headers={"Cookie": cookie, "Origin": origin},
            max_queue=None,
        ) as socket:
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    kinds.append(json.loads(await asyncio.wait_for(socket.recv(), 30))["kind"])
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, kinds[-1:]) == (code, ["end"] if code == 1000 else [])


def test_forged_addresses_do_not_pass_the_proxy(balanced: Balanced) -> None:
    """Only the address seen by the trusted proxy counts, not addresses that a client adds."""
    marker = uuid.uuid4().hex
    with balanced.client(headers={"X-Forwarded-For": "6.6.6.6", "X-Request-ID": marker}) as client:
        assert client.get("/api/v1/session/").status_code == 401
    logs = balanced.certificate.parent / "orchestrator.log"
    [line] = wait_for(
        lambda: [line for line in logs.read_text().splitlines() if marker in line],
        "the request is logged",
    )
    assert (json.loads(line)["request_id"], json.loads(line)["ip"]) == (marker, CLIENT)
