"""Checks for any cluster, in the order of `CHECKS`; each raises AssertionError."""

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.e2e.cluster import SECRETS, Namespace
from tests.e2e.installation import Installation

LINES = 60  # one per second: takes longer than the termination of the restarted pod
# The step can use at most its memory limit: it allocates more than three
# times as much.
GREEDY = "python3 -c \"x = bytearray(b'x') * (900 * 2**20); print(len(x))\""
Check = Callable[[Installation], None]


def cancel(it: Installation) -> None:
    """Cancel a running job; its worker is removed."""
    job = it.submit("echo begun; sleep 900")
    it.printed(job, b"begun")
    it.json("POST", f"/api/v1/jobs/{job}/cancel/")
    it.wait(job, "cancelled", seconds=120)
    _no_worker_of(it, job)


def retry(it: Installation) -> None:
    """A failed job reports its exit code, and the API can retry it."""
    job = it.submit("echo no; exit 3")
    failed = it.wait(job, "failed")
    assert failed["reason"] == "exit_code", failed
    again = str(it.json("POST", f"/api/v1/jobs/{job}/retry/")["id"])
    assert it.wait(again, "failed")["retry_of"] == job
    _wrote(it, again, b"no\nmimir: Step run failed: the command ended with exit code 3\n")


def lost_worker(it: Installation) -> None:
    """A job whose worker pod is deleted is retried automatically and succeeds."""
    job = it.submit("echo begun; sleep 15; echo done", max_attempts=2)
    it.printed(job, b"begun")
    it.namespace.delete_pods(f"mimir-aip/job-id={job}")
    ended = it.wait(job, "succeeded")
    assert ended["attempt"] == 2, ended
    assert _first(it, job)["reason"] == "deleted_by_hand"
    _wrote(it, job, b"begun\ndone\n")


def evicted(it: Installation) -> None:
    """A worker evicted as by a drain is reported, and its attempt is not counted."""
    job = it.submit("echo begun; sleep 15; echo done", max_attempts=1)
    it.printed(job, b"begun")
    it.namespace.evict_pods(f"mimir-aip/job-id={job}")
    it.wait(job, "succeeded")
    assert _first(it, job)["reason"] == "evicted_by_request"
    _wrote(it, job, b"begun\ndone\n")


def no_room(it: Installation) -> None:
    """A worker without capacity reports that while it waits, and can be cancelled."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "no-more"},
        "spec": {"hard": {"count/jobs.batch": "0"}},
    }
    it.namespace.kubectl("apply", "-f", "-", given=json.dumps(quota))
    it.namespace.kubectl(
        "wait",
        "--for=jsonpath={.status.hard.count/jobs\\.batch}=0",
        "--timeout=60s",
        "quota/no-more",
    )
    job = it.submit("echo never")
    end = time.monotonic() + 60
    while ((shown := it.job(job))["diagnosis"] or {}).get("category") != "quota_exceeded":
        assert time.monotonic() < end, (
            f"it does not say that the quota is used up: {shown['status']} {shown['message']}"
        )
        time.sleep(1)
    it.json("POST", f"/api/v1/jobs/{job}/cancel/")
    it.wait(job, "cancelled", seconds=120)
    it.namespace.kubectl("delete", "quota", "no-more")


def out_of_memory(it: Installation) -> None:
    """The reason includes the limit and the memory to request."""
    job = it.submit(GREEDY, resources={"memory": "256Mi"})
    failed = it.wait(job, "failed")
    assert failed["reason"] == "out_of_memory", failed
    assert "256 MiB" in failed["diagnosis"]["summary"], failed
    assert failed["diagnosis"]["next_steps"][0]["patch"] == {"resources": {"memory": "512Mi"}}, (
        failed
    )


def restart(it: Installation, *, component: str) -> None:
    """Delete a component's pods while a job runs.

    The job succeeds in its first attempt, with a complete log.
    """
    job = it.submit(f"for i in $(seq {LINES}); do echo line $i; sleep 1; done")
    it.printed(job, b"line 3\n")
    before = it.namespace.pods()
    it.namespace.delete_pods(f"component={component}")
    it.way.reopen()
    it.namespace.wait_ready()
    it.way.reopen()
    ended = it.wait(job, "succeeded")
    assert ended["attempt"] == 1, ended
    _wrote(it, job, b"".join(b"line %d\n" % number for number in range(1, LINES + 1)))
    gone = set(before.values()) - set(it.namespace.pods().values())
    assert len(gone) == 1, f"of {before} these were replaced: {gone}"


def applied_again(it: Installation) -> None:
    """A second apply of the same manifests changes no running object."""
    before = it.namespace.pods()
    it.namespace.apply()
    it.namespace.wait_ready()
    after = it.namespace.pods()
    assert after == before, f"{before} became {after}"


def no_worker_left(it: Installation) -> None:
    """No Job or pod of a worker exists any more."""
    _gone(it, "component=worker")


def uninstalled(namespace: Namespace) -> None:
    """After `kubectl delete` of the manifests, only the secrets remain."""
    namespace.delete()
    end = time.monotonic() + 300
    while left := namespace.ours() - SECRETS:
        assert time.monotonic() < end, f"these are left: {', '.join(sorted(left))}"
        time.sleep(2)


def _first(it: Installation, job: str) -> dict[str, Any]:
    """Return the first attempt of a job."""
    return next(each for each in it.attempts(job) if each["number"] == 1)


def _wrote(it: Installation, job: str, expected: bytes) -> None:
    """Check that these bytes are the whole log of a job."""
    log = it.whole_log(job)
    assert log == expected, (
        f"its log has {len(log)} bytes, not {len(expected)}: {log[:500]!r} ... {log[-500:]!r}"
    )


def _no_worker_of(it: Installation, job: str) -> None:
    _gone(it, f"mimir-aip/job-id={job}")


def _gone(it: Installation, selector: str, seconds: float = 180.0) -> None:
    end = time.monotonic() + seconds
    while left := it.namespace.ours("jobs,pods", f"app=mimir-aip,{selector}"):
        assert time.monotonic() < end, (
            f"after {seconds:.0f} s these are left: {', '.join(sorted(left))}"
        )
        time.sleep(2)


CHECKS: tuple[tuple[str, Check], ...] = (
    ("cancel", cancel),
    ("retry", retry),
    ("lost_worker", lost_worker),
    ("evicted", evicted),
    ("no_room", no_room),
    ("out_of_memory", out_of_memory),
    *(
        (f"restart_{component}", partial(restart, component=component))
        for component in ("orchestrator", "frontend", "redis", "postgres")
    ),
    ("applied_again", applied_again),
    ("no_worker_left", no_worker_left),
)
