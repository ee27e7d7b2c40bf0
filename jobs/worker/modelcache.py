"""Encrypted cache of models on this machine, content-addressed, one folder per project.

All workers of the process launcher run as one user, so file modes do not separate projects. The
key does: the orchestrator gives it only to jobs of the project that read a model, and it stays in
the supervisor. Names and contents of entries reveal nothing without the key. If the cache cannot be
read or written, the model is downloaded; no job fails.

Format of an entry: `MAGIC`, a random salt, then chunks of `CHUNK_BYTES` under AES-256-GCM, each
followed by its tag. The key of an entry is derived from the project's key and the salt, so nonces
can be counters: chunk number (8 bytes) and a flag of the last chunk (4 bytes). The name of the
entry is the associated data. No chunk is released before its tag is verified. Entries that are
truncated, reordered, renamed, of another project or of an older format are refused (the STREAM
construction of Hoang et al., 2015).
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
from typing import IO, Any, NamedTuple

from mimir.lib.crash import crash_point

MAGIC = b"mimir-model-2\n"
SALT_BYTES, TAG_BYTES = 16, 16
CHUNK_BYTES = 1024 * 1024
LEFT_OVER_SECONDS = 3600.0  # age at which a temporary file has no writer any more
_ENTRY = re.compile(r"[0-9a-f]{64}\.model")
_TEMPORARY = re.compile(r"\.[0-9a-f]{64}\.[0-9a-f]{16}\.new")


class ModelCache:
    """Models of one project on this machine."""

    def __init__(self, folder: Path, key: str, *, limit_bytes: int) -> None:
        """`key`: the project's, in hex.

        `limit_bytes`: maximum size of all entries; the least recently used is removed first.
        """
        self._folder, self._limit_bytes = folder, limit_bytes
        secret = bytes.fromhex(key)
        self._names = hmac.digest(secret, b"names", "sha256")
        self._secret = hmac.digest(secret, b"contents", "sha256")

    def load(self, sha256: str, size_bytes: int, target: IO[bytes]) -> bool:
        """Write the model into the empty file `target`; return whether the cache has it.

        A damaged entry is removed. Raises: OSError of `target` only.
        """
        entry = self._folder / self._name(sha256)
        with contextlib.ExitStack() as stack:
            try:
                source = stack.enter_context(_opened(entry))
            except FileNotFoundError:
                return False
            except OSError as error:
                _log("could not be read", error)
                return False
            try:
                if self._decrypt(source, target, sha256, size_bytes):
                    with contextlib.suppress(OSError):
                        os.utime(entry)  # time of last use
                    return True
            except _CannotRead as error:
                _log("could not be read", error.error)
        target.seek(0)
        target.truncate()
        print("worker: a cached model is damaged and is downloaded again", file=sys.stderr)
        with contextlib.suppress(OSError):
            entry.unlink()
        return False

    def keep(self, sha256: str, size_bytes: int, source: IO[bytes]) -> None:
        """Store a verified model. Skip one above the size limit; only print an OSError."""
        stored_bytes = entry_bytes(size_bytes)
        if stored_bytes > self._limit_bytes:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._free_space(stored_bytes)
            self._write(self._name(sha256), source)
        except OSError as error:
            _log("could not be stored", error)
        except _CannotRead as error:
            _log("could not be stored", error.error)

    def _name(self, sha256: str) -> str:
        return hmac.new(self._names, sha256.encode(), hashlib.sha256).hexdigest() + ".model"

    def _aead(self, salt: bytes) -> Any:
        return _aead_module().AESGCM(hmac.digest(self._secret, salt, "sha256"))

    def _decrypt(self, source: IO[bytes], target: IO[bytes], sha256: str, size_bytes: int) -> bool:
        """Decrypt into `target`; return whether the entry is intact and is the model."""
        header = _read(source, len(MAGIC) + SALT_BYTES)
        if len(header) != len(MAGIC) + SALT_BYTES or not header.startswith(MAGIC):
            return False
        aead, name = self._aead(header[len(MAGIC) :]), self._name(sha256).encode()
        invalid_tag = _aead_module().InvalidTag
        digest, size = hashlib.sha256(), 0
        for number, sealed, is_last in _chunks(source, CHUNK_BYTES + TAG_BYTES):
            try:
                plain = aead.decrypt(_nonce(number, is_last), sealed, name)
            except (invalid_tag, ValueError):
                return False
            digest.update(plain)
            size += len(plain)
            if size > size_bytes:
                return False
            target.write(plain)
        target.flush()
        return size == size_bytes and hmac.compare_digest(digest.hexdigest(), sha256)

    def _write(self, name: str, source: IO[bytes]) -> None:
        """Write a temporary file, fsync it and rename it: readers find a whole entry or none."""
        temporary = self._folder / f".{name.removesuffix('.model')}.{secrets.token_hex(8)}.new"
        salt = secrets.token_bytes(SALT_BYTES)
        aead = self._aead(salt)
        try:
            with os.fdopen(
                os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb"
            ) as file:
                file.write(MAGIC + salt)
                source.seek(0)
                for number, plain, is_last in _chunks(source, CHUNK_BYTES):
                    file.write(aead.encrypt(_nonce(number, is_last), plain, name.encode()))
                file.flush()
                os.fsync(file.fileno())
            crash_point("modelcache.before_rename")
            temporary.rename(self._folder / name)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise

    def _free_space(self, wanted_bytes: int) -> None:
        """Remove least recently used entries and files that killed writers left.

        A reader of a removed entry keeps its open file.
        """
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
    """Open a regular file; refuse links, pipes and directories."""
    file = os.fdopen(
        os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb"
    )
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError("it is not a regular file")
    return file


class _CannotRead(Exception):
    """The disk of the entry failed, not the disk of the file it is copied to."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


def _read(source: IO[bytes], size: int) -> bytes:
    try:
        return source.read(size)
    except OSError as error:
        raise _CannotRead(error) from error


def _chunks(source: IO[bytes], size: int) -> Iterator[tuple[int, bytes, bool]]:
    """Read chunks: number, bytes, and whether it is the last. An empty file has one empty chunk."""
    number, chunk = 0, _read(source, size)
    while True:
        following = _read(source, size)
        yield number, chunk, not following
        if not following:
            return
        number, chunk = number + 1, following


def _nonce(number: int, is_last: bool) -> bytes:
    return number.to_bytes(8, "big") + int(is_last).to_bytes(4, "big")


def entry_bytes(size_bytes: int) -> int:
    """Return the size of the entry of a model of `size_bytes`."""
    chunks = max(1, -(-size_bytes // CHUNK_BYTES))
    return len(MAGIC) + SALT_BYTES + size_bytes + chunks * TAG_BYTES


class _Aead(NamedTuple):
    AESGCM: Any
    InvalidTag: type[Exception]


def _aead_module() -> _Aead:
    """Import the only third-party library that the supervisor uses.

    The supervisor starts without site-packages, to start faster; they are added here.
    """
    try:
        from cryptography.exceptions import InvalidTag
    except ImportError:
        import site

        site.main()
        from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return _Aead(AESGCM, InvalidTag)


def _log(event: str, error: OSError) -> None:
    print(f"worker: the cached model {event}: {error}", file=sys.stderr)
