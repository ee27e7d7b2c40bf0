"""A log of 60 MB with every kind of content.

It is returned byte for byte, with memory that does not grow with the log.
"""

import asyncio
import contextlib
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from websockets.asyncio.client import connect

from jobs.contract import LOG_LINE_BYTES_MAX
from tests.support.stack import Stack, running
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)
SMALL, LARGE = 2_000_000, 60_000_000
LONG_LINE = {SMALL: 500_000, LARGE: 15_000_000}
GROWTH_KIB = 24 * 1024
RECEIVE_BUFFER_BYTES = 4096

# Writes about this number of bytes to stdout and their checksum to an artifact. stderr, a child and
# a daemon write as well.
PROGRAM = r"""
import hashlib, os, subprocess, sys, time
total, long_line = int(sys.argv[1]), int(sys.argv[2])
digest = hashlib.sha256()
def write(data):
    digest.update(data)
    view = memoryview(data)
    while view:
        view = view[os.write(1, view):]
daemon = subprocess.Popen(["sh", "-c", "sleep 600 & sleep 600"], start_new_session=True)  # keeps the pipe open
child = b"from a child\n" * 1000
subprocess.run(["python3", "-c", "import os; os.write(1, b'from a child\\n' * 1000)"], check=True)
digest.update(child)
write(b"invalid \xff\xfe\xc3( \xed\xa0\x80 and a zero \x00 and no end of a line")
time.sleep(0.5)  # so long that it is stored as a part
write(b"\n" + "größer → 漢字\r\n".encode())
for percent in range(0, 101, 5):
    write(b"\rprogress %3d %%" % percent)
write(b"\n\n\n")
block = b"".join(b"%09d the quick brown fox jumps over the lazy dog\n" % number for number in range(2000))
written = 0
while written < (total - long_line) // 2:
    write(block)
    written += len(block)
os.write(2, b"half of it\n")
piece = bytes(range(32, 127)) * 1000
for _ in range(long_line // len(piece)):
    write(piece)
write(b"\n")
while written < total - long_line:
    write(block)
    written += len(block)
write(b"the last line has no end")
open("outputs/stdout.sha256", "w").write(digest.hexdigest())
time.sleep(float(sys.argv[3]))
"""  # noqa: E501


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    yield from running(tmp_path_factory.mktemp("large"))


class Peaks(threading.Thread):
    """Peak memory (VmHWM, KiB) of each of our processes, by name.

    Includes short-lived processes.
    """

    def __init__(self, stack: Stack, job: str) -> None:
        super().__init__(name="peaks", daemon=True)
        self._stack, self._job = stack, job
        self.ended = threading.Event()
        self.found: dict[str, int] = {}

    def run(self) -> None:
        while not self.ended.wait(0.2):
            self.look()

    def look(self) -> None:
        """Read the peak once. A peak only rises, so the last read before the end has it."""
        for name in ("web", "frontend", "dispatcher", "reconciler"):
            for pid in self._stack.pids(name):
                self._note(name, pid)
        for pid in self._worker():
            line = b""
            with contextlib.suppress(OSError):  # it has ended
                line = b" ".join(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))
            if b"jobs.worker.workload" in line:
                self._note("workload wrapper", pid)
            elif line.rstrip().endswith(b"-m jobs.worker"):
                self._note("worker's supervisor", pid)

    def _worker(self) -> list[int]:
        path = self._stack.var / "workers" / f"worker-job-{self._job}-1" / "pid"
        with contextlib.suppress(OSError, ValueError, psutil.Error):
            pid = int(path.read_text())
            return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
        return []

    def _note(self, name: str, pid: int) -> None:
        with contextlib.suppress(OSError):
            peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
            if peak:
                self.found[name] = max(self.found.get(name, 0), int(peak[1]))


def _submit(stack: Stack, total: int, hold_seconds: float) -> str:
    argv = ["python3", "-c", PROGRAM, str(total), str(LONG_LINE[total]), str(hold_seconds)]
    return stack.submit(
        [{"id": "write", "uses": "command", "with": {"argv": argv}}], timeout_seconds=300
    )


class Follower(threading.Thread):
    """Follows the WebSocket of a job to its end; keeps the offset but not the text."""

    def __init__(self, stack: Stack, job: str) -> None:
        super().__init__(name="follower", daemon=True)
        self._address, self._token = _socket(stack, job), stack.described["token"]
        self.offset, self.ended, self.fault = 0, False, ""

    def run(self) -> None:
        asyncio.run(self._follow())

    async def _follow(self) -> None:
        async with connect(
            self._address,
            additional_headers={"Authorization": f"Bearer {self._token}"},
            max_size=None,
        ) as socket:
            async for text in socket:
                message = json.loads(text)
                if message["kind"] == "log":
                    if message["offset"] != self.offset:
                        self.fault = f"{message['offset']} after {self.offset}"
                    self.offset = message["end"]
                self.ended = message["kind"] == "end"


def _socket(stack: Stack, job: str) -> str:
    return f"{stack.described['frontend_url'].replace('http', 'ws', 1)}/ws/jobs/{job}/"


@contextlib.contextmanager
def _slow_reader(stack: Stack, job: str) -> Iterator[None]:
    """Read a WebSocket and a download of the log very slowly during the block."""
    done = threading.Event()

    async def read() -> None:
        sent = {"Authorization": f"Bearer {stack.described['token']}"}
        async with connect(
            _socket(stack, job), additional_headers=sent, max_size=None, max_queue=1
        ) as socket:
            while not done.is_set():
                await socket.recv()
                await asyncio.sleep(1)

    def follow_slowly() -> None:
        with contextlib.suppress(Exception):
            asyncio.run(read())

    def download_slowly() -> None:
        with (
            contextlib.suppress(httpx.HTTPError),
            stack.client_for(stack.described["token"]).stream(
                "GET", f"/api/v1/jobs/{job}/logs/"
            ) as answer,
        ):
            for _piece in answer.iter_raw(RECEIVE_BUFFER_BYTES):
                if done.wait(1):
                    return

    threads = [
        threading.Thread(target=target, daemon=True) for target in (follow_slowly, download_slowly)
    ]
    for thread in threads:
        thread.start()
    yield
    done.set()
    for thread in threads:
        thread.join(10)


def _raw_sha256(stack: Stack, job: str) -> tuple[str, int, str]:
    """Return the checksum and size of stdout from the API, and the header Log-Complete."""
    digest, size = hashlib.sha256(), 0
    with stack.client.stream(
        "GET", f"/api/v1/jobs/{job}/logs/", params={"format": "raw", "stream": "stdout"}
    ) as answer:
        for piece in answer.iter_bytes():
            digest.update(piece)
            size += len(piece)
        return digest.hexdigest(), size, answer.headers["Log-Complete"]


def _download(stack: Stack, job: str) -> None:
    """Download the whole stored log; every line must be within its limit."""
    rest, longest = b"", 0
    with stack.client.stream("GET", f"/api/v1/jobs/{job}/logs/") as answer:
        for piece in answer.iter_bytes():
            *lines, rest = (rest + piece).split(b"\n")
            longest = max(longest, *map(len, lines), 0)
    assert rest == b""
    assert longest < LOG_LINE_BYTES_MAX


def _written_sha256(stack: Stack, job: str) -> str:
    """Return the digest reported by the step itself."""
    (artifact,) = stack.call("GET", f"/api/v1/jobs/{job}/artifacts/").json()["results"]
    return stack.call("GET", artifact["url"]).text


def _run(stack: Stack, total: int, *, slow: bool) -> tuple[dict[str, int], dict[str, Any]]:
    """Run one job with its readers; return the peaks and the received data."""
    job = _submit(stack, total, 1.0)
    stack.wait_status(job, "running", "succeeded")
    peaks, follower = Peaks(stack, job), Follower(stack, job)
    peaks.start()
    follower.start()
    with _slow_reader(stack, job) if slow else contextlib.nullcontext():
        ended = stack.end_of(job, 240)
        assert ended["status"] == "succeeded", ended["message"]
        wait_for(
            lambda: stack.log(job, limit=0).headers["Log-Complete"] == "true", "its log is complete"
        )
        sha256, size, complete = _raw_sha256(stack, job)
        _download(stack, job)
        follower.join(120)
    peaks.look()
    peaks.ended.set()
    end = int(stack.log(job, limit=0).headers["Log-End"])
    assert (follower.offset, follower.ended, follower.fault) == (end, True, "")
    seen = {
        "sha256": sha256,
        "size": size,
        "complete": complete,
        "written": _written_sha256(stack, job),
    }
    return dict(peaks.found), seen


def test_60_mb_read_back_as_they_were_written_in_memory_that_does_not_grow(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(stack, SMALL, slow=False)  # fixed need of a process, whatever the size of the log
    small, small_seen = _run(stack, SMALL, slow=False)
    began = time.monotonic()
    large, large_seen = _run(stack, LARGE, slow=True)
    taken = time.monotonic() - began
    with capsys.disabled():
        print(f"\n  peak memory (VmHWM), MiB: at 2 MB, at 60 MB ({taken:.0f} s with all readers)")
        for name in sorted(large):
            print(
                f"    {name:22} {small[name] / 1024:7.1f} {large[name] / 1024:7.1f}  "
                f"{(large[name] - small[name]) / 1024:+.1f}"
            )
    for seen, total in ((small_seen, SMALL), (large_seen, LARGE)):
        assert seen["size"] > total * 0.98
        assert (seen["sha256"], seen["complete"]) == (seen["written"], "true")
    names = {
        "web",
        "frontend",
        "dispatcher",
        "reconciler",
        "worker's supervisor",
        "workload wrapper",
    }
    assert set(large) == names, sorted(large)
    grown = {name: large[name] - small[name] for name in names}
    assert max(grown.values()) <= GROWTH_KIB, json.dumps(grown)
