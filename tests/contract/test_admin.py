"""The Django admin in production: its pages, forms, actions and permissions."""

import re
import uuid
from html import unescape
from typing import Any

import httpx
import pytest

from tests.contract.balancer import Balanced
from tests.contract.conftest import PASSWORD, Admin, Api, Person


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
def test_an_invalid_limit_is_reported_at_its_field_and_not_saved(
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


def test_no_form_writes_the_rows_of_jobs(boss: Admin, ran: dict[str, Any]) -> None:
    """Rows of jobs, attempts, events and artifacts have no editable field.

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
            }  # of inline rows: no form accepts them
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
    # CAPACITY_JOBS, set in this installation, overrides the row; GPUs are only in the row.
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


def test_staff_without_permissions_and_other_users_have_no_access(
    balanced: Balanced, people: dict[str, Person]
) -> None:
    with balanced.client(headers={"Referer": f"{balanced.url}/admin/"}) as client:
        stranger = Admin(client, people["stranger"].username, PASSWORD)
        assert stranger.signed_in.status_code == 200, "the form must be shown again with a message"
        for path in ("/admin/", "/admin/jobs/job/", "/admin/jobs/limit/add/"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (
                302,
                "/admin/login/",
            )
