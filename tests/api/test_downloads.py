"""Downloads of every kind of file from both storages: ranges, conditions, HEAD and gzip."""

import gzip
import hashlib
import io
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from jobs.models import Artifact
from mimir.api.downloads import accepts_gzip
from projects.models import Project
from projects.storage import artifacts
from tests.api.caller import Caller
from tests.support import make

pytestmark = pytest.mark.django_db

ROWS = b"n,word\n" + b"".join(b"%d,word\n" % number for number in range(2000))
BLOB = bytes(range(256)) * 40


@pytest.fixture
def caller(each_storage: str) -> Caller:
    created_by = make.project().created_by
    assert created_by is not None
    return Caller(created_by)


def _dataset(caller: Caller) -> tuple[str, bytes]:
    stored = artifacts.put("datasets/demo/numbers", io.BytesIO(ROWS))
    schema = [{"name": "n", "type": "BIGINT"}, {"name": "word", "type": "VARCHAR"}]
    facts = {
        "size_bytes": stored.size_bytes,
        "sha256": stored.sha256,
        "storage_key": stored.key,
        "schema": schema,
        "row_count": 2000,
    }
    make.dataset_version(Project.objects.get(slug="demo"), "numbers", **facts)
    return "projects/demo/datasets/numbers/versions/1/content/", ROWS


def _converted(caller: Caller) -> tuple[str, bytes]:
    path = _dataset(caller)[0] + "?as=parquet"
    return path, _body(caller.get(path))


def _artifact(
    caller: Caller,
    name: str = "big.bin",
    data: bytes = BLOB,
    media_type: str = "application/octet-stream",
) -> tuple[str, bytes]:
    attempt = make.claimed()
    stored = artifacts.put(f"artifacts/{attempt.id}/{name}", io.BytesIO(data))
    facts = {
        "size_bytes": stored.size_bytes,
        "sha256": stored.sha256,
        "storage_key": stored.key,
        "media_type": media_type,
    }
    Artifact.objects.create(attempt=attempt, name=name, role="artifact", **facts)
    return f"jobs/{attempt.job_id}/artifacts/{name}/", data


def _model(caller: Caller) -> tuple[str, bytes]:
    stored = artifacts.put("datasets/models/m", io.BytesIO(BLOB))
    facts: dict[str, Any] = {
        "size_bytes": stored.size_bytes,
        "sha256": stored.sha256,
        "storage_key": stored.key,
    }
    version = make.model_version(make.dataset_version(Project.objects.get(slug="demo")), **facts)
    return f"projects/demo/models/{version.model.name}/versions/1/content/", BLOB


def _log(caller: Caller) -> tuple[str, bytes]:
    attempt = make.claimed()
    make.log(attempt, *(b"line %d" % number for number in range(500)))
    path = f"jobs/{attempt.job_id}/logs/"
    return path, _body(caller.get(path))


def _raw_log(caller: Caller) -> tuple[str, bytes]:
    path, _ = _log(caller)
    return f"{path}?format=raw", b"".join(b"line %d\n" % number for number in range(500))


KINDS: list[Callable[[Caller], tuple[str, bytes]]] = [_dataset, _artifact, _model, _log, _raw_log]
WITH_HASH = (_dataset, _artifact, _model)


def _body(answer: Any) -> bytes:
    return b"".join(answer) if answer.streaming else bytes(answer.content)


@pytest.mark.parametrize("kind", KINDS)
def test_a_download_supports_every_kind_of_request(
    caller: Caller, kind: Callable[[Caller], tuple[str, bytes]]
) -> None:
    path, data = kind(caller)
    whole = caller.get(path)
    etag = whole["ETag"]
    assert (whole.status_code, _body(whole), whole["Content-Length"]) == (200, data, str(len(data)))
    assert (whole["Accept-Ranges"], whole["Cache-Control"]) == ("bytes", "private, no-cache")
    assert (
        etag == f'"{hashlib.sha256(data).hexdigest()}"'
        if kind in WITH_HASH
        else not etag.startswith("W/")
    )
    for header, start, stop in _ranges(len(data)):
        part = caller.get(path, headers={"Range": header})
        assert (part.status_code, _body(part)) == (206, data[start:stop]), header
        assert (part["Content-Range"], part["Content-Length"]) == (
            f"bytes {start}-{stop - 1}/{len(data)}",
            str(stop - start),
        )
        assert part["ETag"] == etag
    for header in ("bytes=5-2", "bytes=x-", "lines=1-2", "bytes=-", "bytes=1-2,5-6", "bytes", ""):
        assert (
            caller.get(path, headers={"Range": header}).status_code,
            _body(caller.get(path, headers={"Range": header})),
        ) == (200, data), header
    for header in (
        f"bytes={len(data)}-",
        f"bytes={len(data)}-{len(data) + 5}",
        "bytes=-0",
        f"bytes={10**17}-",
    ):
        outside = caller.get(path, headers={"Range": header})
        assert (outside.status_code, outside["Content-Range"]) == (416, f"bytes */{len(data)}"), (
            header
        )
        assert outside.json()["code"] == "range_not_satisfiable"
    _check_conditions(caller, path, data, whole)


def _ranges(size: int) -> list[tuple[str, int, int]]:
    return [
        ("bytes=5-9", 5, 10),
        ("bytes=0-0", 0, 1),
        ("BYTES=1-1", 1, 2),
        (f"bytes={size - 1}-", size - 1, size),
        ("bytes=-3", size - 3, size),
        (f"bytes=-{size * 2}", 0, size),
        (f"bytes=7-{size * 2}", 7, size),
        ("bytes=0-", 0, size),
    ]


def _check_conditions(caller: Caller, path: str, data: bytes, whole: Any) -> None:
    etag = whole["ETag"]
    for known in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        unchanged = caller.get(path, headers={"If-None-Match": known})
        assert (unchanged.status_code, _body(unchanged), unchanged["ETag"]) == (304, b"", etag), (
            known
        )
        assert "Content-Type" not in unchanged
    for other in ('"x"', f'{etag[:-2]}"', ""):
        assert caller.get(path, headers={"If-None-Match": other}).status_code == 200, other
    assert caller.get(path, headers={"If-Match": '"x"'}).status_code == 412
    assert caller.get(path, headers={"If-Match": etag}).status_code == 200
    assert caller.get(path, headers={"If-Range": etag, "Range": "bytes=1-2"}).status_code == 206
    for other in ('"x"', f"W/{etag}", "Sun, 06 Nov 1994 08:49:37 GMT", "yesterday"):
        changed = caller.get(path, headers={"If-Range": other, "Range": "bytes=1-2"})
        assert (changed.status_code, _body(changed)) == (200, data), other
    if whole.has_header("Last-Modified"):
        assert (
            caller.get(path, headers={"If-Modified-Since": whole["Last-Modified"]}).status_code
            == 304
        )
        assert (
            caller.get(
                path, headers={"If-Modified-Since": whole["Last-Modified"], "If-None-Match": '"x"'}
            ).status_code
            == 200
        )
        assert (
            caller.get(
                path, headers={"If-Range": whole["Last-Modified"], "Range": "bytes=1-2"}
            ).status_code
            == 206
        )
    head = caller.send("HEAD", path, b"", headers={"Range": "bytes=1-2"})
    assert (head.status_code, head["Content-Length"], head["ETag"], _body(head)) == (
        200,
        str(len(data)),
        etag,
        b"",
    )


@pytest.mark.django_db(transaction=True)
def test_a_converted_table_is_the_same_bytes_each_time(caller: Caller) -> None:
    """Sends more requests than there are slots for bucket files, and closes no response."""
    path, data = _converted(caller)
    whole = caller.get(path)
    assert whole["ETag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    part = caller.get(path, headers={"Range": "bytes=5-", "If-Range": whole["ETag"]})
    assert (part.status_code, _body(part)) == (206, data[5:])
    assert caller.get(path, headers={"If-None-Match": whole["ETag"]}).status_code == 304
    assert caller.send("HEAD", path, b"")["Content-Length"] == str(len(data))


@pytest.mark.parametrize(
    "kind",
    [
        _dataset,
        _log,
        _raw_log,
        lambda caller: _artifact(caller, "notes.txt", b"text " * 1000, "text/plain"),
    ],
)
def test_text_is_compressed_if_the_client_accepts_it(
    caller: Caller, kind: Callable[[Caller], tuple[str, bytes]]
) -> None:
    path, data = kind(caller)
    plain, packed = (
        caller.get(path),
        caller.get(path, headers={"Accept-Encoding": "br, gzip;q=0.5"}),
    )
    body = _body(packed)
    assert (packed["Content-Encoding"], gzip.decompress(body)) == ("gzip", data)
    assert len(body) < len(data) / 3
    assert "Accept-Encoding" in plain["Vary"]
    assert "Accept-Encoding" in packed["Vary"]
    assert packed["ETag"] != plain["ETag"], "other bytes have another strong ETag"
    for known in (packed["ETag"], plain["ETag"]):
        assert (
            caller.get(
                path, headers={"Accept-Encoding": "gzip", "If-None-Match": known}
            ).status_code
            == 304
        )
    part = caller.get(path, headers={"Accept-Encoding": "gzip", "Range": "bytes=1-4"})
    assert (part.status_code, _body(part), part.has_header("Content-Encoding")) == (
        206,
        data[1:5],
        False,
    )
    for refused in ("gzip;q=0", "identity", "gzip;q=0, *", ""):
        assert not caller.get(path, headers={"Accept-Encoding": refused}).has_header(
            "Content-Encoding"
        ), refused


def test_what_is_not_text_is_not_compressed(caller: Caller) -> None:
    assert not caller.get(_artifact(caller)[0], headers={"Accept-Encoding": "gzip"}).has_header(
        "Content-Encoding"
    )


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=1-"}, {"Accept-Encoding": "gzip"}])
def test_a_large_file_is_never_in_memory(caller: Caller, headers: dict[str, str]) -> None:
    path, _ = _artifact(caller, "big.csv", b"0123456789abcde\n" * 2**20, "text/csv")
    caller.get(path)  # modules imported at the first use are not counted
    tracemalloc.start()
    try:
        for block in caller.get(path, headers=headers):
            assert len(block) <= 2**20
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * 2**20, f"{peak} bytes for a file of 16 MiB"


def test_a_growing_log_has_a_new_etag(caller: Caller) -> None:
    attempt = make.claimed()
    make.log(attempt, b"one")
    path = f"jobs/{attempt.job_id}/logs/"
    first = caller.get(path)
    make.log(attempt, b"two")
    second = caller.get(
        path,
        headers={"If-None-Match": first["ETag"], "If-Range": first["ETag"], "Range": "bytes=0-1"},
    )
    assert (second.status_code, second["ETag"] != first["ETag"]) == (200, True)
    rest = caller.get(path, headers={"Range": f"bytes={len(first.content)}-"})
    assert rest.content == second.content[len(first.content) :]


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("x-gzip", True),
        ("*", True),
        ("br;q=1.0, gzip;q=0.001", True),
        ("gzip;q=0.000", False),
        ("gzip;q=x", False),
        ("", False),
    ],
)
def test_accept_encoding_is_read_with_its_weights(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


@pytest.mark.django_db(transaction=True)
def test_a_long_json_answer_is_compressed_and_a_short_one_is_not(caller: Caller) -> None:
    _dataset(caller)
    path = "projects/demo/datasets/numbers/versions/1/rows/"
    packed = caller.get(f"{path}?limit=1000", headers={"Accept-Encoding": "gzip"})
    assert (packed["Content-Encoding"], gzip.decompress(packed.content)) == (
        "gzip",
        caller.get(f"{path}?limit=1000").content,
    )
    assert packed["Content-Length"] == str(len(packed.content))
    assert not caller.get(f"{path}?limit=1", headers={"Accept-Encoding": "gzip"}).has_header(
        "Content-Encoding"
    )
