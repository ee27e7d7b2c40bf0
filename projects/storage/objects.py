"""Artifacts in a bucket: a Django storage over the S3 API that keeps what a folder promises.

An object is there whole or not at all: below one part it is one PUT, above it a multipart upload that nobody sees before it is complete.
Every body goes with its MD5, so that bytes changed on their way are refused. Memory is one part a writer and one block a reader. Each
call has a time-out and a bounded number of tries; after them it is `StorageAway`, an OSError as of a disk that is away and a 503 at the
boundary. S3: https://docs.aws.amazon.com/AmazonS3/latest/API/
"""

import base64
import contextlib
import datetime as dt
import hashlib
import io
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import structlog
from django.core.files.storage import Storage

from mimir.lib.errors import StorageAway
from projects.storage.bucket_faults import MISSING, fault_code, fault_sentence, is_fault

log = structlog.get_logger(__name__)

PART_BYTES = 8 * 1024**2  # S3 takes parts from 5 MiB on
PARTS_MAX = 9_000  # S3 takes 10,000
BLOCK_BYTES = 256 * 1024
READ_TRIES = (
    4  # of one block: a connection that breaks in the middle is opened again where it broke
)
_PAUSE_SECONDS = 0.2
_PATIENT = {
    "connect_timeout": 3,
    "read_timeout": 20,
    "tries": 3,
}  # nobody at the address: told before a worker stops waiting, 30 s
# What is asked inside a transaction or by a page: the server ends a transaction that idles for 5 s.
_QUICK = {"connect_timeout": 1.5, "read_timeout": 2, "tries": 1}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a storage knows of an object."""

    size_bytes: int
    modified_at: dt.datetime
    etag: str = ""


class Bucket(Storage):
    """Objects of one bucket below a prefix. Credentials, and a CA of your own, by the standard variables of AWS's clients."""

    def __init__(
        self,
        *,
        bucket: str,
        prefix: str = "",
        endpoint_url: str = "",
        region: str = "",
        addressing_style: str = "auto",
        largest_bytes: int = 0,
    ) -> None:
        """`prefix` ends with a slash, or is empty; `largest_bytes` is what an object may have, by which parts are cut."""
        self.bucket, self.prefix, self.part_bytes = (
            bucket,
            prefix,
            max(PART_BYTES, -(-largest_bytes // PARTS_MAX)),
        )
        self.endpoint_url, self.region, self.addressing_style = (
            endpoint_url,
            region,
            addressing_style,
        )
        self._clients: dict[int, Any] = {}
        self._lock = threading.Lock()

    @property
    def where(self) -> str:
        """As ARTIFACTS_URL has it, and the server where it is not Amazon's."""
        place = f"s3://{self.bucket}/{self.prefix}".rstrip("/")
        return f"{place} at {self.endpoint_url}" if self.endpoint_url else place

    # What Django's storages do

    def _open(self, name: str, mode: str = "rb") -> IO[bytes]:
        """Raises: FileNotFoundError, StorageAway."""
        if mode != "rb":
            raise ValueError("objects are written whole, by save()")
        return io.BufferedReader(_Reader(self, name, self.facts(name, quickly=False)), BLOCK_BYTES)  # type: ignore[return-value]

    def _save(self, name: str, content: Any) -> str:
        parts = _parts(content.chunks(), self.part_bytes)
        first = next(parts, b"")
        if len(first) < self.part_bytes:
            with self.told(name) as client:
                client.put_object(
                    Bucket=self.bucket,
                    Key=self.key(name),
                    Body=bytes(first),
                    ContentMD5=_md5(first),
                )
        else:
            self._save_parts(name, first, parts)
        return name

    def _save_parts(self, name: str, first: bytes, rest: Iterator[bytes]) -> None:
        with self.told(name) as client:
            upload_id: str = client.create_multipart_upload(Bucket=self.bucket, Key=self.key(name))[
                "UploadId"
            ]
        try:
            parts, size = [self._put_part(name, upload_id, 1, first)], len(first)
            del first
            for part in rest:
                size += len(part)
                parts.append(self._put_part(name, upload_id, len(parts) + 1, part))
            self._complete(name, upload_id, parts, size)
        except BaseException as error:
            with contextlib.suppress(OSError):  # what is left, the sweep aborts
                self._abort(self.key(name), upload_id)
            if isinstance(error, FileNotFoundError):
                raise StorageAway(
                    f"An upload to {self.where} was ended by something else while it went on."
                ) from error
            raise

    def _put_part(self, name: str, upload_id: str, number: int, part: bytes) -> dict[str, Any]:
        with self.told(name) as client:
            answer = client.upload_part(
                Bucket=self.bucket,
                Key=self.key(name),
                UploadId=upload_id,
                PartNumber=number,
                Body=bytes(part),
                ContentMD5=_md5(part),
            )
        return {"PartNumber": number, "ETag": answer["ETag"]}

    def _complete(self, name: str, upload_id: str, parts: list[dict[str, Any]], size: int) -> None:
        """Make the object of its parts. A repeat after a lost answer finds no upload any more: then the object itself tells."""
        try:
            with self.told(name) as client:
                client.complete_multipart_upload(
                    Bucket=self.bucket,
                    Key=self.key(name),
                    UploadId=upload_id,
                    MultipartUpload={"Parts": parts},
                )
        except FileNotFoundError:
            if self.facts(name, quickly=False).size_bytes != size:
                raise

    def _abort(self, key: str, upload_id: str) -> None:
        with contextlib.suppress(FileNotFoundError), self.told(key) as client:
            client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)

    def delete(self, name: str) -> None:
        """Harmless when it is not there. Raises: StorageAway."""
        with contextlib.suppress(FileNotFoundError), self.told(name) as client:
            client.delete_object(Bucket=self.bucket, Key=self.key(name))

    def exists(self, name: str) -> bool:
        """Raises: StorageAway."""
        try:
            self.facts(name, quickly=False)
        except FileNotFoundError:
            return False
        return True

    def size(self, name: str) -> int:
        """Raises: FileNotFoundError, StorageAway."""
        return self.facts(name, quickly=False).size_bytes

    def get_modified_time(self, name: str) -> dt.datetime:
        """Raises: FileNotFoundError, StorageAway."""
        return self.facts(name).modified_at

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Names directly below `path`: folders, objects. Raises: StorageAway."""
        prefix = self.key(path).rstrip("/") + "/" if path else self.key("")
        folders: list[str] = []
        names: list[str] = []
        for page in self._pages(Prefix=prefix, Delimiter="/"):
            folders += [
                row["Prefix"][len(prefix) :].rstrip("/") for row in page.get("CommonPrefixes", [])
            ]
            names += [row["Key"][len(prefix) :] for row in page.get("Contents", [])]
        return folders, names

    # What a folder has by its own means

    def facts(self, name: str, *, quickly: bool = True) -> Facts:
        """Size and time of an object by one question, asked quickly unless told otherwise. Raises: FileNotFoundError, StorageAway."""
        with self.told(name, quickly=quickly) as client:
            answer = client.head_object(Bucket=self.bucket, Key=self.key(name))
        return Facts(answer["ContentLength"], answer["LastModified"], answer["ETag"])

    def older_than(self, moment: dt.datetime, folder: str) -> Iterator[str]:
        """Names of objects anywhere below `folder` last written before `moment`, a page of 1,000 at a time. Raises: StorageAway."""
        for page in self._pages(Prefix=self.key(folder).rstrip("/") + "/"):
            yield from (
                row["Key"][len(self.prefix) :]
                for row in page.get("Contents", [])
                if row["LastModified"] < moment
            )

    def unfinished_abort(self, moment: dt.datetime) -> int:
        """End uploads that began before `moment` and were never completed: their parts are paid for and no list shows them. Returns how many."""
        with self.told("") as client:
            pages = client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.bucket, Prefix=self.prefix
            )
            found = [
                row
                for page in pages
                for row in page.get("Uploads", [])
                if row["Initiated"] < moment
            ]
        for row in found:
            self._abort(row["Key"], row["UploadId"])
        return len(found)

    def problem(self) -> str:
        """What an administrator has to mend, as a sentence; empty when the bucket answers. Asked quickly."""
        try:
            with self.told("", quickly=True) as client:
                client.head_bucket(Bucket=self.bucket)
        except FileNotFoundError:
            return f"The bucket {self.bucket} does not exist. Make it, or mend ARTIFACTS_URL."
        except StorageAway as away:
            return away.why
        return ""

    # Inside

    def key(self, name: str) -> str:
        """The object's key in the bucket."""
        return f"{self.prefix}{name}"

    def _pages(self, **query: Any) -> Iterator[dict[str, Any]]:
        with self.told("") as client:
            pages = iter(
                client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, **query)
            )
        while True:
            with self.told(""):
                page = next(pages, None)
            if page is None:
                return
            yield page

    @contextlib.contextmanager
    def told(self, name: str, *, quickly: bool = False) -> Iterator[Any]:
        """The client; its faults as ours. Raises: FileNotFoundError for the object alone, StorageAway for all else, a missing bucket too."""
        try:
            yield self._client(quickly)
        except Exception as error:
            if not is_fault(error):
                raise
            code = fault_code(error)
            if name and code in MISSING and not (code == "404" and self._is_bucket_missing()):
                raise FileNotFoundError(f"there is no object {name}") from error
            why = fault_sentence(error, bucket=self.bucket, where=self.where)
            log.warning("the artifact storage refused or did not answer", object=name, why=why)
            raise StorageAway(why) from error

    def _is_bucket_missing(self) -> bool:
        """A HEAD has no body: its 404 does not say whether object or bucket is missing, and that is all the difference. Unsure: True."""
        try:
            self._client(True).head_bucket(Bucket=self.bucket)
        except Exception as error:
            if not is_fault(error):
                raise
            return True
        return False

    def _client(self, quickly: bool) -> Any:
        """One client for patient calls, one for quick ones; made at first use, since importing it costs half a second."""
        with self._lock:
            if quickly not in self._clients:
                self._clients[quickly] = self._made(**(_QUICK if quickly else _PATIENT))
            return self._clients[quickly]

    def _made(self, *, connect_timeout: float, read_timeout: float, tries: int) -> Any:
        import boto3
        from botocore.config import Config

        config = Config(
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            retries={"total_max_attempts": tries, "mode": "standard"},
            max_pool_connections=32,
            s3={"addressing_style": self.addressing_style},
            # Content-MD5 is what every server that speaks S3 checks; the newer checksums are not.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        session = (
            boto3.session.Session()
        )  # of our own: the module's default one may not be shared by threads
        return session.client(
            "s3",
            region_name=self.region or None,
            endpoint_url=self.endpoint_url or None,
            config=config,
        )


class _Reader(io.RawIOBase):
    """An object's bytes from any offset: one GET for as long as it is read on, another where it is sought elsewhere or breaks."""

    def __init__(self, bucket: Bucket, name: str, facts: Facts) -> None:
        self._bucket, self._name, self._facts = bucket, name, facts
        self._at = 0
        self._body: Any = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        target = max(
            offset
            + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._facts.size_bytes}[whence],
            0,
        )
        if target != self._at:
            self._drop()
        self._at = target
        return target

    def readinto(self, buffer: Any) -> int:
        """Raises: FileNotFoundError, StorageAway, after READ_TRIES without a byte."""
        wanted = min(len(buffer), self._facts.size_bytes - self._at)
        if wanted <= 0:
            return 0
        for left in reversed(range(READ_TRIES)):
            self._body = self._body or self._opened()
            try:
                block = self._next(wanted)
                break
            except StorageAway:
                self._drop()
                if not left:
                    raise
                time.sleep(_PAUSE_SECONDS * (READ_TRIES - left))
        buffer[: len(block)] = block
        self._at += len(block)
        return len(block)

    def _opened(self) -> Any:
        """The bytes from here on. It is tried as often as any call is, and not again by who reads."""
        bucket = self._bucket
        with bucket.told(self._name) as client:
            return client.get_object(
                Bucket=bucket.bucket,
                Key=bucket.key(self._name),
                Range=f"bytes={self._at}-",
                IfMatch=self._facts.etag,
            )["Body"]

    def _next(self, wanted: int) -> bytes:
        with self._bucket.told(self._name):
            block: bytes = self._body.read(wanted)
            if not block:
                raise ConnectionResetError("the object ended before its end")
        return block

    def _drop(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None

    def close(self) -> None:
        self._drop()
        super().close()


def _parts(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The same bytes, `size` at a time; the last may be shorter."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        while len(held) >= size:
            part = bytes(held[:size])
            del held[:size]  # before it is sent: one part a writer
            yield part
    if held:
        yield bytes(held)


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
