"""Ports of the installation: free, used and invalid ones."""

import socket

import pytest

from mimir.dev.ports import PortTaken, free_port, is_free, port_of


def test_the_default_is_used_when_the_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORT", raising=False)
    port = free_port()
    assert port_of("PORT", port) == port


@pytest.mark.parametrize("text", ["abc", "0", "65536", "-1", "3000x", "٣٠٠٠"])
def test_an_invalid_port_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PORT", text)
    with pytest.raises(PortTaken, match=r"PORT=.* is not a port"):
        port_of("PORT", 3000)


@pytest.mark.parametrize(
    "address",
    [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::1")],
)
def test_a_used_port_is_reported_with_the_variable_that_changes_it(
    monkeypatch: pytest.MonkeyPatch, address: tuple[int, str]
) -> None:
    address_family, host = address
    with socket.socket(address_family) as other:
        try:
            other.bind((host, 0))
        except OSError:
            return  # without IPv6 on this machine, no process can use the port
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setenv("API_PORT", str(port))
        with pytest.raises(PortTaken, match=rf"Port {port} is in use .*: API_PORT=\d+ make up"):
            port_of("API_PORT", 8080)


def test_both_servers_on_one_port_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("API_PORT", str(port))
    with pytest.raises(PortTaken, match="the other server"):
        port_of("API_PORT", 8080, other_than=port)


def test_a_free_port_is_free() -> None:
    assert is_free(free_port())
