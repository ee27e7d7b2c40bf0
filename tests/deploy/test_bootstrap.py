"""Secrets of a new installation: created once and completely despite kills, lost responses and
repeats.
"""

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mimir.lib import bootstrap
from mimir.lib.bootstrap import SECRETS, Api, Failed, secrets_ensure
from tests.support import rbac, tls

NAMESPACE, TOKEN = "somewhere", "a-token"
PATH = f"/api/v1/namespaces/{NAMESPACE}/secrets"


class Server:
    """Secrets of one namespace over HTTP.

    Each create uses up one of `troubles`; every request gets `deny` if it is set.
    """

    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str]] = []
        self.troubles: list[str] = []
        self.deny = 0
        self._lock = threading.Lock()

    def answer(
        self, method: str, path: str, token: str, body: dict[str, Any]
    ) -> tuple[int, dict[str, Any]] | None:
        """Return status and body, or None to cut the connection."""
        with self._lock:
            name = path.removeprefix(PATH).strip("/")
            self.asked.append((method, name or body["metadata"]["name"]))
            if token != f"Bearer {TOKEN}" or not path.startswith(PATH):
                return 401, {"message": "Unauthorized"}
            if self.deny:
                return self.deny, {"message": "secrets is forbidden: no verb"}
            return self._get(name) if method == "GET" else self._create(body)

    def _get(self, name: str) -> tuple[int, dict[str, Any]]:
        return (
            (200, self.secrets[name]) if name in self.secrets else (404, {"message": "not found"})
        )

    def _create(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        trouble = self.troubles.pop(0) if self.troubles else ""
        if trouble == "refused before":
            return 500, {"message": "etcd is away"}
        name = body["metadata"]["name"]
        if name in self.secrets:
            return 409, {"message": "already exists"}
        self.secrets[name] = body
        if trouble == "answer lost":
            return None
        return (500, {"message": "time-out"}) if trouble == "failed after" else (201, body)


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else {}
            answer = server.answer(
                self.command, self.path, self.headers.get("Authorization", ""), body
            )
            if answer is None:
                self.close_connection = True
                return
            data = json.dumps(answer[1]).encode()
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _serve  # noqa: N815 - the names that the standard library calls

        def log_message(self, *_args: object) -> None:
            pass

    return Handler


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def api(server: Server, tmp_path: Path) -> Iterator[Api]:
    listening = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    yield Api(
        f"http://127.0.0.1:{listening.server_port}",
        NAMESPACE,
        tmp_path / "token",
        None,
        rest_seconds=0,
    )
    listening.shutdown()
    thread.join()
    listening.server_close()


def _value(server: Server, name: str, key: str) -> str:
    return base64.b64decode(server.secrets[name]["data"][key]).decode()


def test_an_empty_namespace_gets_every_secret_with_a_different_value(
    server: Server, api: Api
) -> None:
    assert secrets_ensure(api) == list(SECRETS)
    assert (
        _value(server, "db-secret", "url")
        == f"postgresql://mimir:{_value(server, 'db-secret', 'password')}@postgres:5432/mimir"
    )
    assert (
        _value(server, "redis-secret", "url")
        == f"redis://:{_value(server, 'redis-secret', 'password')}@redis:6379/0"
    )
    assert _value(server, "mimir-admin", "username") == "admin"
    drawn = [
        ("orchestrator-keys", "secret-key"),
        ("orchestrator-keys", "worker-keys"),
        ("frontend-keys", "secret-key"),
        ("mimir-admin", "password"),
    ]
    values = [_value(server, name, key) for name, key in drawn]
    assert len(set(values)) == len(values)
    assert min(len(value) for value in values) >= 24


def test_a_second_run_changes_nothing_and_creates_nothing(server: Server, api: Api) -> None:
    secrets_ensure(api)
    before = json.dumps(server.secrets)
    server.asked.clear()
    assert secrets_ensure(api) == []
    assert json.dumps(server.secrets) == before
    assert {method for method, _ in server.asked} == {"GET"}


def test_existing_secrets_are_kept_and_missing_ones_are_added(server: Server, api: Api) -> None:
    mine = {"metadata": {"name": "db-secret"}, "data": {"url": "bWluZQ==", "password": "bWluZQ=="}}
    server.secrets["db-secret"] = mine
    assert secrets_ensure(api) == [name for name in SECRETS if name != "db-secret"]
    assert server.secrets["db-secret"] is mine


@pytest.mark.parametrize("stop", range(1, 2 * len(SECRETS) + 1))
def test_after_a_kill_at_any_request_the_next_run_creates_the_missing_secrets(
    server: Server, api: Api, stop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    real, count = Api._once, 0

    def once(self: Api, method: str, name: str, body: object) -> tuple[int, dict[str, object]]:
        nonlocal count
        answer = real(self, method, name, body)
        count += 1
        if count == stop:
            raise Killed
        return answer

    monkeypatch.setattr(Api, "_once", once)
    with pytest.raises(Killed):
        secrets_ensure(api)
    monkeypatch.setattr(Api, "_once", real)
    kept = dict(server.secrets)
    secrets_ensure(api)
    assert list(server.secrets) == list(SECRETS)
    assert all(server.secrets[name] is kept[name] for name in kept)


@pytest.mark.parametrize("trouble", ["refused before", "failed after", "answer lost"])
def test_a_create_with_an_unknown_result_leaves_one_secret_that_is_used(
    server: Server, api: Api, trouble: str
) -> None:
    server.troubles = [trouble] * len(SECRETS)
    secrets_ensure(api)
    assert list(server.secrets) == list(SECRETS)
    assert secrets_ensure(api) == []


def test_two_concurrent_runs_create_each_secret_once(server: Server, api: Api) -> None:
    created: list[str] = []
    threads = [
        threading.Thread(target=lambda: created.extend(secrets_ensure(api))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(created) == sorted(SECRETS)


def test_a_missing_permission_is_reported_at_once_with_the_person_to_act(
    server: Server, api: Api
) -> None:
    server.deny = 403
    with pytest.raises(Failed, match=r"forbidden.*needs create and get on secrets"):
        secrets_ensure(api)
    assert len(server.asked) == 1


def test_a_secret_that_lacks_a_key_is_named_and_not_changed(server: Server, api: Api) -> None:
    server.secrets["redis-secret"] = {"data": {"url": "eA=="}}
    with pytest.raises(Failed, match="redis-secret has no key password"):
        secrets_ensure(api)
    assert server.secrets["redis-secret"] == {"data": {"url": "eA=="}}


def test_a_server_that_never_answers_times_out_with_a_hint(server: Server, api: Api) -> None:
    server.deny = 503
    with pytest.raises(Failed, match="does not answer"):
        secrets_ensure(api)
    assert len(server.asked) == bootstrap.TRIES


def test_only_the_granted_verbs_are_used(server: Server, api: Api) -> None:
    secrets_ensure(api)
    verbs = {"GET": "get", "POST": "create"}
    assert {verbs[method] for method, _ in server.asked} == rbac.BOOTSTRAP_VERBS["secrets"]


def test_no_value_is_printed(
    server: Server, api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap, "in_cluster", lambda: api)
    bootstrap.main()
    said = capsys.readouterr().out
    assert "mimir-admin" in said
    assert not [
        key
        for name, secret in server.secrets.items()
        for key in secret["data"]
        if _value(server, name, key) in said and key != "username"
    ]


def test_in_a_pod_the_api_server_is_called_over_verified_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "ACCOUNT", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(Failed, match="service account's token"):
        bootstrap.in_cluster()
    (tmp_path / "namespace").write_text("somewhere\n")
    found = bootstrap.in_cluster()
    assert (found.server, found.namespace, found.ca_file) == (
        "https://[fd00::1]:443",
        "somewhere",
        tmp_path / "ca.crt",
    )


def test_a_server_with_an_untrusted_certificate_receives_nothing(
    server: Server, tmp_path: Path
) -> None:
    listening = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (tmp_path / "ours").mkdir()
    (tmp_path / "strange").mkdir()
    ours, strange = (
        tls.certificate_file(tmp_path / "ours"),
        tls.certificate_file(tmp_path / "strange"),
    )
    context.load_cert_chain(ours)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    (tmp_path / "token").write_text(TOKEN)
    try:
        known = Api(
            f"https://localhost:{listening.server_port}",
            NAMESPACE,
            tmp_path / "token",
            ours,
            rest_seconds=0,
        )
        assert secrets_ensure(known) == list(SECRETS)
        server.asked.clear()
        with pytest.raises(Failed, match="certificate"):
            secrets_ensure(
                Api(known.server, NAMESPACE, tmp_path / "token", strange, rest_seconds=0)
            )
        assert server.asked == []
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()
