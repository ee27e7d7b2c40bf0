"""Unusable input through the public API.

Each case is rejected at once or fails with a code, a sentence and a next step; nothing is
half-written. UPLOADS are rejected on upload, REQUESTS at submit, JOBS end as failed.
"""

from typing import Any

import pytest

from tests.contract.conftest import Api, upload
from tests.contract.stored_model import CORRUPT, Bad, StoredModel, bomb, flipped
from tests.support.stack import Stack

pytestmark = pytest.mark.timeout(180)
SLUG = "bad-input"
P = f"projects/{SLUG}"
ROWS = [
    (number, "abc"[number % 3], ["cold", "warm"][number % 40 >= 20], number * 1.5)
    for number in range(60)
]
GOOD = "size,kind,state,price\n" + "".join(
    f"{size},{kind},{state},{price}\n" for size, kind, state, price in ROWS
)
TABLES = {
    "good": GOOD,
    "one-class": GOOD.replace("warm", "cold"),
    "rare": GOOD + "1,a,hot,3\n",
    "few": "size,price\n1,2\n2,3\n3,4\n",
    "no-target": "size,price\n" + "".join(f"{number},\n" for number in range(30)) + "5,7\n",
    "late-text": GOOD + "many,a,cold,7\n",
    "other": "Size,kind\n1,a\n",
    "words": "size,kind\nmany,a\nfew,b\n",
    "infinite": GOOD + "inf,a,cold,1\n",
    "twice": GOOD + "7,a,cold,1\n7,b,cold,1\n9,b,cold,1\n",
    "nameless": "kind,size\na,1\n,2\nb,3\n",
}
TRAINING = {
    "dataset": "good",
    "target": "state",
    "model": "state",
    "algorithm": "logistic",
    "features": ["size", "kind"],
}
UPDATE = {
    "twin": "shelf",
    "dataset": "good",
    "type": "thing",
    "key": "size",
    "properties": {"price": "price"},
}
PRICED = [{"name": "price", "type": "number"}, {"name": "size", "type": "integer"}]
SHELF = {"types": [{"name": "thing", "key": {"name": "size"}, "properties": PRICED}]}
INFERENCE = {"model": "good-model", "dataset": "good", "output": "guesses", "keys": ["size"]}


@pytest.fixture(scope="module")
def there(api: Api) -> str:
    """Create a project with valid and nearly valid tables, and a twin without data."""
    api.post("projects/", {"slug": SLUG, "name": "Bad input"})
    for name, content in TABLES.items():
        upload(api, SLUG, name, content.encode())
    api.post(f"{P}/twins/", {"name": "shelf", "definition": SHELF})
    return SLUG


@pytest.fixture(scope="module")
def model(api: Api, there: str) -> str:
    ended = _run(api, "ml_training", {**TRAINING, "model": "good-model"})
    assert ended["status"] == "succeeded", ended
    assert ended["result"]["version"] == 1
    assert (
        ended["result"]["metrics"].keys()
        == ended["result"]["baseline"].keys()
        >= {"accuracy", "log_loss"}
    )
    return "good-model"


def _run(api: Api, kind: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return api.ended(api.post(f"{P}/jobs/", {"type": kind, "parameters": parameters})["id"])


def _versions(api: Api) -> dict[str, int]:
    """Return the newest version of everything that a job or an upload can create."""
    counts = {row["name"]: row["version"]["number"] for row in api.every(f"{P}/datasets/")}
    counts |= {
        f"model {row['name']}": row["version"]["number"] for row in api.every(f"{P}/models/")
    }
    return counts | {f"twin {row['name']}": row["revision"] for row in api.every(f"{P}/twins/")}


# Refused on upload

UPLOADS: dict[str, tuple[bytes, str]] = {
    "an empty file": (b"", "The file is empty."),
    "a ragged CSV": (b"a,b\n1,2\n1,2,3\n", "Line 3 has 3 cells, but line 1 names 2 columns."),
    "binary content": (bytes(range(256)) * 10, "Save it as UTF-8"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + b"0" * 50, "a PNG image"),
    "a truncated Parquet file": (b"PAR1" + b"\0" * 100, "truncated"),
    "a damaged zip": (b"PK\x03\x04" + b"\0" * 100, "damaged or truncated"),
}


@pytest.mark.parametrize("what", UPLOADS)
def test_an_upload_that_is_not_a_table_is_refused(what: str, api: Api, there: str) -> None:
    content, message = UPLOADS[what]
    before = _versions(api)
    for name in ("good", "brand-new"):
        answer = api(
            "POST", f"{P}/datasets/", data={"name": name}, files={"file": ("any.bin", content)}
        )
        assert answer.status_code in (400, 422), answer.text
        error = answer.json()
        assert message in error["detail"]["file"], error
    assert _versions(api) == before


# Refused at submit

REQUESTS: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "a target that is not there": (
        "ml_training",
        {**TRAINING, "target": "nothing"},
        "parameters.target",
        "there is no column nothing",
    ),
    "a number column with text at its end, as the target of a regression": (
        "ml_training",
        {"dataset": "late-text", "target": "size", "model": "m", "task": "regression"},
        "parameters.target",
        '"size" is text. Regression needs a numeric target.',
    ),
    "a feature that is the target": (
        "ml_training",
        {**TRAINING, "features": ["state"]},
        "parameters.features",
        "must not contain the target",
    ),
    "an algorithm of another task": (
        "ml_training",
        {**TRAINING, "algorithm": "linear"},
        "parameters.target",
        "Regression needs a numeric target",
    ),
    "a model that is not there": (
        "ml_inference",
        {**INFERENCE, "model": "nobody"},
        "parameters.model",
        "train it first",
    ),
    "a signature that does not fit": (
        "ml_inference",
        {**INFERENCE, "dataset": "other"},
        "parameters.dataset",
        "column size is missing (there is Size)",
    ),
    "an unknown key": (
        "digital_twin_update",
        {**UPDATE, "key": "serial"},
        "parameters.key",
        "there is no column serial: the dataset has size, kind, state, price",
    ),
    "a twin that is not there": (
        "digital_twin_update",
        {**UPDATE, "twin": "nobody"},
        "parameters.twin",
        "create it with a definition first",
    ),
    "an entity type that is not there": (
        "digital_twin_update",
        {**UPDATE, "type": "box"},
        "parameters.type",
        "it has thing",
    ),
    "a property that is not there": (
        "digital_twin_update",
        {**UPDATE, "properties": {"colour": "kind"}},
        "parameters.properties.colour",
        "thing has no property colour: it has price, size",
    ),
}


@pytest.mark.parametrize("what", REQUESTS)
def test_an_unusable_request_is_rejected_with_the_field(
    what: str, api: Api, there: str, model: str
) -> None:
    kind, parameters, path, message = REQUESTS[what]
    before = _versions(api)
    error = api.refused(
        "POST", f"{P}/jobs/", 400, path, json={"type": kind, "parameters": parameters}
    )
    assert message in error["detail"][path], error
    assert _versions(api) == before


# Fails in a worker

JOBS: dict[str, Bad] = {
    "a target of one class": Bad(
        "ml_training",
        {**TRAINING, "dataset": "one-class"},
        "invalid_input",
        "has only one class (cold) in 60 rows",
    ),
    "a class with one row": Bad(
        "ml_training",
        {**TRAINING, "dataset": "rare", "rare_classes": "refuse"},
        "invalid_input",
        "classes with only one row (hot)",
    ),
    "too few rows": Bad(
        "ml_training",
        {"dataset": "few", "target": "price", "model": "m"},
        "invalid_input",
        "3 rows have a value of the target price; at least 10",
    ),
    "text for a number": Bad(
        "ml_inference",
        {**INFERENCE, "dataset": "words"},
        "signature_mismatch",
        "column size is VARCHAR and holds 'many' in row 1, and the model was trained on a number "
        "(BIGINT)",
        steps=("Choose a dataset that fits", "Train a model on this dataset"),
    ),
    "a target without values": Bad(
        "ml_training",
        {"dataset": "no-target", "target": "price", "model": "m"},
        "invalid_input",
        "1 rows have a value of the target price",
    ),
    "an infinite number": Bad(
        "ml_training",
        {**TRAINING, "dataset": "infinite"},
        "invalid_input",
        "Column size is inf in row 61",
    ),
    "a model whose bytes were changed": Bad(
        "ml_inference",
        INFERENCE,
        "model_corrupt",
        "The file of model good-model version 1 is not the one that was stored: its checksum "
        "differs",
        lambda installation: installation.replace(flipped, row_agrees=False),
        CORRUPT,
    ),
    "a model that was cut off": Bad(
        "ml_inference",
        INFERENCE,
        "model_corrupt",
        "is not the one that was stored: its size differs",
        lambda installation: installation.replace(lambda data: data[:-10], row_agrees=False),
        CORRUPT,
    ),
    "a zip bomb as a model": Bad(
        "ml_inference",
        INFERENCE,
        "model_corrupt",
        "it is a zip bomb, and was not unpacked",
        lambda installation: installation.replace(bomb, row_agrees=True),
        CORRUPT,
    ),
    "duplicate keys": Bad(
        "digital_twin_update",
        {**UPDATE, "dataset": "twice"},
        "invalid_input",
        'The key column size names the same entity more than once: "7" in rows 8, 61, 62; "9" in '
        "rows 10, 63. Keep one row",
    ),
    "a row without a key": Bad(
        "digital_twin_update",
        {**UPDATE, "dataset": "nameless", "key": "kind", "properties": {"size": "size"}},
        "invalid_input",
        "1 of 3 rows have no value in the key column kind; the first is row 2",
    ),
    "a key that is no name": Bad(
        "digital_twin_update",
        {**UPDATE, "key": "price"},
        "invalid_input",
        "The key column price is DOUBLE: a key must be text",
    ),
    "text in a number column at the last row": Bad(
        "digital_twin_update",
        {**UPDATE, "dataset": "late-text", "properties": {"size": "size"}, "key": "size"},
        "invalid_input",
        'Row 61 of column size holds "many"; the property size must be a whole number.',
    ),
}


@pytest.mark.parametrize("what", JOBS)
def test_a_job_with_bad_input_fails_with_a_message_and_writes_nothing(
    what: str, api: Api, stack: Stack, model: str
) -> None:
    bad, before = JOBS[what], _versions(api)
    undo = bad.before(StoredModel(stack)) if bad.before else lambda: None
    try:
        ended = _run(api, bad.type, bad.parameters)
    finally:
        undo()
    assert (ended["status"], ended["reason"]) == ("failed", bad.reason), ended
    assert bad.message in ended["message"], ended["message"]
    assert bad.message in ended["diagnosis"]["summary"]
    assert [step["label"] for step in ended["diagnosis"]["next_steps"]] == list(bad.steps)
    assert ended["result"] is None
    assert _versions(api) == before


def test_the_model_still_works_from_the_cache_afterwards(
    api: Api, stack: Stack, model: str
) -> None:
    for number in (1, 2):
        ended = _run(api, "ml_inference", INFERENCE)
        assert ended["status"] == "succeeded", ended["message"]
        assert ended["result"] == {"datasets": [{"name": "guesses", "version": number}], "rows": 60}
    kept = list((stack.var / "workers" / ".models").glob("*/*.model"))
    # a bomb with a matching row is cached too, and checked at every load
    assert kept
    for entry in kept:
        entry.write_bytes(flipped(entry.read_bytes()))
    assert _run(api, "ml_inference", INFERENCE)["status"] == "succeeded"
