"""HTTP client of the worker API: one connection per thread, retries with back-off.

It uses only the standard library. Its exceptions say what the caller must do. Each call can be
repeated; the caller sets for how long. See docs/reference/worker-protocol.md.
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
from typing import IO, cast
from urllib.parse import quote, urlsplit

from jobs.contract.protocol import LogResponse, RequestBody
from jobs.worker.retry_time import shortened
from mimir.lib.json_types import Json, JsonObject

TIMEOUT_SECONDS = 30.0
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 0.1, 5.0
RETRY_AFTER_SECONDS_MAX = 60.0  # a longer Retry-After counts as this
PIECE_BYTES = 256 * 1024
# Complete downloads with a wrong checksum after which the stored content counts as changed; fewer
# can be a fault of the connection.
WRONG_MAX = 3


class Refused(Exception):
    """Error answer that a retry does not fix: `status`, `code`, `message` and `detail`."""

    def __init__(self, status: int, code: str, message: str, detail: Mapping[str, Json]) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message, self.detail = status, code, message, detail


class Fenced(Refused):
    """410: this attempt must stop."""


class Unreachable(Exception):
    """No answer within the caller's time.

    `retry_after_seconds`: the Retry-After of the last answer if it was 429 or 5xx; None without it.
    """

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Backoff:
    """Pauses between failed calls, with jitter: many workers must not call at the same moment."""

    def __init__(self) -> None:
        self._longest = FIRST_PAUSE_SECONDS

    def reset(self) -> None:
        """Start over after a success."""
        self._longest = FIRST_PAUSE_SECONDS

    def next_pause(self, error: Unreachable) -> float:
        """Return the seconds before the next call.

        With Retry-After: that time, at most RETRY_AFTER_SECONDS_MAX, multiplied by 1.0 to 1.5.
        Otherwise a random time up to a bound that doubles to LAST_PAUSE_SECONDS.
        """
        if error.retry_after_seconds is not None:
            least = min(error.retry_after_seconds, RETRY_AFTER_SECONDS_MAX)
            return least * random.uniform(1.0, 1.5)  # noqa: S311 - jitter
        longest, self._longest = self._longest, min(self._longest * 2, LAST_PAUSE_SECONDS)
        return random.uniform(0.0, longest)  # noqa: S311 - jitter


class FileTrouble(Exception):
    """A local file failed, not the connection. A retry does not fix it; `error` is the cause."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
        self.error = error


class ContentChanged(Exception):
    """The checksum is wrong after repeated complete downloads: the stored object changed."""


class FileChanged(Exception):
    """A file became shorter during its upload."""


class Client:
    """API calls of one attempt. Thread-safe: each thread has its own connection."""

    def __init__(self, base_url: str, attempt_id: str, token: str) -> None:
        parts = urlsplit(base_url)
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname or "localhost", parts.port
        self._path = f"{parts.path.rstrip('/')}/worker/v1/attempts/{attempt_id}/"
        self._local = threading.local()
        self.token = token
        # This machine's clock minus the `Date` of the orchestrator's last answer.
        self.clock_ahead_seconds = 0.0

    def post(
        self,
        name: str,
        body: RequestBody,
        *,
        patience_seconds: float,
        on_failure: "Callable[[Unreachable], None] | None" = None,
    ) -> JsonObject:
        """POST JSON, retried for `patience_seconds`; return the object of the answer.

        `on_failure` is called after each try without an answer. Raises: Refused, Fenced,
        Unreachable.
        """
        data = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        return self._repeat(
            lambda: self._json("POST", name, data, headers), patience_seconds, on_failure
        )

    def post_log(self, offset: int, data: bytes) -> LogResponse:
        """POST one chunk of log bytes, without retries. Raises: Refused, Fenced, Unreachable."""
        headers = {"Content-Type": "application/octet-stream"}
        answer = self._once(lambda: self._json("POST", f"logs?offset={offset}", data, headers))
        return cast("LogResponse", answer)

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
    ) -> JsonObject:
        """PUT the first `size_bytes` of a file. Each retry starts over.

        Raises: Refused, Fenced, Unreachable, FileTrouble, FileChanged.
        """
        headers = {
            "Content-Type": media_type,
            "Content-Length": str(size_bytes),
            "X-Content-SHA256": sha256,
        }

        def send() -> JsonObject:
            return self._json(
                "PUT", f"artifacts/{quote(name)}?role={role}", _Body(file, size_bytes), headers
            )

        return self._repeat(send, patience_seconds)

    def get_input(self, name: str, file: IO[bytes], *, patience_seconds: float) -> None:
        """GET an input into `file`. Each retry starts over, until the content is complete.

        Raises: Refused, Fenced, Unreachable, FileTrouble, ContentChanged.
        """
        wrong = 0

        def fetch() -> JsonObject:
            nonlocal wrong
            response = self._send("GET", f"inputs/{quote(name)}", None, {})
            if response.status != 200:
                self._raise(response, response.read())
            # A broken connection looks like the end of the body. Only the checksum shows that the
            # body is complete.
            if _saved(response, file) != response.getheader("X-Content-SHA256", "").lower():
                self._drop()
                wrong += file.tell() == int(response.getheader("Content-Length") or -1)
                if wrong >= WRONG_MAX:
                    raise ContentChanged(
                        f"the stored content of input {name} does not match its checksum"
                    )
                raise Unreachable(f"the download of input {name} does not match its checksum")
            return {}

        self._repeat(fetch, patience_seconds)

    def _repeat(
        self,
        call: Callable[[], JsonObject],
        patience_seconds: float,
        on_failure: "Callable[[Unreachable], None] | None" = None,
    ) -> JsonObject:
        end = time.monotonic() + patience_seconds
        backoff = Backoff()
        while True:
            try:
                return self._once(call)
            except Unreachable as error:
                if on_failure is not None:
                    on_failure(error)
                left = end - time.monotonic()
                if left <= 0:
                    raise
                time.sleep(min(left, shortened(backoff.next_pause(error), left)))

    def _once(self, call: Callable[[], JsonObject]) -> JsonObject:
        try:
            return call()
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        except (FileTrouble, FileChanged):
            self._drop()  # a request or an answer is incomplete
            raise

    def _json(
        self, method: str, name: str, body: "bytes | _Body", headers: Mapping[str, str]
    ) -> JsonObject:
        response = self._send(method, name, body, headers)
        self._compare_clocks(response.getheader("Date"))
        data = response.read()
        if response.status >= 300:
            self._raise(response, data)
        try:
            answer = json.loads(data or b"{}")
        except ValueError as error:  # for example the error page of a proxy
            raise Unreachable(
                f"{response.status} with a body that is not the orchestrator's"
            ) from error
        return answer if isinstance(answer, dict) else {}

    def _compare_clocks(self, date: str | None) -> None:
        """Store the offset of this machine's clock. A proxy may remove the Date header."""
        try:
            then = email.utils.parsedate_to_datetime(date) if date else None
        except (ValueError, TypeError):
            return
        if then is not None:
            self.clock_ahead_seconds = time.time() - then.timestamp()

    def _send(
        self, method: str, name: str, body: "bytes | _Body | None", headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        """Send one request.

        The other side may have closed a reused connection: the request is then sent once more on a
        new one.
        """
        reused: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if reused is not None:
            try:
                return self._ask(reused, method, name, body, headers)
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
        body: "bytes | _Body | None",
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

    def _raise(self, response: http.client.HTTPResponse, data: bytes) -> None:
        """Raise the exception of an error answer. 429 and 5xx count as unreachable: retried."""
        status = response.status
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
            wait = response.getheader("Retry-After", "")
            seconds = float(wait) if wait.isascii() and wait.isdigit() else None
            raise Unreachable(f"{status} {code}: {message}", seconds)
        kind = Fenced if status == 410 else Refused
        raise kind(status, code, message, detail if isinstance(detail, dict) else {})


class _Body:
    """Request body: exactly the first `size_bytes` of a file, even if the file grows."""

    def __init__(self, file: IO[bytes], size_bytes: int) -> None:
        self._file, self._size = file, size_bytes
        self.rewind()

    def rewind(self) -> None:
        """Start over."""
        self._file.seek(0)
        self._left = self._size

    def read(self, size: int = -1) -> bytes:
        """Read for http.client. Raises: FileTrouble, FileChanged."""
        wanted = self._left if size < 0 else min(size, self._left)
        if not wanted:
            return b""
        try:
            data = self._file.read(wanted)
        except OSError as error:
            raise FileTrouble(error) from error
        if not data:
            raise FileChanged("the file became shorter during the upload")
        self._left -= len(data)
        return data


def _saved(response: http.client.HTTPResponse, file: IO[bytes]) -> str:
    """Write the body into `file` from its start; return its hex SHA-256. Raises: FileTrouble."""
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
