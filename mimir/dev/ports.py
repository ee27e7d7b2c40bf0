"""Ports: the two that people know, and free ones for the rest."""

import os
import socket


class PortTaken(Exception):
    """Somebody else listens there. The message says which variable changes it."""


def port_of(variable: str, default: int) -> int:
    """The port that `variable` names. Raises: PortTaken, also for what is no port."""
    text = os.environ.get(variable) or str(default)
    if not (text.isdigit() and 1 <= int(text) <= 65535):
        raise PortTaken(f"{variable}={text} is not a port: use a number from 1 to 65535.")
    if not is_free(int(text)):
        raise PortTaken(f"Port {text} is taken by another program. Stop that one, or choose another port: {variable}={int(text) + 1} make up")
    return int(text)


def is_free(port: int) -> bool:
    """Whether we could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
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
