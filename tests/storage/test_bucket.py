"""Behaviour when a bucket or the connection to it fails."""

import hashlib
import io
import os
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.retries.standard import ExponentialBackoff
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command

from jobs.logs.read import log_read
from jobs.logs.seal import log_seal
from jobs.models import Attempt, LogChunk
from mimir.lib.clock import utc_now
from mimir.lib.errors import StorageAway, TooLarge
from projects.storage import artifacts, bucket_reader
from projects.storage.bucket import Bucket
from projects.storage.bucket_faults import fault_sentence
from tests.support import buckets, make

PART = 5 * 1024**2


@pytest.fixture
def store(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """Use a bucket with the smallest part size of S3, without delays between retries."""
    monkeypatch.setattr(bucket_reader, "_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.0)
    found = artifacts.backend()
    assert isinstance(found, Bucket)
    found.part_bytes = PART
    return found


def _read(key: str) -> bytes:
    with artifacts.open_file(key) as opened:
        return opened.read()


def _listed(store: Bucket) -> list[str]:
    return list(store.older_than(utc_now().replace(year=9999), "datasets"))


@pytest.mark.parametrize("size", [0, 1, PART, PART + 1, 2 * PART])
def test_the_stored_bytes_equal_the_input_at_every_part_boundary(store: Bucket, size: int) -> None:
    data = os.urandom(size)
    stored = artifacts.put("datasets/p/whole", io.BytesIO(data))
    assert (stored.size_bytes, stored.sha256) == (size, hashlib.sha256(data).hexdigest())
    assert _read(stored.key) == data
    assert artifacts.size(stored.key) == size


def test_any_offset_is_read_without_what_is_before_it(store: Bucket) -> None:
    data = os.urandom(1_000_000)
    artifacts.put("datasets/p/x", io.BytesIO(data))
    with artifacts.open_file("datasets/p/x") as opened:
        for offset in (999_990, 0, 500_000, 500_010, 12):
            opened.seek(offset)
            assert opened.read(10) == data[offset : offset + 10]


def test_no_writer_holds_more_than_a_part_and_a_piece(
    store: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead: list[int] = []
    given = sent = 0

    def pieces() -> Iterator[bytes]:
        nonlocal given
        for _ in range(16):
            given += 1024**2
            ahead.append(given - sent)
            yield b"x" * 1024**2

    def put(name: str, upload_id: str, number: int, part: bytes) -> Any:
        nonlocal sent
        sent += len(part)
        return real(name, upload_id, number, part)

    real = store._put_part
    monkeypatch.setattr(store, "_put_part", put)
    content = ContentFile(b"")
    monkeypatch.setattr(content, "chunks", lambda *_: pieces())
    artifacts.write("datasets/p/large", content)
    assert max(ahead) <= PART + 2 * 1024**2
    assert artifacts.size("datasets/p/large") == 16 * 1024**2


@pytest.mark.parametrize(
    "fault",
    [
        {"method": "PUT", "kind": "503 SlowDown", "times": 2},
        {"method": "PUT", "kind": "500 InternalError", "times": 2},
        {"method": "PUT", "kind": "cut", "times": 2},
        {"method": "PUT", "kind": "lost", "times": 1},
        {"method": "POST", "query": "uploads", "kind": "503 SlowDown", "times": 2},
        {"method": "POST", "query": "uploadId", "kind": "cut", "times": 1},
        {"method": "POST", "query": "uploadId", "kind": "lost", "times": 1},
    ],
    ids=lambda fault: f"{fault['method']} {fault.get('query', '')} {fault['kind']}",
)
def test_a_write_survives_a_temporary_fault(store: Bucket, fault: dict[str, Any]) -> None:
    data = os.urandom(PART + 10)
    buckets.order(fault)
    stored = artifacts.put("datasets/p/x", io.BytesIO(data))
    assert _read(stored.key) == data


@pytest.mark.parametrize("size", [10, PART + 10])
@pytest.mark.parametrize("kind", ["503 SlowDown", "403 AccessDenied", "cut"])
def test_a_failed_write_is_reported_and_leaves_nothing(store: Bucket, kind: str, size: int) -> None:
    buckets.order({"method": "PUT", "kind": kind, "times": 99})
    with pytest.raises(StorageAway) as caught:
        artifacts.put("datasets/p/x", io.BytesIO(os.urandom(size)))
    assert (caught.value.status, caught.value.code) == (503, "storage_unavailable")
    assert caught.value.why
    assert len([one for one in buckets.requests() if one[0] == "PUT"]) <= 3, "tries are bounded"
    buckets.order()
    assert _listed(store) == []
    assert store.abort_unfinished(utc_now().replace(year=9999)) == 0, "its parts are left"


def test_an_interrupted_writer_leaves_no_part(store: Bucket) -> None:
    class Broken(ContentFile):  # type: ignore[type-arg]
        def chunks(self, chunk_size: int | None = None) -> Any:
            yield b"x" * (PART + 1)
            raise TooLarge("too much")

    with pytest.raises(TooLarge):
        artifacts.write("datasets/p/x", Broken(b""))
    assert _listed(store) == []
    assert store.abort_unfinished(utc_now().replace(year=9999)) == 0


def test_a_killed_upload_is_swept_and_a_recent_one_continues(
    store: Bucket,
) -> None:
    with store.client("") as client:
        client.create_multipart_upload(Bucket=store.bucket, Key=store.key("datasets/p/x"))
    assert artifacts.abort_unfinished(utc_now().replace(year=2000)) == 0
    assert artifacts.abort_unfinished(utc_now().replace(year=9999)) == 1
    assert artifacts.abort_unfinished(utc_now().replace(year=9999)) == 0


@pytest.mark.parametrize("kind", ["short", "503 SlowDown", "cut"])
def test_an_interrupted_read_resumes_at_its_position(store: Bucket, kind: str) -> None:
    data = os.urandom(1_000_000)
    artifacts.put("datasets/p/x", io.BytesIO(data))
    buckets.order({"method": "GET", "kind": kind, "times": 2})
    assert _read("datasets/p/x") == data


def test_a_read_that_always_breaks_ends_with_an_error_and_never_with_fewer_bytes(
    store: Bucket,
) -> None:
    artifacts.put("datasets/p/x", io.BytesIO(b"x" * 1000))
    with artifacts.open_file("datasets/p/x") as opened:
        buckets.order({"method": "GET", "kind": "503 SlowDown", "times": 99})
        with pytest.raises(StorageAway):
            opened.read()
        assert len(buckets.requests()) == 3, "tries are bounded"
        buckets.order({"method": "GET", "kind": "short", "times": 99})
        with pytest.raises(StorageAway):
            opened.read()
        assert len(buckets.requests()) <= bucket_reader.READ_TRIES * 10, (
            "each brings half of what is left, or ends it"
        )


def test_a_missing_object_differs_from_a_missing_bucket(store: Bucket) -> None:
    with pytest.raises(FileNotFoundError):
        artifacts.open_file("datasets/p/none")
    assert store.problem() == ""
    store.bucket = "mimir-nobody-made-it"
    for ask in (artifacts.open_file, artifacts.size, artifacts.metadata):
        with pytest.raises(StorageAway, match="does not exist"):
            ask("datasets/p/none")
    assert "Create it, or fix ARTIFACTS_URL" in store.problem()


@pytest.mark.parametrize(
    ("kind", "said"),
    [("403 AccessDenied", "do not allow access to the bucket"), ("503 SlowDown", "answers 503")],
)
def test_the_health_of_a_bucket_is_a_message_with_the_fix(
    store: Bucket, kind: str, said: str
) -> None:
    buckets.order({"method": "HEAD", "kind": kind, "times": 9})
    assert said in store.problem()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("PermanentRedirect", "ARTIFACTS_S3_REGION"),
        ("InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
        ("RequestTimeTooSkewed", "clock"),
        ("ExpiredToken", "have expired"),
        ("Surprising", "answers 418 Surprising"),
    ],
)
def test_each_answer_has_its_message_and_an_unknown_one_is_quoted(code: str, said: str) -> None:
    error = ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 418}}, "PutObject"
    )  # type: ignore[typeddict-item]
    assert said in fault_sentence(error, bucket="b", where="s3://b")


def test_an_unreachable_address_differs_from_missing_credentials(
    store: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = Bucket(
        bucket="b-b", endpoint_url="http://127.0.0.1:9", region="us-east-1", addressing_style="path"
    )
    assert "s3://b-b at http://127.0.0.1:9 does not answer" in nobody.problem()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    bare = Bucket(bucket="b-b", endpoint_url=store.endpoint_url, region="us-east-1")
    assert "There are no credentials" in bare.problem()


def test_the_check_uses_everything_once_and_leaves_nothing(
    store: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("storage_check")
    assert f"s3://{store.bucket}/mimir at {store.endpoint_url} works." in capsys.readouterr().out
    assert store.listdir("") == ([], [])
    buckets.order({"method": "PUT", "kind": "403 AccessDenied", "times": 99})
    with pytest.raises(CommandError, match="do not allow access to the bucket"):
        call_command("storage_check")


def test_a_copy_for_a_preview_is_bounded(store: Bucket, settings: Any) -> None:
    import dataclasses

    artifacts.put("datasets/p/x", io.BytesIO(b"x" * 100))
    with artifacts.local_path("datasets/p/x") as path, open(path, "rb") as copy:
        assert copy.read() == b"x" * 100
    assert not os.path.exists(path)
    settings.ENV = dataclasses.replace(settings.ENV, max_upload_bytes=99)
    with pytest.raises(TooLarge, match="MAX_UPLOAD_BYTES"), artifacts.local_path("datasets/p/x"):
        pass


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["503 SlowDown", "403 AccessDenied", "cut"])
def test_a_log_stays_in_its_rows_while_the_bucket_is_unreachable_and_is_sealed_later(
    store: Bucket, kind: str
) -> None:
    attempt, text = _closed()
    buckets.order({"method": "PUT", "kind": kind, "times": 99})
    with pytest.raises(StorageAway):
        log_seal(attempt_id=attempt.id)
    attempt.refresh_from_db()
    assert (attempt.log_object, LogChunk.objects.filter(attempt=attempt).exists()) == (None, True)
    buckets.order()
    assert log_seal(attempt_id=attempt.id) is True
    assert b"".join(log_read(attempt=attempt).chunks) == text


@pytest.mark.django_db(transaction=True)
def test_a_log_whose_object_lost_bytes_is_not_sealed(
    store: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt, text = _closed()
    real = store._save
    monkeypatch.setattr(
        store,
        "_save",
        lambda name, content: real(name, ContentFile(b"".join(content.chunks())[:-1])),
    )
    with pytest.raises(OSError, match="were written"):
        log_seal(attempt_id=attempt.id)
    attempt.refresh_from_db()
    assert attempt.log_object is None
    assert b"".join(log_read(attempt=attempt).chunks) == text


@pytest.mark.django_db(transaction=True)
def test_a_sealed_log_in_an_unreachable_bucket_is_not_reported_as_damaged(store: Bucket) -> None:
    attempt, text = _closed()
    log_seal(attempt_id=attempt.id)
    buckets.order({"method": "GET", "kind": "503 SlowDown", "times": 99})
    with pytest.raises(StorageAway):
        b"".join(log_read(attempt=attempt).chunks)
    buckets.order()
    assert b"".join(log_read(attempt=attempt).chunks) == text


def _closed() -> tuple[Attempt, bytes]:
    attempt = make.claimed()
    for number in range(3):
        make.log(attempt, b"line %d" % number)
    make.finish(attempt)
    attempt.refresh_from_db()
    return attempt, b"".join(log_read(attempt=attempt).chunks)
