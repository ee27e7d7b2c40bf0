"""S3 server over HTTP in a separate process (moto), with injected faults: `python -m tests.fakes.s3
PORT`.

`POST /_faults` takes a list of {"method", "query", "kind", "times"}: the next `times` requests of
that method whose query contains `query` get the fault `kind`: a status with S3's code ("503
SlowDown"), `cut` (the connection breaks while the body is sent), `lost` (the request is executed,
but the response is lost) or `short` (half of the body, with the Content-Length of the whole). `GET
/_faults` lists the received requests as [method, path, query].
"""

import json
import sys
import threading
from typing import Any

SHORT, CUT, LOST = "short", "cut", "lost"


class Faulty:
    """WSGI application that wraps the one of moto and injects faults."""

    def __init__(self, inner: Any) -> None:
        self._inner, self._lock = inner, threading.Lock()
        self._faults: list[dict[str, Any]] = []
        self._seen: list[list[str]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/_faults":
            return self._ordered(environ, start_response)
        kind = self._kind(environ)
        if kind == CUT:
            environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), 1000))
            return self._hang_up(environ)
        if kind == LOST:
            b"".join(self._inner(environ, lambda *_: lambda _data: None))
            return self._hang_up(environ)
        if kind == SHORT:
            body = b"".join(self._inner(environ, start_response))
            return [body[: len(body) // 2]]
        if kind:
            return _refused(environ, start_response, kind)
        return self._inner(environ, start_response)

    def _ordered(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        with self._lock:
            if environ["REQUEST_METHOD"] == "POST":
                self._faults = json.loads(
                    environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
                )
                self._seen = []
            body = json.dumps(self._seen).encode()
        start_response(
            "200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        )
        return [body]

    def _kind(self, environ: dict[str, Any]) -> str:
        method, query = environ["REQUEST_METHOD"], environ["QUERY_STRING"]
        with self._lock:
            self._seen.append([method, environ["PATH_INFO"], query])
            for fault in self._faults:
                if fault["times"] and fault["method"] == method and fault.get("query", "") in query:
                    fault["times"] -= 1
                    return str(fault["kind"])
        return ""

    @staticmethod
    def _hang_up(environ: dict[str, Any]) -> Any:
        environ["werkzeug.socket"].shutdown(2)
        raise ConnectionError("ordered")


def _refused(environ: dict[str, Any], start_response: Any, kind: str) -> list[bytes]:
    status, _, code = kind.partition(" ")
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    body = f"<Error><Code>{code}</Code><Message>ordered</Message></Error>".encode()
    start_response(
        f"{status} {code}",
        [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))],
    )
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def main(port: int) -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    app = DomainDispatcherApplication(create_backend_app)
    WSGIRequestHandler.protocol_version = "HTTP/1.1"
    make_server("127.0.0.1", port, Faulty(app), threaded=True).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
