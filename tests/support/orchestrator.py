"""Scripted worker API on loopback, which can give a real worker any response."""

import hashlib
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

LIMITS = {
    "cpu_millicores": 1000,
    "memory_bytes": 2**30,
    "timeout_seconds": 60,
    "grace_seconds": 20,
    "log_bytes": 2**30,
    "spool_bytes": 2**22,
    "artifact_bytes": 2**20,
    "event_bytes": 16384,
    "event_count": 1000,
    "model_cache_bytes": 10**9,
}
Answer = tuple[int, Any]


class Orchestrator:
    """Receives the log, events, artifacts and result of one attempt.

    `answers[name]` is called first: (status, body), or None for the normal response. The response
    to `finish` also applies to `finish-with-events`.
    """

    def __init__(self, steps: list[dict[str, Any]], **limits: int) -> None:
        self.claim: dict[str, Any] = {
            "session_token": "session",
            "job": {
                "id": "j",
                "type": "pipeline_execution",
                "name": "",
                "attempt": 1,
                "parameters": {},
            },
            "limits": {**LIMITS, **limits},
            "inputs": [
                {
                    "name": "pipeline",
                    "kind": "pipeline",
                    "pipeline": "p",
                    "version": 1,
                    "definition": {"steps": steps},
                }
            ],
            "read_url_allow": [],
            "heartbeat_seconds": 0.2,
            "log_end": 0,
            "finish_takes_events": True,
        }
        self.answers: dict[str, Callable[[Any], Answer | None]] = {}
        self.inputs: dict[str, bytes] = {}
        self.cuts = 0  # number of inputs whose connection breaks half-way
        self.log = b""
        self.events: list[dict[str, Any]] = []
        self.artifacts: dict[str, bytes] = {}
        self.finishes: list[dict[str, Any]] = []
        self.accepted: dict[str, Any] | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop the server."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, name: str, query: dict[str, str], body: bytes) -> Answer:
        """Return the scripted response to a call."""
        given = body if name in ("logs", "artifacts") else json.loads(body or b"{}")
        script = self.answers.get(name) or self.answers.get(name.removesuffix("-with-events"))
        scripted = script(given) if script else None
        if scripted is not None:
            return scripted
        usual: Answer = getattr(self, f"_{name.replace('-', '_')}")(given, query)
        return usual

    def _claim(self, _body: Any, _query: Any) -> Answer:
        return 200, self.claim

    def _heartbeat(self, _body: Any, _query: Any) -> Answer:
        return 200, {"cancel": False, "timeout_at": "2030-01-01T00:00:00Z"}

    def _events(self, body: Any, _query: Any) -> Answer:
        self.events += [event for event in body["events"] if event["n"] > len(self.events)]
        return 200, {"last": len(self.events)}

    def _logs(self, body: bytes, query: dict[str, str]) -> Answer:
        if int(query["offset"]) != len(self.log):
            return 409, {"code": "wrong_offset", "message": "", "detail": {"end": len(self.log)}}
        self.log += body
        return 200, {"end": len(self.log)}

    def _artifacts(self, body: bytes, query: dict[str, str]) -> Answer:
        self.artifacts[query["name"]] = body
        return 201, {}

    def _inputs(self, _body: Any, query: dict[str, str]) -> Answer:
        return 200, self.inputs[query["name"]]

    def _finish(self, body: Any, _query: Any) -> Answer:
        self.finishes.append(body)
        if body["log_end"] > len(self.log):
            return 409, {"code": "log_incomplete", "message": "", "detail": {"end": len(self.log)}}
        self.accepted = body
        return 200, {"status": body["status"]}

    def _finish_with_events(self, body: Any, query: Any) -> Answer:
        status, answer = self._finish(body, query)
        if status == 200:
            self._events(body, query)
        return status, answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                parts = urlsplit(self.path)
                _, _, _, _, _, name, *rest = parts.path.split("/")
                query = {key: values[0] for key, values in parse_qs(parts.query).items()} | {
                    "name": "/".join(rest)
                }
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, answer = outer.answer(name, query, body)
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.send_header("X-Content-SHA256", hashlib.sha256(data).hexdigest())
                self.end_headers()
                if name == "inputs" and outer.cuts:
                    outer.cuts -= 1
                    self.close_connection = True
                    data = data[: len(data) // 2]
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = _serve  # noqa: N815 - the names the base class looks for

            def log_message(self, format: str, *arguments: Any) -> None:
                """Suppress the access log."""

        return Handler
