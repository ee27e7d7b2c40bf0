"""Ports: two known ones for users, and free ones for the rest."""

import errno
import os
import socket


class PortTaken(Exception):
    """The port is in use. The message says which variable changes it."""


def port_of(variable: str, default: int, *, other_than: int = 0) -> int:
    """Return the port in `variable`, else `default`.

    Raises: PortTaken, also for an invalid port, and for `other_than`.
    """
    text = os.environ.get(variable) or str(default)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise PortTaken(f"{variable}={text} is not a port. Use a number from 1 to 65535.")
    port = int(text)
    if port == other_than:
        raise PortTaken(
            f"{variable}={port} is also the port of the other server. Choose another one."
        )
    if not is_free(port):
        raise PortTaken(
            f"Port {port} is in use by another program. Stop it, or choose another port: "
            f"{variable}={_next_free(port)} make up"
        )
    return port


def _next_free(port: int) -> int:
    """Return a free port near `port`, or any free port, for the message."""
    return (
        next((near for near in range(port + 1, min(port + 50, 65536)) if is_free(near)), 0)
        or free_port()
    )


def is_free(port: int) -> bool:
    """Whether no process listens on this port of `localhost` (IPv4 and IPv6)."""
    return all(
        _can_bind(family, host, port)
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
    )


def _can_bind(family: int, host: str, port: int) -> bool:
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return (
            error.errno != errno.EADDRINUSE
        )  # otherwise no IPv6, or a privileged port: the server reports it
    return True


def free_port() -> int:
    """Return a port that is currently free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether a process listens on this port of the machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
