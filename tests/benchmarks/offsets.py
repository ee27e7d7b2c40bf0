"""Reads and searches at random offsets of a log of 200 MB."""

import random
import time

from tests.benchmarks.figures import head, percentile, row, verdict
from tests.support.stack import Stack

READS, SEARCHES = 200, 20
PIECE_BYTES = 64 * 1024
READ_P50_SECONDS = 0.200
WRITE = """
import sys
line = b'%010d ' + b'the quick brown fox jumps over the lazy dog ' * 2 + b'\\n'
for number in range(1_400_000):
    sys.stdout.buffer.write(line % number)
"""


def measure(stack: Stack) -> None:
    """Print the cost of reading a page of a large log, before and after it is sealed."""
    stack.project()
    job = stack.submit(
        [{"id": "write", "uses": "command", "with": {"argv": ["python3", "-c", WRITE]}}],
        timeout_seconds=600,
    )
    stack.wait_status(job, "running")
    while (end := int(stack.log(job, limit=0).headers["Log-End"])) < 64 * 1024**2:
        time.sleep(0.1)
    growing = [_read(stack, job, random.randrange(end - PIECE_BYTES)) for _ in range(READS // 4)]
    stack.end_of(job, 600)
    stack.assert_whole_log(job)
    end = int(stack.log(job, limit=0).headers["Log-End"])
    sealed = [_read(stack, job, random.randrange(end - PIECE_BYTES)) for _ in range(READS)]
    pages = [_search(stack, job, random.randrange(end - PIECE_BYTES)) for _ in range(SEARCHES)]
    head(f"64 KiB at random offsets of a log of {end / 1e6:.0f} MB")
    row("while it grows", growing)
    row("when it has ended", sealed, verdict(percentile(sealed, 50), READ_P50_SECONDS))
    row("a page of hits from a random offset", pages)
    row(
        "a word that is nowhere, page by page to the end",
        [_search_all(stack, job) for _ in range(3)],
    )


def _read(stack: Stack, job: str, offset: int) -> float:
    began = time.perf_counter()
    answer = stack.log(job, offset=offset, limit=PIECE_BYTES)
    taken = time.perf_counter() - began
    assert len(answer.content) == PIECE_BYTES, answer.headers
    return taken


def _search(stack: Stack, job: str, offset: int) -> float:
    """Search one page from a random offset for a word that every line has."""
    began = time.perf_counter()
    answer = stack.call(
        "GET", f"/api/v1/jobs/{job}/logs/search/", params={"q": "lazy dog", "cursor": offset}
    )
    taken = time.perf_counter() - began
    assert len(answer.json()["results"]) > 1
    return taken


def _search_all(stack: Stack, job: str) -> float:
    """Search page by page to the end for a word that no line has."""
    began = time.perf_counter()
    path: str | None = f"/api/v1/jobs/{job}/logs/search/?q=nowhere"
    while path:
        path = stack.call("GET", path).json()["next"]
    return time.perf_counter() - began
