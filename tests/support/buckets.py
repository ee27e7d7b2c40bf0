"""A bucket for tests.

One S3 server a session, a bucket of its own for each use, and faults on order.
"""

import atexit
import os
import subprocess
import sys
import uuid
from functools import cache
from typing import Any

import httpx

from mimir.dev.paths import ROOT
from mimir.dev.ports import answers, free_port
from tests.support.waiting import wait_for

KEYS = {
    "AWS_ACCESS_KEY_ID": "for-tests",
    "AWS_SECRET_ACCESS_KEY": "for-tests-only",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@cache
def endpoint() -> str:
    """The server's address; started at the first call, ended with the session."""
    port = free_port()
    argv = [sys.executable, "-m", "tests.fakes.s3", str(port)]
    process = subprocess.Popen(
        argv,
        cwd=ROOT,
        env={**os.environ, **KEYS},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    atexit.register(process.kill)

    def serves() -> bool:
        assert process.poll() is None, (
            "the S3 server ended: run python -m tests.fakes.s3 9999 to see why"
        )
        return answers(port)

    wait_for(serves, "the S3 server answers")
    return f"http://127.0.0.1:{port}"


def bucket_make(name: str = "") -> str:
    """A new bucket; its name, one that nobody has unless it is given."""
    name = name or f"mimir-{uuid.uuid4().hex}"
    httpx.put(f"{endpoint()}/{name}", trust_env=False).raise_for_status()
    return name


def options(bucket: str) -> dict[str, Any]:
    """STORAGES["artifacts"] for a bucket, below a prefix."""
    place = {
        "bucket": bucket,
        "prefix": "mimir/",
        "endpoint_url": endpoint(),
        "region": "us-east-1",
        "addressing_style": "path",
    }
    return {"BACKEND": "projects.storage.bucket.Bucket", "OPTIONS": place}


def order(*faults: dict[str, Any]) -> None:
    """These faults from now on, and no others; forgets what came before."""
    httpx.post(f"{endpoint()}/_faults", json=list(faults), trust_env=False).raise_for_status()


def requests() -> list[list[str]]:
    """[method, path, query] of what came since the last order."""
    found: list[list[str]] = httpx.get(f"{endpoint()}/_faults", trust_env=False).json()
    return found
