"""Ports: the two that people know, and free ones for the rest."""

import errno
import os
import socket


class PortTaken(Exception):
    """Somebody else listens there. The message says which variable changes it."""


def port_of(variable: str, default: int, *, other_than: int = 0) -> int:
    """The port that `variable` names. Raises: PortTaken, also for what is no port."""
    text = os.environ.get(variable) or str(default)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise PortTaken(f"{variable}={text} is not a port: use a number from 1 to 65535.")
    port = int(text)
    if port == other_than:
        raise PortTaken(
            f"{variable}={port} is the port of our other server too: choose another one."
        )
    if not is_free(port):
        raise PortTaken(
            f"Port {port} is taken by another program. Stop that one, or choose another port: {variable}={_next_free(port)} make up"
        )
    return port


def _next_free(port: int) -> int:
    """A port near `port`, for the advice; any other where none near is free."""
    return (
        next((near for near in range(port + 1, min(port + 50, 65536)) if is_free(near)), 0)
        or free_port()
    )


def is_free(port: int) -> bool:
    """Whether we could listen there, and nobody else would answer for `localhost`."""
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
        )  # else a machine without IPv6, or a port that only root may use: the server says so
    return True


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether somebody listens on this machine's `port`."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
