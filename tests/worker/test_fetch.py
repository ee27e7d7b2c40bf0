"""Reading a URL given by a user.

Forbidden addresses, and errors of servers that misbehave.
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.contract import FailureReason
from jobs.worker.pipelines import fetch
from jobs.worker.pipelines.fetch import fetch_url, is_allowed
from jobs.worker.workload_context import WorkFailed
from mimir.lib.addresses import SPECIAL_IPV4, SPECIAL_IPV6

pytestmark = pytest.mark.timeout(60)
LOCAL = ["127.0.0.1"]
Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server and return its address.

    The server passes the first line of each connection to `answer(line, connection)`.
    """
    servers: list[socket.socket] = []

    def begin(answer: Callable[[str, socket.socket], None]) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def accept() -> None:
            while True:
                try:
                    connection, _address = server.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=(connection,), daemon=True).start()

        def one(connection: socket.socket) -> None:
            with connection:
                data = b""
                while b"\r\n\r\n" not in data and (piece := connection.recv(4096)):
                    data += piece
                    if not data.startswith(b"GET "):
                        return
                try:
                    answer(data.split(b"\r\n")[0].decode(), connection)
                except OSError:
                    return  # the client has gone

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}"

    yield begin
    for server in servers:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def _body(data: bytes, **headers: str) -> Callable[[str, socket.socket], None]:
    lines = "".join(
        f"{name.replace('_', '-')}: {value}\r\n"
        for name, value in {"Content_Length": str(len(data)), **headers}.items()
    )
    return lambda _line, connection: connection.sendall(
        f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode() + data
    )


def _failure(url: str, path: Path, allow: list[str] | None = None) -> WorkFailed:
    with pytest.raises(WorkFailed) as caught:
        fetch_url(url, path, allow=LOCAL if allow is None else allow)
    return caught.value


def test_a_body_is_saved_as_it_is(serve: Serve, tmp_path: Path) -> None:
    data = bytes(range(256)) * 9000
    fetch_url(serve(_body(data)) + "/x", tmp_path / "x", allow=LOCAL)
    assert (tmp_path / "x").read_bytes() == data


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "localhost", "10.0.0.1",  # noqa: E501
     "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "[fe80::1]", "[fc00::1]",  # noqa: E501
     "[fec0::1]", "[ff02::1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[::127.0.0.1]", "168.63.129.16",  # noqa: E501
     "[::ffff:168.63.129.16]", "[64:ff9b::a83f:8110]", "[2002:a83f:8110::1]", "192.88.99.1", "192.0.0.9", "192.31.196.1", "[3fff::1]"],  # noqa: E501
)  # fmt: skip
def test_a_private_address_is_never_contacted(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contacted: list[Any] = []
    monkeypatch.setattr(
        socket, "create_connection", lambda *arguments, **_: contacted.append(arguments)
    )
    failure = _failure(f"http://{host}/x", tmp_path / "x", allow=[])
    assert failure.reason is FailureReason.INVALID_INPUT
    assert "READ_URL_ALLOW" in failure.message
    assert contacted == []


@pytest.mark.parametrize("network", [*SPECIAL_IPV4, *SPECIAL_IPV6])
def test_no_address_of_a_special_purpose_registry_is_public(network: str) -> None:
    """Check the first and last address of a network, also in the IPv6 forms of IPv4 addresses."""
    found = ipaddress.ip_network(network)
    for address in (found[0], found[-1]):
        if network in ("64:ff9b::/96", "2002::/16") and address == found[-1]:
            continue  # the embedded addresses differ; each is checked separately
        assert not is_allowed("example.org", str(address), []), address
        if isinstance(address, ipaddress.IPv4Address):
            bits = int(address)
            forms = [
                f"::ffff:{address}",
                f"64:ff9b::{address}",
                f"2002:{bits >> 16:x}:{bits & 0xFFFF:x}::1",
                f"::{address}",
            ]
            forms += [f"2600::5efe:{address}", f"::ffff:0:{address}"]
            for form in forms:
                assert not is_allowed("example.org", form, []), form


@pytest.mark.parametrize(
    "address", ["64:ff9b::8.8.8.8", "2002:808:808::1", "2a00:1450::1", "2606:4700::1"]
)
def test_a_public_address_in_another_form_is_allowed(address: str) -> None:
    assert is_allowed("example.org", address, [])


def test_teredo_and_unassigned_space_are_refused() -> None:
    for address in ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "4000::1", "8000::1", "::1:2:3:4"):
        assert not is_allowed("example.org", address, []), address


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_a_public_address_is_allowed(address: str) -> None:
    assert is_allowed("example.org", address, [])


@pytest.mark.parametrize(
    ("entry", "host", "address", "allowed"),
    [
        ("10.1.0.0/16", "db.internal", "10.1.2.3", True),
        ("10.1.0.0/16", "db.internal", "10.2.2.3", False),
        ("10.1.0.0/16", "db.internal", "::ffff:10.1.2.3", True),
        ("data.internal", "DATA.internal", "10.9.9.9", True),
        ("data.internal", "other.internal", "10.9.9.9", False),
        ("fd00::/8", "six.internal", "fd00::1", True),
        ("0.0.0.0/0", "six.internal", "fd00::1", False),
    ],
)
def test_an_administrator_allows_hosts_and_networks(
    entry: str, host: str, address: str, allowed: bool
) -> None:
    assert is_allowed(host, address, [entry]) is allowed


def _resolve(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Make each name resolve to the next list of addresses; return the addresses connected to."""
    left, connected = list(answers), list[str]()
    real = socket.create_connection

    def resolved(host: str, port: int, *_rest: Any, **_named: Any) -> list[Any]:
        found = [host] if host == "127.0.0.1" else left.pop(0) if len(left) > 1 else left[0]
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (address, port),
            )
            for address in found
        ]

    def connect(address: tuple[str, int], **named: Any) -> socket.socket:
        connected.append(address[0])
        if address[0] != "127.0.0.1":
            raise OSError(101, "Network is unreachable")
        return real(address, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    monkeypatch.setattr(socket, "create_connection", connect)
    return connected


def test_the_address_that_was_checked_is_the_one_that_is_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name resolves to a public address first, and to this machine afterwards."""
    connected = _resolve(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    failure = _failure("http://rebinds.example/x", tmp_path / "x", allow=[])
    assert failure.reason is FailureReason.SOURCE_UNAVAILABLE
    assert connected == ["8.8.8.8"]


def test_one_private_address_among_public_ones_refuses_them_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = _resolve(monkeypatch, ["8.8.8.8", "127.0.0.1"])
    assert (
        _failure("http://mixed.example/x", tmp_path / "x", allow=[]).reason
        is FailureReason.INVALID_INPUT
    )
    assert connected == []


def test_an_address_that_cannot_be_reached_is_not_the_last_one_tried(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host has an IPv6 address, but this machine has no IPv6 route."""
    address = serve(_body(b"a\n1\n"))
    connected = _resolve(monkeypatch, ["2606:4700::1111", "127.0.0.1"])
    fetch_url(address.replace("127.0.0.1", "two.example"), tmp_path / "x", allow=LOCAL)
    assert connected == ["2606:4700::1111", "127.0.0.1"]
    assert (tmp_path / "x").read_bytes() == b"a\n1\n"


def _redirect(*targets: str) -> Callable[[str, socket.socket], None]:
    left = list(targets)

    def answer(_line: str, connection: socket.socket) -> None:
        target = left.pop(0) if len(left) > 1 else left[0]
        connection.sendall(
            f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
        )

    return answer


@pytest.mark.parametrize(
    ("target", "reason", "says"),
    [
        (
            "http://169.254.169.254/latest/meta-data",
            FailureReason.INVALID_INPUT,
            "169.254.169.254, a private or special-purpose address",
        ),
        (
            "http://[::1]/x",
            FailureReason.INVALID_INPUT,
            "::1, a private or special-purpose address",
        ),
        ("file:///etc/passwd", FailureReason.INVALID_INPUT, "not http or https"),
        ("gopher://127.0.0.1/x", FailureReason.INVALID_INPUT, "not http or https"),
        ("http://[::1", FailureReason.INVALID_INPUT, "is not a URL"),
        ("http://127.0.0.1:99999/", FailureReason.INVALID_INPUT, "is not a URL"),
        (
            "http://" + "a" * 70 + ".example/",
            FailureReason.INVALID_INPUT,
            "is not a valid host name",
        ),
        ("/again", FailureReason.INVALID_INPUT, "more than 5 redirects"),
    ],
)
def test_where_a_redirect_leads_is_checked_again(
    serve: Serve, tmp_path: Path, target: str, reason: FailureReason, says: str
) -> None:
    failure = _failure(serve(_redirect(target)) + "/x", tmp_path / "x")
    assert failure.reason is reason
    assert says in failure.message


def test_a_redirect_is_followed(serve: Serve, tmp_path: Path) -> None:
    contacted: list[str] = []

    def answer(line: str, connection: socket.socket) -> None:
        contacted.append(line.split(" ")[1])
        (_redirect("there%20it/is.csv?a=b") if len(contacted) == 1 else _body(b"a\n1\n"))(
            line, connection
        )

    fetch_url(serve(answer) + "/größer/x y?q=ü", tmp_path / "x", allow=LOCAL)
    assert contacted == [
        "/gr%C3%B6%C3%9Fer/x%20y?q=%C3%BC",
        "/gr%C3%B6%C3%9Fer/there%20it/is.csv?a=b",
    ]
    assert (tmp_path / "x").read_bytes() == b"a\n1\n"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (404, "invalid_input"),
        (403, "invalid_input"),
        (204, "invalid_input"),
        (429, "source_unavailable"),
        (500, "source_unavailable"),
    ],
)
def test_an_error_says_whether_a_retry_helps(
    serve: Serve, tmp_path: Path, status: int, reason: str
) -> None:
    failure = _failure(
        serve(
            lambda _line, connection: connection.sendall(
                b"HTTP/1.1 %d Odd\r\nContent-Length: 0\r\n\r\n" % status
            )
        ),
        tmp_path / "x",
    )
    assert (failure.reason, f"answered {status} Odd" in failure.message) == (reason, True)


def test_a_body_that_ends_early_is_not_a_table(serve: Serve, tmp_path: Path) -> None:
    failure = _failure(serve(_body(b"a\n1\n", Content_Length="1000")), tmp_path / "x")
    assert (failure.reason, failure.message) == (
        FailureReason.SOURCE_UNAVAILABLE,
        "it ended after 4 of 1000 bytes",
    )


def test_a_body_over_the_limit_is_refused_before_all_of_it_came(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "BYTES_MAX", 3 * fetch.PIECE_BYTES)

    def endless(_line: str, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    failure = _failure(serve(endless), tmp_path / "x")
    assert failure.reason is FailureReason.INVALID_INPUT
    assert "larger than" in failure.message
    assert (tmp_path / "x").stat().st_size <= 3 * fetch.PIECE_BYTES


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
    ],
)
def test_a_slow_source_is_aborted_at_the_time_limit(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: bytes
) -> None:
    """The source is slow before its head, in it, and in its body, with or without a length.

    Each single read receives data in time.
    """
    monkeypatch.setattr(fetch, "TOTAL_SECONDS", 0.5)

    def drip(_line: str, connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(b"x")
            time.sleep(0.02)

    began = time.monotonic()
    failure = _failure(serve(drip), tmp_path / "x")
    assert failure.reason is FailureReason.SOURCE_UNAVAILABLE
    assert "took longer than" in failure.message
    assert time.monotonic() - began < 20


def test_a_source_without_tls_is_not_taken_for_one(serve: Serve, tmp_path: Path) -> None:
    failure = _failure(serve(_body(b"a\n1\n")).replace("http:", "https:"), tmp_path / "x")
    assert failure.reason is FailureReason.SOURCE_UNAVAILABLE


def test_a_full_disk_is_not_the_sources_fault(serve: Serve, tmp_path: Path) -> None:
    failure = _failure(serve(_body(b"a\n1\n")), Path("/dev/full"))
    assert (failure.reason, failure.message) == (
        FailureReason.DISK_FULL,
        "it could not be saved: No space left on device",
    )


def test_a_compressed_answer_is_refused(serve: Serve, tmp_path: Path) -> None:
    failure = _failure(serve(_body(b"\x1f\x8b", Content_Encoding="gzip")), tmp_path / "x")
    assert "sent a compressed response" in failure.message
