"""`python -m tests.fakes.kubernetes --port 0 [--real-time] [--latency-ms N] [--cert FILE]`: the
fake as a separate process.

Prints one line of JSON, {"port", "token"}, when it listens. Ends with SIGTERM, or when its standard
input ends, so that it never outlives a test.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import os
import secrets
import signal
import ssl
import threading
from collections.abc import Callable

from tests.fakes.kubernetes.cluster import Settings
from tests.fakes.kubernetes.control import Control
from tests.fakes.kubernetes.server import serve


async def run(arguments: argparse.Namespace) -> None:
    control = Control(
        Settings(
            real_time=arguments.real_time,
            latency_seconds=arguments.latency_ms / 1000,
            seed=arguments.seed,
        )
    )
    token = secrets.token_urlsafe(24)
    context = None
    if arguments.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(arguments.cert)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    threading.Thread(
        target=_await_end, args=(lambda: loop.call_soon_threadsafe(stop.set),), daemon=True
    ).start()
    server, port = await serve(control, port=arguments.port, token=token, ssl=context)
    print(json.dumps({"port": port, "token": token}), flush=True)
    await stop.wait()
    server.close()


def _await_end(then: Callable[[], object]) -> None:
    """Wait for the end of standard input, in a thread: an event loop cannot watch every kind of
    file.
    """
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    with contextlib.suppress(RuntimeError):  # the loop has already ended
        then()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.kubernetes")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--real-time", action="store_true", help="the clock goes by itself")
    parser.add_argument(
        "--latency-ms",
        type=float,
        default=0.0,
        help="real milliseconds before each answer of the API",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cert", default="", help="certificate and key in one PEM file: serve TLS")
    arguments = parser.parse_args()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)  # each collection scans tens of thousands of live objects
    asyncio.run(run(arguments))


main()
