"""A whole installation with artifacts in a bucket.

Four jobs, each using the output of the previous, while the bucket is unavailable from time to time.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract import test_chain as chain
from tests.contract.conftest import Api, upload
from tests.contract.document import document_of
from tests.support import buckets
from tests.support.stack import Stack, running
from tests.support.waiting import wait_for

# Longer than the retries of one call: web responds 503 and the worker repeats, while the first
# job writes and while the second reads.
AWAY = [[{"method": method, "kind": "503 SlowDown", "times": 5}] for method in ("PUT", "GET")]

BUCKET = "mimir-installation"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    place = buckets.options(BUCKET)["OPTIONS"]
    buckets.bucket_make(BUCKET)
    yield from running(
        tmp_path_factory.mktemp("bucket"),
        **buckets.KEYS,
        ARTIFACTS_URL=f"s3://{place['bucket']}/{place['prefix']}",
        ARTIFACTS_S3_ENDPOINT=place["endpoint_url"],
        ARTIFACTS_S3_REGION=place["region"],
        ARTIFACTS_S3_ADDRESSING=place["addressing_style"],
    )
    buckets.order()


def test_four_dependent_jobs_store_everything_in_the_bucket_and_survive_its_absence(
    stack: Stack,
) -> None:
    api = Api(stack, document_of(stack.client), stack.described["token"])
    api.post("projects/", {"slug": chain.SLUG, "name": "Chain"})
    upload(api, chain.SLUG, "machines", chain._machines())
    api.post(f"{chain.P}/pipelines/", {"name": "split", "definition": {"steps": chain.STEPS}})
    api.post(f"{chain.P}/twins/", {"name": "plant", "definition": chain.DEFINITION})
    ended = []
    for (kind, parameters), faults in zip(chain.JOBS, [*AWAY, [], []], strict=True):
        buckets.order(*faults)
        job = api.ended(
            api.post(f"{chain.P}/jobs/", {"type": kind, "parameters": parameters})["id"]
        )
        assert (job["status"], job["attempt"]) == ("succeeded", 1), (
            kind,
            job["reason"],
            job["message"],
        )
        ended.append(job)
    buckets.order()
    assert ended[-1]["result"]["created"] == chain.FRESH
    _nothing_is_on_the_disk(stack.var)
    for job in ended:
        stack.assert_whole_log(job["id"])
        assert b" F " in stack.log(job["id"]).content
    wait_for(lambda: _objects("logs") >= len(ended), "every log is sealed into the bucket")
    assert b" F " in stack.log(ended[0]["id"]).content
    shown = api.get("system/")
    [row] = [row for row in shown["components"] if row["component"] == "storage"]
    assert (row["state"], row["message"]) == ("alive", "")
    assert row["instance"].startswith("s3://")
    _a_worker_has_no_keys(stack)


def _objects(folder: str) -> int:
    answer = httpx.get(
        f"{buckets.endpoint()}/{BUCKET}",
        params={"list-type": "2", "prefix": f"mimir/{folder}/"},
        trust_env=False,
    )
    return answer.text.count("<Key>")


def _nothing_is_on_the_disk(var: Path) -> None:
    kept = (
        [path for path in (var / "artifacts").rglob("*") if path.is_file()]
        if (var / "artifacts").exists()
        else []
    )
    assert kept == []
    wait_for(
        lambda: not [path for path in (var / "spool").rglob("*") if path.is_file()],
        "nothing is left in the spool",
    )


def _a_worker_has_no_keys(stack: Stack) -> None:
    job: dict[str, Any] = stack.wait_status(
        stack.submit("env | cut -d= -f1; tr '\\0' '\\n' < /proc/$PPID/environ | cut -d= -f1"),
        "succeeded",
    )
    log = stack.log(job["id"]).text
    assert "JOB_ID" in log
    assert "AWS_" not in log
