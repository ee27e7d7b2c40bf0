"""Models kept on this machine between jobs, content-addressed and encrypted, in a folder of their project.

All workers of the process launcher run as one user, so that a folder's mode keeps no project from another's entries: the key, which the
orchestrator gives to jobs of the project that read a model, and which stays in the supervisor, does. An entry's name and content say
nothing without it, and an entry that was changed is noticed: size and sha256 of the plain bytes are checked at every load, in a private
copy. A cache that cannot be read or written costs a download, never a job.

An entry is a nonce of 16 bytes and the model under AES-256 in counter mode; who made it is told by the sha256, not by the cipher.
"""

import contextlib
import hashlib
import hmac
import os
import re
import secrets
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from mimir.lib.crash import crash_point

PIECE_BYTES = 1024 * 1024
NONCE_BYTES = 16
LEFT_OVER_SECONDS = (
    3600.0  # after which a file under a temporary name has nobody who still writes it
)
_ENTRY = re.compile(r"[0-9a-f]{64}\.model")
_TEMPORARY = re.compile(r"\.[0-9a-f]{64}\.[0-9a-f]{16}\.new")


class ModelCache:
    """The models of one project on this machine."""

    def __init__(self, folder: Path, key: str, *, limit_bytes: int) -> None:
        """`key`: the project's, in hex. `limit_bytes`: of all entries together; the least recently used go first."""
        self._folder, self._limit_bytes = folder, limit_bytes
        secret = bytes.fromhex(key)
        self._names = hmac.digest(secret, b"names", "sha256")
        self._cipher_key = hmac.digest(secret, b"contents", "sha256")

    def load(self, sha256: str, size_bytes: int, target: IO[bytes]) -> bool:
        """Write the model into the empty file `target`, if it is here and whole. Raises: OSError of `target` alone."""
        entry = self._folder / self._name(sha256)
        with contextlib.ExitStack() as stack:
            try:
                source = stack.enter_context(_opened(entry))
            except FileNotFoundError:
                return False
            except OSError as error:
                _note("could not be read", error)
                return False
            try:
                if self._copied(source, target, sha256, size_bytes):
                    with contextlib.suppress(OSError):
                        os.utime(entry)  # when it was last used
                    return True
            except _CannotRead as error:
                _note("could not be read", error.error)
        target.seek(0)
        target.truncate()
        print(
            "worker: a cached model was not what it should be: it is thrown away and fetched again",
            file=sys.stderr,
        )
        with contextlib.suppress(OSError):
            entry.unlink()
        return False

    def keep(self, sha256: str, size_bytes: int, source: IO[bytes]) -> None:
        """Keep a model that was checked. On a full or read-only disk nothing is kept."""
        if size_bytes + NONCE_BYTES > self._limit_bytes:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._make_room(size_bytes + NONCE_BYTES)
            self._write(self._name(sha256), source)
        except OSError as error:
            _note("could not be kept", error)
        except _CannotRead as error:
            _note("could not be kept", error.error)

    def _name(self, sha256: str) -> str:
        return hmac.new(self._names, sha256.encode(), hashlib.sha256).hexdigest() + ".model"

    def _copied(self, source: IO[bytes], target: IO[bytes], sha256: str, size_bytes: int) -> bool:
        """Decrypt into `target`; whether that is the model."""
        digest, size = hashlib.sha256(), 0
        for piece in _pieces(source, self._cipher(source)):
            digest.update(piece)
            size += len(piece)
            if size > size_bytes:
                return False
            target.write(piece)
        target.flush()
        return size == size_bytes and hmac.compare_digest(digest.hexdigest(), sha256)

    def _cipher(self, source: IO[bytes] | None, nonce: bytes = b"") -> Any:
        """What turns plain into kept bytes, and back."""
        ciphers = _ciphers()
        return ciphers.Cipher(
            ciphers.algorithms.AES(self._cipher_key),
            ciphers.modes.CTR(nonce or _read_nonce(source)),
        ).encryptor()

    def _write(self, name: str, source: IO[bytes]) -> None:
        """Under a name nobody else uses, fsynced, then renamed: who looks finds a whole entry or none, and two who write do no harm."""
        temporary = self._folder / f".{name.removesuffix('.model')}.{secrets.token_hex(8)}.new"
        nonce = secrets.token_bytes(NONCE_BYTES)
        try:
            with os.fdopen(
                os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb"
            ) as file:
                file.write(nonce)
                source.seek(0)
                for piece in _pieces(source, self._cipher(None, nonce)):
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            crash_point("modelcache.before_rename")
            temporary.rename(self._folder / name)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise

    def _make_room(self, wanted_bytes: int) -> None:
        """Remove what was used longest ago, and what killed writers left. Who reads an entry that goes keeps the open file."""
        found = []
        for item in os.scandir(self._folder):
            with contextlib.suppress(OSError):
                facts = item.stat(follow_symlinks=False)
                if (
                    _TEMPORARY.fullmatch(item.name)
                    and time.time() - facts.st_mtime > LEFT_OVER_SECONDS
                ):
                    os.unlink(item.path)
                elif _ENTRY.fullmatch(item.name):
                    found.append((facts.st_mtime, facts.st_size, item.path))
        used = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if used + wanted_bytes <= self._limit_bytes:
                return
            with contextlib.suppress(OSError):
                os.unlink(path)
            used -= size


def _opened(path: Path) -> IO[bytes]:
    """A regular file: somebody may have put anything else in its place."""
    file = os.fdopen(
        os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb"
    )
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError("it is not a file")
    return file


def _read_nonce(source: IO[bytes] | None) -> bytes:
    nonce = _read(source, NONCE_BYTES) if source is not None else b""
    return nonce.ljust(NONCE_BYTES, b"\0")


class _CannotRead(Exception):
    """The disk does not give an entry back, which is not the trouble of the file it is copied to."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


def _read(source: IO[bytes], size: int) -> bytes:
    try:
        return source.read(size)
    except OSError as error:
        raise _CannotRead(error) from error


def _pieces(source: IO[bytes], cipher: Any) -> Iterator[bytes]:
    while piece := _read(source, PIECE_BYTES):
        yield cipher.update(piece)


def _ciphers() -> Any:
    """The one library the supervisor uses beside Python's own. It starts without site-packages: they are asked for here alone."""
    try:
        from cryptography.hazmat.primitives import ciphers
    except ImportError:
        import site

        site.main()
        from cryptography.hazmat.primitives import ciphers
    return ciphers


def _note(what: str, error: OSError) -> None:
    print(f"worker: the cached model {what}: {error}", file=sys.stderr)
