"""Buckets for tests.

One S3 server per session, a new bucket for each use, and injected faults.
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
    """Return the server's address. The first call starts it; it ends with the session."""
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
    """Create a bucket and return its name, which is unique unless given."""
    name = name or f"mimir-{uuid.uuid4().hex}"
    httpx.put(f"{endpoint()}/{name}", trust_env=False).raise_for_status()
    return name


def options(bucket: str) -> dict[str, Any]:
    """Return STORAGES["artifacts"] for a bucket and a prefix."""
    place = {
        "bucket": bucket,
        "prefix": "mimir/",
        "endpoint_url": endpoint(),
        "region": "us-east-1",
        "addressing_style": "path",
    }
    return {"BACKEND": "projects.storage.bucket.Bucket", "OPTIONS": place}


def order(*faults: dict[str, Any]) -> None:
    """Replace the injected faults and clear the list of requests."""
    httpx.post(f"{endpoint()}/_faults", json=list(faults), trust_env=False).raise_for_status()


def requests() -> list[list[str]]:
    """Return the requests since the last `order` as [method, path, query]."""
    found: list[list[str]] = httpx.get(f"{endpoint()}/_faults", trust_env=False).json()
    return found
