"""Minimal load balancer that terminates TLS.

One request per connection; adds X-Forwarded-* headers as usual.
"""

import asyncio
import contextlib
import datetime as dt
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@contextmanager
def tls_proxy(folder: Path, *, port: int, upstream_port: int, client: str) -> Iterator[Path]:
    """Serve https://localhost:<port> in front of http://127.0.0.1:<upstream_port>; yield the CA
    file.

    `client`: the client address that it reports, because tests can only connect from loopback.
    """
    certificate = certificate_file(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    loop, started = asyncio.new_event_loop(), threading.Event()

    async def serve() -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await _pass_on(reader, writer, upstream_port, client)

        async with await asyncio.start_server(handle, "127.0.0.1", port, ssl=context):
            started.set()
            await asyncio.Event().wait()

    def run() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    task = loop.create_task(serve())
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    if not started.wait(10):
        raise RuntimeError("the proxy did not start")
    try:
        yield certificate
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream_port: int, client: str
) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        head = await reader.readuntil(b"\r\n\r\n")
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", upstream_port)
        up_writer.write(_forwarded(head, client))
        await asyncio.gather(_copy(reader, up_writer), _copy(up_reader, writer))


def _forwarded(head: bytes, address: str) -> bytes:
    """Return the head of the request with the forwarding headers.

    Existing addresses stay in front, as other proxies keep them.
    """
    request, *lines = head.rstrip(b"\r\n").split(b"\r\n")
    named = [
        (line.partition(b":")[0].strip().lower(), line.partition(b":")[2].strip()) for line in lines
    ]
    values = dict(named)
    chain = b", ".join(
        [*(value for name, value in named if name == b"x-forwarded-for"), address.encode()]
    )
    added = [
        (b"x-forwarded-for", chain),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-host", values.get(b"host", b"")),
    ]
    if b"upgrade" not in values:
        added.append((b"connection", b"close"))
    dropped = {name for name, _ in added}
    kept = [(name, value) for name, value in named if name not in dropped]
    return (
        b"\r\n".join([request, *(name + b": " + value for name, value in [*kept, *added])])
        + b"\r\n\r\n"
    )


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


def certificate_file(folder: Path) -> Path:
    """Create a key and a self-signed certificate for localhost, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "localhost.pem"
    path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return path
