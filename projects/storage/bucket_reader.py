"""Seekable reader of one object in a bucket. It reconnects after a broken connection."""

import datetime as dt
import io
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from mimir.lib.errors import StorageAway

READ_TRIES = 4  # for one block; a retry continues at the offset where the connection broke
_PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class ObjectMetadata:
    """Size, modification time and ETag of a stored object. A folder has no ETag."""

    size_bytes: int
    modified_at: dt.datetime
    etag: str = ""


class ReadableBucket(Protocol):
    """The parts of a bucket that a reader needs."""

    bucket: str

    def key(self, name: str) -> str:
        """Return the key of an object in the bucket."""

    def client(self, name: str) -> AbstractContextManager[Any]:
        """Provide the S3 client and translate its errors."""


class BucketReader(io.RawIOBase):
    """Bytes of an object from any offset.

    One GET serves sequential reads. A seek or a broken connection starts another GET.
    """

    def __init__(self, bucket: ReadableBucket, name: str, metadata: ObjectMetadata) -> None:
        self._bucket, self._name, self._metadata = bucket, name, metadata
        self._offset = 0
        self._body: Any = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._offset

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        size = self._metadata.size_bytes
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._offset, io.SEEK_END: size}[whence]
        target = max(start + offset, 0)
        if target != self._offset:
            self._drop_body()
        self._offset = target
        return target

    def readinto(self, buffer: Any) -> int:
        """Read into `buffer`. Raises: FileNotFoundError; StorageAway after READ_TRIES failures."""
        wanted = min(len(buffer), self._metadata.size_bytes - self._offset)
        if wanted <= 0:
            return 0
        for tries_left in reversed(range(READ_TRIES)):
            self._body = self._body or self._open_body()
            try:
                block = self._read_block(wanted)
                break
            except StorageAway:
                self._drop_body()
                if not tries_left:
                    raise
                time.sleep(_PAUSE_SECONDS * (READ_TRIES - tries_left))
        buffer[: len(block)] = block
        self._offset += len(block)
        return len(block)

    def _open_body(self) -> Any:
        """Start a GET at the present offset. The client retries it; `readinto` does not."""
        bucket = self._bucket
        with bucket.client(self._name) as client:
            return client.get_object(
                Bucket=bucket.bucket,
                Key=bucket.key(self._name),
                Range=f"bytes={self._offset}-",
                IfMatch=self._metadata.etag,
            )["Body"]

    def _read_block(self, wanted: int) -> bytes:
        with self._bucket.client(self._name):
            block: bytes = self._body.read(wanted)
            if not block:
                raise ConnectionResetError("the object ended early")
        return block

    def _drop_body(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None

    def close(self) -> None:
        self._drop_body()
        super().close()
