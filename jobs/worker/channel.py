"""Messages between workload and supervisor: JSON objects, one per line, over a socket pair.

Workload to supervisor:

- {"event": kind, "data": {…}}
- {"call": n, "fetch": input name}
- {"call": n, "artifact": path, "name", "role", "media_type"}
- {"done": {"status": "succeeded", "result": {…}}}
- {"done": {"status": "failed", "reason", "message", "detail"}}

Supervisor to workload:

- {"job": {…}, "limits": {…}, "inputs": […], "read_url_allow": […]}, once
- {"answer": n, …} for each call

User code does not inherit the socket. Messages of the workload are data: they can affect only this
attempt. A line that is not a JSON object is read as an empty object.
"""

import json
import socket
from collections.abc import Mapping

from mimir.lib.json_types import JsonObject

MESSAGE_BYTES_MAX = 1024 * 1024
DESCRIPTOR_VARIABLE = "MIMIR_CHANNEL_FD"


class MessageTooLarge(Exception):
    """A line is longer than MESSAGE_BYTES_MAX."""


class Channel:
    """One end of the socket pair. Blocking; one thread reads.

    `trusted`: messages of the other end can have any size (from the supervisor to its workload).
    """

    def __init__(self, end: socket.socket, *, trusted: bool = False) -> None:
        self.socket = end
        self._trusted = trusted
        self._rest = b""

    def send(self, message: Mapping[str, object]) -> None:
        """Send one object. Raises: OSError if the other end is closed."""
        self.socket.sendall(
            json.dumps(message, separators=(",", ":"), default=str).encode() + b"\n"
        )

    def receive(self) -> JsonObject | None:
        """Return the next object; None if the other end is closed. Raises: MessageTooLarge."""
        while b"\n" not in self._rest:
            messages = self.read_ready()
            if messages is None:
                return None
        line, _, self._rest = self._rest.partition(b"\n")
        return _parsed(line)

    def read_ready(self) -> bytes | None:
        """Read once into the buffer; None if the other end is closed. Raises: MessageTooLarge."""
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            # The other end died before it read everything. All that it sent has been read by now.
            data = b""
        if not data:
            return None
        self._rest += data
        if not self._trusted and len(self._rest) > MESSAGE_BYTES_MAX and b"\n" not in self._rest:
            raise MessageTooLarge
        return data

    def messages(self) -> list[JsonObject]:
        """Take the complete objects from the buffer."""
        *lines, self._rest = self._rest.split(b"\n")
        return [_parsed(line) for line in lines if line]


def _parsed(line: bytes) -> JsonObject:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
