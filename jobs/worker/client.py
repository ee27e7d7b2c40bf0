"""The worker API over HTTP, by the standard library: one connection a thread, repeats with back-off, errors by what they demand.

See docs/reference/worker-protocol.md. Every call may be repeated; whoever calls says for how long.
"""

import email.utils
import hashlib
import http.client
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import IO, Any
from urllib.parse import quote, urlsplit

TIMEOUT_SECONDS = 30.0
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 0.1, 5.0
PIECE_BYTES = 256 * 1024
WRONG_MAX = (
    3  # times an input may arrive whole and wrong, before it is its content and not the way here
)


class Refused(Exception):
    """The orchestrator answered with an error that a retry does not fix. `status`, `code`, `message` and `detail` are its answer's."""

    def __init__(self, status: int, code: str, message: str, detail: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message, self.detail = status, code, message, detail


class Fenced(Refused):
    """410: this attempt must stop."""


class Unreachable(Exception):
    """No answer within the time the caller gave."""


class FileTrouble(Exception):
    """A file of ours, not the connection: what the operating system says of it. A retry does not fix it."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
        self.error = error


class ContentChanged(Exception):
    """An input arrives whole, and again and again with another checksum than it has: what is stored was changed."""


class FileChanged(Exception):
    """A file became shorter while it was sent."""


class Client:
    """Calls for one attempt. Threads may share it: each has its own connection."""

    def __init__(self, base_url: str, attempt_id: str, token: str) -> None:
        parts = urlsplit(base_url)
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname or "localhost", parts.port
        self._path = f"{parts.path.rstrip('/')}/worker/v1/attempts/{attempt_id}/"
        self._local = threading.local()
        self.token = token
        self.clock_ahead_seconds = (
            0.0  # of this machine, by the Date of the orchestrator's last answer
        )

    def post(
        self,
        name: str,
        body: Mapping[str, Any],
        *,
        patience_seconds: float,
        on_failure: "Callable[[Unreachable], None] | None" = None,
    ) -> dict[str, Any]:
        """POST JSON, repeated for `patience_seconds`; the answer's object. `on_failure` is called after each try without an answer.

        Raises: Refused, Fenced, Unreachable.
        """
        data = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        return self._repeat(
            lambda: self._json("POST", name, data, headers), patience_seconds, on_failure
        )

    def post_log(self, offset: int, data: bytes) -> dict[str, Any]:
        """POST one chunk of log bytes, once. Raises: Refused, Fenced, Unreachable."""
        headers = {"Content-Type": "application/octet-stream"}
        return self._once(lambda: self._json("POST", f"logs?offset={offset}", data, headers))

    def put_artifact(
        self,
        name: str,
        file: IO[bytes],
        *,
        size_bytes: int,
        sha256: str,
        role: str,
        media_type: str,
        patience_seconds: float,
    ) -> dict[str, Any]:
        """PUT the first `size_bytes` of a file, repeated from its start. Raises: Refused, Fenced, Unreachable, FileTrouble, FileChanged."""
        headers = {
            "Content-Type": media_type,
            "Content-Length": str(size_bytes),
            "X-Content-SHA256": sha256,
        }

        def send() -> dict[str, Any]:
            return self._json(
                "PUT", f"artifacts/{quote(name)}?role={role}", _Body(file, size_bytes), headers
            )

        return self._repeat(send, patience_seconds)

    def get_input(self, name: str, file: IO[bytes], *, patience_seconds: float) -> None:
        """GET an input into `file`, repeated from its start until all of it is there.

        Raises: Refused, Fenced, Unreachable, FileTrouble, ContentChanged.
        """
        wrong = 0

        def fetch() -> dict[str, Any]:
            nonlocal wrong
            response = self._send("GET", f"inputs/{quote(name)}", None, {})
            if response.status != 200:
                self._raise(response.status, response.read())
            # A connection that breaks looks like an end of the body: only the checksum says that it is whole.
            if _saved(response, file) != response.getheader("X-Content-SHA256", "").lower():
                self._drop()
                wrong += file.tell() == int(response.getheader("Content-Length") or -1)
                if wrong >= WRONG_MAX:
                    raise ContentChanged(
                        f"the input {name} has another checksum than it was stored with"
                    )
                raise Unreachable(f"the input {name} arrived with another checksum than it has")
            return {}

        self._repeat(fetch, patience_seconds)

    def _repeat(
        self,
        call: Callable[[], dict[str, Any]],
        patience_seconds: float,
        on_failure: "Callable[[Unreachable], None] | None" = None,
    ) -> dict[str, Any]:
        end = time.monotonic() + patience_seconds
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return self._once(call)
            except Unreachable as error:
                if on_failure is not None:
                    on_failure(error)
                left = end - time.monotonic()
                if left <= 0:
                    raise
                time.sleep(min(left, pause * random.uniform(0.5, 1.0)))  # noqa: S311 - jitter
                pause = min(pause * 2, LAST_PAUSE_SECONDS)

    def _once(self, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            return call()
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        except (FileTrouble, FileChanged):
            self._drop()  # half a request is on its way, or half an answer
            raise

    def _json(
        self, method: str, name: str, body: "bytes | _Body", headers: Mapping[str, str]
    ) -> dict[str, Any]:
        response = self._send(method, name, body, headers)
        self._compare_clocks(response.getheader("Date"))
        data = response.read()
        if response.status >= 300:
            self._raise(response.status, data)
        try:
            answer = json.loads(data or b"{}")
        except ValueError as error:  # a proxy's own page, for one
            raise Unreachable(
                f"{response.status} with a body that is not the orchestrator's"
            ) from error
        return answer if isinstance(answer, dict) else {}

    def _compare_clocks(self, date: str | None) -> None:
        """Note how far this machine's clock is ahead of the orchestrator's. A proxy may leave the header out."""
        try:
            then = email.utils.parsedate_to_datetime(date) if date else None
        except (ValueError, TypeError):
            return
        if then is not None:
            self.clock_ahead_seconds = time.time() - then.timestamp()

    def _send(
        self, method: str, name: str, body: Any, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        """One request. A kept connection may have been closed by the other side meanwhile: then once more on a new one."""
        kept: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if kept is not None:
            try:
                return self._ask(kept, method, name, body, headers)
            except (
                http.client.RemoteDisconnected,
                http.client.CannotSendRequest,
                BrokenPipeError,
                ConnectionResetError,
            ):
                self._drop()
                if isinstance(body, _Body):
                    body.rewind()
        return self._ask(self._connect(), method, name, body, headers)

    def _ask(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        name: str,
        body: Any,
        headers: Mapping[str, str],
    ) -> http.client.HTTPResponse:
        connection.request(
            method,
            self._path + name,
            body=body,
            headers={"Authorization": f"Bearer {self.token}", **headers},
        )
        return connection.getresponse()

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=TIMEOUT_SECONDS)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._local.connection = connection
        return connection

    def _drop(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
        self._local.connection = None

    def _raise(self, status: int, data: bytes) -> None:
        """Turn an error answer into what it demands. 429 and 5xx are as good as no answer: the same again later."""
        try:
            body = json.loads(data)
        except ValueError:
            body = {}
        if not isinstance(body, dict):
            body = {}
        code, message = str(body.get("code", "")), str(body.get("message", ""))
        detail = body.get("detail")
        if status == 429 or status >= 500:
            self._drop()
            raise Unreachable(f"{status} {code}: {message}")
        kind = Fenced if status == 410 else Refused
        raise kind(status, code, message, detail if isinstance(detail, dict) else {})


class _Body:
    """Exactly the first `size_bytes` of a file, whatever else is written to it meanwhile."""

    def __init__(self, file: IO[bytes], size_bytes: int) -> None:
        self._file, self._size = file, size_bytes
        self.rewind()

    def rewind(self) -> None:
        """From the start again."""
        self._file.seek(0)
        self._left = self._size

    def read(self, size: int = -1) -> bytes:
        """As http.client asks for it. Raises: FileTrouble, FileChanged."""
        wanted = self._left if size < 0 else min(size, self._left)
        if not wanted:
            return b""
        try:
            data = self._file.read(wanted)
        except OSError as error:
            raise FileTrouble(error) from error
        if not data:
            raise FileChanged("it became shorter while it was sent")
        self._left -= len(data)
        return data


def _saved(response: http.client.HTTPResponse, file: IO[bytes]) -> str:
    """The body in `file`, from its start; hex SHA-256 of it. Raises: FileTrouble."""
    digest = hashlib.sha256()
    try:
        file.seek(0)
        file.truncate()
    except OSError as error:
        raise FileTrouble(error) from error
    while piece := response.read(PIECE_BYTES):
        digest.update(piece)
        try:
            file.write(piece)
            file.flush()
        except OSError as error:
            raise FileTrouble(error) from error
    return digest.hexdigest()
