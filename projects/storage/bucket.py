"""Artifacts in a bucket: a Django storage over the S3 API with the guarantees of a folder.

An object exists completely or not at all. An object smaller than one part is one PUT; a larger one
is a multipart upload that is invisible until it is complete. Every body carries its MD5, so that
the server refuses bytes that changed on the way. Memory per writer is one part, per reader one
block. Each call has a timeout and a limited number of tries. After them it raises StorageAway, an
OSError as for an unmounted disk, which the API answers with 503.
S3: https://docs.aws.amazon.com/AmazonS3/latest/API/
"""

import base64
import contextlib
import datetime as dt
import hashlib
import io
import threading
from collections.abc import Iterator
from typing import IO, Any, TypedDict

import structlog
from django.core.files.storage import Storage

from mimir.lib.errors import StorageAway
from projects.storage.bucket_faults import MISSING, fault_code, fault_sentence, is_fault
from projects.storage.bucket_reader import BucketReader, ObjectMetadata

log = structlog.get_logger(__name__)

PART_BYTES = 8 * 1024**2  # S3 accepts parts of at least 5 MiB
PARTS_MAX = 9_000  # S3 accepts 10,000
BLOCK_BYTES = 256 * 1024


class _Timeouts(TypedDict):
    connect_timeout: float
    read_timeout: float
    tries: int


# An unreachable server is reported before a worker stops waiting, after 30 s.
_PATIENT: _Timeouts = {"connect_timeout": 3, "read_timeout": 20, "tries": 3}
# For calls inside a transaction or for a page. PostgreSQL ends a transaction that idles for 5 s.
_QUICK: _Timeouts = {"connect_timeout": 1.5, "read_timeout": 2, "tries": 1}


class _Part(TypedDict):
    """One uploaded part, as S3 expects it when the upload is completed."""

    PartNumber: int
    ETag: str


class Bucket(Storage):
    """Objects of one bucket below a prefix.

    Credentials and a private CA come from the standard environment variables of AWS clients.
    """

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
        """`prefix` is empty or ends with a slash. `largest_bytes` is the size limit of an object.

        The part size follows from `largest_bytes` and PARTS_MAX.
        """
        self.bucket, self.prefix = bucket, prefix
        self.part_bytes = max(PART_BYTES, -(-largest_bytes // PARTS_MAX))
        self.endpoint_url, self.region = endpoint_url, region
        self.addressing_style = addressing_style
        self._clients: dict[bool, Any] = {}
        self._lock = threading.Lock()

    @property
    def location(self) -> str:
        """The URL as in ARTIFACTS_URL, with the server if it is not Amazon's."""
        place = f"s3://{self.bucket}/{self.prefix}".rstrip("/")
        return f"{place} at {self.endpoint_url}" if self.endpoint_url else place

    # The interface of a Django storage

    def _open(self, name: str, mode: str = "rb") -> IO[bytes]:
        """Open an object for reading. Raises: FileNotFoundError, StorageAway."""
        if mode != "rb":
            raise ValueError("an object is written completely, by save()")
        reader = BucketReader(self, name, self.metadata(name, quickly=False))
        return io.BufferedReader(reader, BLOCK_BYTES)  # type: ignore[return-value]

    def _save(self, name: str, content: Any) -> str:
        parts = _parts(content.chunks(), self.part_bytes)
        first = next(parts, b"")
        if len(first) < self.part_bytes:
            with self.client(name) as client:
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
        with self.client(name) as client:
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
            with contextlib.suppress(OSError):  # the sweep aborts the upload if this fails
                self._abort(self.key(name), upload_id)
            if isinstance(error, FileNotFoundError):
                raise StorageAway(
                    f"Another program aborted an upload to {self.location} while it was running."
                ) from error
            raise

    def _put_part(self, name: str, upload_id: str, number: int, part: bytes) -> _Part:
        with self.client(name) as client:
            answer = client.upload_part(
                Bucket=self.bucket,
                Key=self.key(name),
                UploadId=upload_id,
                PartNumber=number,
                Body=bytes(part),
                ContentMD5=_md5(part),
            )
        return {"PartNumber": number, "ETag": answer["ETag"]}

    def _complete(self, name: str, upload_id: str, parts: list[_Part], size: int) -> None:
        """Complete an upload from its parts.

        A retry after a lost answer finds no upload. The size of the object then decides.
        """
        try:
            with self.client(name) as client:
                client.complete_multipart_upload(
                    Bucket=self.bucket,
                    Key=self.key(name),
                    UploadId=upload_id,
                    MultipartUpload={"Parts": parts},
                )
        except FileNotFoundError:
            if self.metadata(name, quickly=False).size_bytes != size:
                raise

    def _abort(self, key: str, upload_id: str) -> None:
        with contextlib.suppress(FileNotFoundError), self.client(key) as client:
            client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)

    def delete(self, name: str) -> None:
        """Delete an object. A missing object is not an error. Raises: StorageAway."""
        with contextlib.suppress(FileNotFoundError), self.client(name) as client:
            client.delete_object(Bucket=self.bucket, Key=self.key(name))

    def exists(self, name: str) -> bool:
        """Return whether the object exists. Raises: StorageAway."""
        try:
            self.metadata(name, quickly=False)
        except FileNotFoundError:
            return False
        return True

    def size(self, name: str) -> int:
        """Return the size in bytes. Raises: FileNotFoundError, StorageAway."""
        return self.metadata(name, quickly=False).size_bytes

    def get_modified_time(self, name: str) -> dt.datetime:
        """Return the modification time. Raises: FileNotFoundError, StorageAway."""
        return self.metadata(name).modified_at

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Return the names of folders and objects directly below `path`. Raises: StorageAway."""
        prefix = self.key(path).rstrip("/") + "/" if path else self.key("")
        folders: list[str] = []
        names: list[str] = []
        for page in self._pages(Prefix=prefix, Delimiter="/"):
            folders += [
                row["Prefix"][len(prefix) :].rstrip("/") for row in page.get("CommonPrefixes", [])
            ]
            names += [row["Key"][len(prefix) :] for row in page.get("Contents", [])]
        return folders, names

    # Operations beyond the interface of a Django storage

    def metadata(self, name: str, *, quickly: bool = True) -> ObjectMetadata:
        """Return size, time and ETag by one request; `quickly` selects the short timeouts.

        Raises: FileNotFoundError, StorageAway.
        """
        with self.client(name, quickly=quickly) as client:
            answer = client.head_object(Bucket=self.bucket, Key=self.key(name))
        return ObjectMetadata(answer["ContentLength"], answer["LastModified"], answer["ETag"])

    def older_than(self, moment: dt.datetime, folder: str) -> Iterator[str]:
        """Yield names of objects below `folder` last written before `moment`.

        Reads 1,000 names per request. Raises: StorageAway.
        """
        for page in self._pages(Prefix=self.key(folder).rstrip("/") + "/"):
            yield from (
                row["Key"][len(self.prefix) :]
                for row in page.get("Contents", [])
                if row["LastModified"] < moment
            )

    def abort_unfinished(self, moment: dt.datetime) -> int:
        """Abort incomplete uploads that began before `moment`; return their number.

        Their parts cost money and appear in no listing of objects.
        """
        with self.client("") as client:
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
        """Return the problem an administrator must fix; empty if the bucket answers in time."""
        try:
            with self.client("", quickly=True) as client:
                client.head_bucket(Bucket=self.bucket)
        except FileNotFoundError:
            return f"The bucket {self.bucket} does not exist. Create it, or fix ARTIFACTS_URL."
        except StorageAway as away:
            return away.why
        return ""

    # Parts shared with `bucket_reader`, and helpers

    def key(self, name: str) -> str:
        """Return the key of an object in the bucket."""
        return f"{self.prefix}{name}"

    def _pages(self, **query: Any) -> Iterator[dict[str, Any]]:
        with self.client("") as client:
            pages = iter(
                client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, **query)
            )
        while True:
            with self.client(""):
                page = next(pages, None)
            if page is None:
                return
            yield page

    @contextlib.contextmanager
    def client(self, name: str, *, quickly: bool = False) -> Iterator[Any]:
        """Provide the S3 client and translate its errors.

        Raises: FileNotFoundError for a missing object, StorageAway for everything else, including
        a missing bucket.
        """
        try:
            yield self._cached_client(quickly)
        except Exception as error:
            if not is_fault(error):
                raise
            code = fault_code(error)
            if name and code in MISSING and not (code == "404" and self._is_bucket_missing()):
                raise FileNotFoundError(f"object not found: {name}") from error
            why = fault_sentence(error, bucket=self.bucket, where=self.location)
            log.warning("artifact storage call failed", object=name, why=why)
            raise StorageAway(why) from error

    def _is_bucket_missing(self) -> bool:
        """Return whether the bucket is missing; True if that cannot be checked.

        A HEAD answer has no body: its 404 can mean a missing object or a missing bucket.
        """
        try:
            self._cached_client(True).head_bucket(Bucket=self.bucket)
        except Exception as error:
            if not is_fault(error):
                raise
            return True
        return False

    def _cached_client(self, quickly: bool) -> Any:
        """Return the client for long or for short timeouts, created at first use.

        Importing boto3 takes half a second.
        """
        with self._lock:
            if quickly not in self._clients:
                self._clients[quickly] = self._create_client(_QUICK if quickly else _PATIENT)
            return self._clients[quickly]

    def _create_client(self, timeouts: _Timeouts) -> Any:
        import boto3
        from botocore.config import Config

        config = Config(
            connect_timeout=timeouts["connect_timeout"],
            read_timeout=timeouts["read_timeout"],
            retries={"total_max_attempts": timeouts["tries"], "mode": "standard"},
            max_pool_connections=32,
            s3={"addressing_style": self.addressing_style},
            # Every S3 server checks Content-MD5. Many do not know the newer checksums.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        # A new session, because threads must not share the default one.
        session = boto3.session.Session()
        return session.client(
            "s3",
            region_name=self.region or None,
            endpoint_url=self.endpoint_url or None,
            config=config,
        )


def _parts(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Regroup `chunks` into parts of `size` bytes. The last part can be shorter."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        while len(held) >= size:
            part = bytes(held[:size])
            del held[:size]  # before the part is sent, to hold one part per writer
            yield part
    if held:
        yield bytes(held)


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
