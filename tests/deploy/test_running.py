"""Run the commands and settings of the manifests with the contents of the image.

Web responds, and the loops report that they are alive.
"""

import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.db import connection

from mimir.dev.ports import free_port
from mimir.lib.bootstrap import SECRETS
from tests.support.images import lay_out
from tests.support.manifests import containers, of_kind

pytestmark = pytest.mark.django_db(transaction=True)
POD = "10.42.0.7"
METRICS_TOKEN = SECRETS["trust-keys"]()["metrics-token"]


def _environment(name: str, folder: Path) -> dict[str, str]:
    """Return the variables of a container, with the stores, folders and port of this machine."""
    given = {
        variable["name"]: variable.get("value", "")
        for variable in containers("production")[name]["env"]
    }
    (folder / "config.yaml").write_text(
        of_kind("production", "ConfigMap")["orchestrator-config"]["data"]["config.yaml"]
    )
    database = connection.settings_dict
    return given | {
        "PATH": f"{Path(sys.executable).parent}:{os.defpath}",
        "LANG": "C.UTF-8",
        "MIMIR_CONFIG": str(folder / "config.yaml"),
        "SECRET_KEY": SECRETS["orchestrator-keys"]()["secret-key"],
        "WORKER_KEYS": SECRETS["orchestrator-keys"]()["worker-keys"],
        "DATABASE_URL": os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{database['NAME']}",
        "REDIS_URL": os.environ["REDIS_URL"],
        "FRONTEND_KEYS": SECRETS["trust-keys"]()["frontend-keys"],
        "METRICS_TOKEN": METRICS_TOKEN,
        "ACCEPT_PLAIN": "database,redis",
        "POD_IP": POD,
        "SPOOL_DIR": str(folder),
        "ARTIFACTS_URL": folder.as_uri(),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return lay_out("orchestrator", tmp_path / "app")


@pytest.fixture
def web(app: Path, tmp_path: Path) -> Iterator[httpx.Client]:
    port = free_port()
    environment = _environment("orchestrator/web", tmp_path) | {"PORT_TO_SERVE": str(port)}
    process = subprocess.Popen(
        [sys.executable, "-m", "mimir.serve", "orchestrator"], cwd=app, env=environment
    )
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers={"Host": POD}, timeout=10
    ) as client:
        yield client
    process.terminate()
    process.wait(timeout=20)


def _answer(client: httpx.Client, path: str) -> httpx.Response:
    for _ in range(600):
        try:
            return client.get(path)
        except httpx.TransportError:
            threading.Event().wait(0.05)
    raise TimeoutError(path)


def test_web_is_ready_and_is_scraped_by_its_pods_address(web: httpx.Client) -> None:
    probes = containers("production")["orchestrator/web"]
    assert _answer(web, probes["livenessProbe"]["httpGet"]["path"]).status_code == 200
    ready = web.get(probes["readinessProbe"]["httpGet"]["path"])
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    token = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    scraped = web.get("/metrics", headers=token)
    assert scraped.status_code == 200
    assert "mimir_live_hints_rejected_total 0.0" in scraped.text  # also before the first socket
    assert 'mimir_requests_refused_total{lane="claims"} 0.0' in scraped.text
    assert 'mimir_requests_running{lane="interactive"} 0.0' in scraped.text
    assert web.get("/metrics").status_code == 403
    assert web.get("/metrics", headers={"Host": "strange.example.com", **token}).status_code == 400
    assert [
        web.post("/api/v1/session/", json={}).status_code,
        web.get("/admin/").status_code,
        web.get("/api/docs/").status_code,
    ] == [403] * 3
    assert (
        web.get("/api/v1/projects/", headers={"Authorization": "Bearer x"}).json()["code"]
        == "not_authenticated"
    )


@pytest.mark.parametrize("name", ["orchestrator/dispatcher", "orchestrator/reconciler"])
def test_a_loop_passes_its_probe_while_no_cluster_responds(
    name: str, app: Path, tmp_path: Path
) -> None:
    container = containers("production")[name]
    beat = tmp_path / "beat"
    environment = _environment(name, tmp_path) | {"BEAT_FILE": str(beat)}
    probe = (
        shlex.join(container["livenessProbe"]["exec"]["command"])
        .replace("/tmp/beat", str(beat))
        .replace("/app/", f"{app}/")
    )
    process = subprocess.Popen(
        [sys.executable, *container["command"][1:]], cwd=app, env=environment
    )
    try:
        assert (
            subprocess.run(shlex.split(probe), env=environment, capture_output=True).returncode == 1
        )
        for _ in range(600):
            if beat.exists():
                break
            threading.Event().wait(0.05)
        assert (
            subprocess.run(shlex.split(probe), env=environment, capture_output=True).returncode == 0
        )
    finally:
        process.terminate()
        process.wait(timeout=30)
    assert process.returncode == 0
