"""Memory used for a request body is a small multiple of its size, for any structure.

An error quotes only a small part of the body.
"""

import io
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from jobs.types.registry import check_parameters
from mimir.api.errors import as_mimir_error, flatten
from mimir.api.parsers import SMALL_BODY_BYTES_MAX, JSONParser, WorkerJSONParser
from mimir.lib.errors import Invalid, MimirError
from tests.api.caller import Caller
from tests.support import make

LIMIT = 4 * 1024 * 1024
ERROR_BYTES_MAX = 128 * 1024


def _fill(unit: bytes, size: int = LIMIT - 100) -> bytes:
    return unit * (size // len(unit))


def _nested_keys(size: int) -> bytes:
    key = b'{"' + b"k" * (size // 60) + b'":'
    return key * 60 + b"[" + b"0," * 20_000 + b"0]" + b"}" * 60


HOSTILE = {
    "long key, long list": b'{"' + b"k" * 40_000 + b'": [' + b"0," * 29_999 + b"0]}",
    "long key, huge list": b'{"' + b"k" * 1_000_000 + b'": [' + b"0," * 1_400_000 + b"0]}",
    "long keys, nested": _nested_keys(LIMIT // 2),
    "empty lists": b"[" + _fill(b"[],") + b"0]",
    "empty objects": b"[" + _fill(b"{},") + b"0]",
    "lists in lists": b"[" * 2_000_000 + b"]" * 2_000_000,
    "many keys": b"{" + b",".join(b'"%d":0' % number for number in range(350_000)) + b"}",
    "one key many times": b"{" + _fill(b'"a":0,') + b'"a":0}',
    "one long key twice": b'{"' + b"k" * 1_000_000 + b'":0,"' + b"k" * 1_000_000 + b'":0}',
    "a long number": b"[" + b"9" * (LIMIT - 10) + b"]",
    "many long numbers": b"[" + _fill(b"9" * 4299 + b",") + b"0]",
    "many too long numbers": b"[" + _fill(b"9" * 4301 + b",") + b"0]",
    "commas in a string": b'["' + b"," * (LIMIT - 10) + b'"]',
    "an open string of quotes": b'["' + _fill(b'\\"'),
    "an open string of backslashes": b'["' + _fill(b"\\"),
    "not JSON": _fill(b"x"),
    "U+0000 far inside": b'{"' + b"k" * 1_000_000 + b'":[[["' + b"v" * 1_000_000 + b'\\u0000"]]]}',
    "half pair in a long key": b'{"' + b"k" * 2_000_000 + b'\\ud800":0}',
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("parser", [JSONParser, WorkerJSONParser])
def test_a_hostile_body_takes_a_small_multiple_of_its_size(
    name: str, parser: type[JSONParser]
) -> None:
    body = HOSTILE[name]
    assert len(body) <= LIMIT
    if parser is WorkerJSONParser and name in (
        "empty lists",
        "empty objects",
        "many keys",
        "one key many times",
        "long key, huge list",
    ):
        multiple = 40  # authenticated, and the number of values is limited
    else:
        multiple = 8
    tracemalloc.start()
    error = _refusal(parser(), body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < multiple * len(body) + 16 * 1024 * 1024 * (parser is JSONParser), (
        f"{peak / len(body):.1f} times its size"
    )
    known = as_mimir_error(error) if error else None
    assert (known is None) == (error is None), error
    assert known is None or len(json.dumps(known.as_dict())) < 2000, "an error quotes little"


def _refusal(parser: JSONParser, body: bytes) -> Exception | None:
    try:
        parser.parse(io.BytesIO(body))
    except Exception as error:  # noqa: BLE001 - the caller looks at which one it is
        return error
    return None


def test_commas_in_strings_are_not_separators() -> None:
    text = ",[{" * 200_000
    assert JSONParser().parse(
        io.BytesIO(json.dumps({"a": text, 'b"\\': [text, "\\"]}).encode())
    ) == {"a": text, 'b"\\': [text, "\\"]}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"steps": [{"with": {"query": "a\x00"}}]}, "steps[0].with.query"),
        ({"a" * 500: ["x", "\x00"]}, "a" * 60 + "…[1]"),
        (["x", {"b\x00": 1}], "[1]"),
        ("\x00", ""),
    ],
)
def test_the_path_of_an_error_is_shown_and_short(body: Any, path: str) -> None:
    with pytest.raises(Invalid) as caught:
        JSONParser().parse(io.BytesIO(json.dumps(body).encode()))
    assert list(caught.value.detail) == [path]


def test_messages_of_many_wrong_elements_are_cut() -> None:
    detail = {"k" * 10_000: [{"x" * 10_000: ["wrong" * 10_000]} for _ in range(1000)]}
    assert len(json.dumps(flatten(detail))) < ERROR_BYTES_MAX


@pytest.mark.parametrize(
    "error",
    [
        MimirError("m" * 10**6),
        MimirError("m", detail={"k" * 10**6: "v" * 10**6}),
        MimirError("m", detail={str(number): "v" for number in range(10**5)}),
        MimirError("m", detail={"a": [["v" * 10**6] * 1000] * 3}),
    ],
)
def test_no_error_is_long(error: MimirError) -> None:
    assert len(json.dumps(error.as_dict())) < 4 * ERROR_BYTES_MAX


def test_thousands_of_schema_faults_are_not_all_built() -> None:
    parameters = {"pipeline": "x", **{f"{number}{'k' * 50}": number for number in range(20_000)}}
    assert len(check_parameters("pipeline_execution", parameters)) <= 100


BODIES: dict[str, Callable[[], Any]] = {
    "many unknown fields": lambda: {f"{number}{'k' * 90}": 0 for number in range(20_000)},
    "one long unknown field": lambda: {"k" * 400_000: 0},
    "long values in known fields": lambda: {
        "name": "n" * 400_000,
        "slug": "s" * 400_000,
        "type": "t" * 400_000,
        "definition": "d" * 400_000,
    },
    "a long list in known fields": lambda: {
        name: ["x" * 10] * 20_000 for name in ("name", "type", "labels", "definition", "parameters")
    },
    "objects in known fields": lambda: {
        "labels": {f"{number}{'k' * 90}": [] for number in range(10_000)}
    },
}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path",
    [
        "projects/",
        "tokens/",
        *(f"projects/demo/{kind}/" for kind in ("jobs", "pipelines", "twins", "members")),
    ],
)
@pytest.mark.parametrize("name", BODIES)
def test_what_an_endpoint_quotes_of_a_large_body_is_short(path: str, name: str) -> None:
    created_by = make.project().created_by
    assert created_by is not None
    answer = Caller(created_by).post(path, BODIES[name]())
    assert answer.status_code in (400, 413), answer.content[:300]
    assert len(answer.content) < ERROR_BYTES_MAX


@pytest.mark.django_db
def test_a_sign_in_takes_some_kilobytes() -> None:
    created_by = make.project().created_by
    assert created_by is not None
    answer = Caller(created_by).post(
        "session/", {"username": "x" * SMALL_BODY_BYTES_MAX, "password": "x"}
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
