"""Every way in which a worker can end.

The API and the page show the cause and the remedy within seconds, and no process of the worker
remains.
"""

import html
import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
import pytest

from tests.support.installation import left_of
from tests.support.signin import sign_in
from tests.support.stack import Stack
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(180)
REPORT_SECONDS = 5.0  # from the end of a process until page and API show it
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def person(_installation: Stack) -> Iterator[httpx.Client]:
    client = sign_in(_installation)
    yield client
    client.close()


@dataclass(frozen=True)
class Death:
    """A way in which a worker ends.

    `command` is a shell command or an argv, `says` a pattern of the summary, and `next_step` the
    first recommended action.
    """

    name: str
    command: str | list[str]
    reason: str
    says: str
    next_step: str = "Change and run again"
    fields: tuple[tuple[str, Any], ...] = ()


_GROW = "held = []\nfor _ in range(4000): held.append(b'x' * 1048576)\n"
_CHILD = (
    "import subprocess; subprocess.run(['python3', '-c', 'held = b\"x\" * (1 << 30); import time; "
    "time.sleep(300)'])"
)
_SMALL = (("resources", {"memory": "300Mi"}),)
_MEMORY = r"Ran out of memory in step run\. Used (\d+(?:\.\d+)?) (MiB|GiB) of its 300 MiB\."
_DAEMON = (
    'import os; os.fork() or os.setsid() or os.fork() or os.execvp("sleep", ["sleep", "4343"])'
)
_COUNT = "until [ $(grep -lxzs '434[3]' /proc/[0-9]*/cmdline | wc -l) = 2 ]; do sleep 0.05; done"
_ESCAPED = f"env -i setsid sleep 4343 & python3 -c '{_DAEMON}'; {_COUNT};"

DEATHS = [
    Death(
        "segfault",
        "exec python3 -c 'import ctypes; ctypes.string_at(0)'",
        "signal",
        r"signal 11: a segmentation fault in step run",
    ),
    Death(
        "segfault behind a shell",
        "python3 -c 'import ctypes; ctypes.string_at(0)'; exit $?",
        "exit_code",
        r"exit code 139 \(signal SIGSEGV",
    ),
    Death(
        "abort",
        "exec python3 -c 'import os; os.abort()'",
        "signal",
        r"signal 6: it aborted itself in step run",
    ),
    Death(
        "exit code",
        "echo on its way; exit 7",
        "exit_code",
        r"Step run failed: the command ended with exit code 7",
    ),
    Death(
        "slow growth",
        ["python3", "-c", _GROW],
        "out_of_memory",
        _MEMORY,
        "Run again with 600 MiB",
        _SMALL,
    ),
    Death(
        "sudden growth of a child",
        ["python3", "-c", _CHILD],
        "out_of_memory",
        _MEMORY,
        "Run again with 600 MiB",
        _SMALL,
    ),
    Death(
        "time limit",
        "sleep 300",
        "deadline_exceeded",
        r"Stopped at its time limit of 1 s",
        "Run again with 2 s",
        (("timeout_seconds", 1),),
    ),
    Death("the program is not there", "exec /nowhere/at/all", "exit_code", r"exit code 127"),
    Death(
        "it kills its parent",
        "kill -9 $PPID; sleep 300",
        "signal",
        r"signal 9: it was killed in step run",
    ),
    Death(
        "no result",
        "kill -TERM $PPID; exit 0",
        "exit_code",
        r"The workload ended with exit code 143 and no result",
    ),
    Death("escaped and failed", f"{_ESCAPED} exit 3", "exit_code", r"exit code 3"),
    Death(
        "artifacts over the limit",
        f"truncate -s {9 * MIB} outputs/large",
        "artifact_limit_exceeded",
        r"ARTIFACT_BYTES_MAX",
    ),
]


@pytest.mark.parametrize("death", DEATHS, ids=lambda death: death.name)
def test_the_cause_is_reported_and_nothing_is_left(
    stack: Stack, person: httpx.Client, death: Death
) -> None:
    argv = death.command if isinstance(death.command, list) else ["sh", "-c", death.command]
    job = stack.submit(
        [{"id": "run", "uses": "command", "with": {"argv": argv}}], **dict(death.fields)
    )
    ended = stack.end_of(job)
    _assert_reported(stack, person, ended, death)


def _assert_reported(
    stack: Stack, person: httpx.Client, ended: dict[str, Any], death: Death
) -> None:
    diagnosis = ended["diagnosis"]
    assert (ended["status"], ended["reason"]) == ("failed", death.reason), ended["message"]
    assert re.search(death.says, diagnosis["summary"]), diagnosis
    assert diagnosis["category"] == death.reason
    assert diagnosis["next_steps"][0]["label"] == death.next_step
    _assert_page_says(person, ended)
    wait_for(
        lambda: all(attempt["gone_at"] for attempt in stack.attempts(ended["id"])),
        "its worker is gone",
        20,
    )
    assert left_of(ended["id"]) == []
    assert _escaped() == []


def _assert_page_says(person: httpx.Client, ended: dict[str, Any]) -> None:
    """Check the top card of the job's page: the cause as heading, then the next step."""
    page = person.get(f"/jobs/{ended['id']}/").raise_for_status().text
    card = re.search(r'<section id="job-why".*?\n</section>', page, re.DOTALL)
    assert card, "the page has no card that says why"
    said = html.unescape(card[0])
    assert 'data-why="failed"' in said
    assert ended["diagnosis"]["summary"] in said
    for step in ended["diagnosis"]["next_steps"]:
        assert step["label"] in said


def _escaped() -> list[int]:
    return [
        each.pid
        for each in psutil.process_iter(["cmdline"])
        if each.info["cmdline"] == ["sleep", "4343"]
    ]


def test_with_memory_max_it_runs_again_with_more_memory_until_it_succeeds(
    stack: Stack, person: httpx.Client
) -> None:
    """The command needs about 400 MiB: 300 MiB are not enough, 600 MiB are."""
    program = "held = b'x' * (380 << 20); import time; time.sleep(1); print('done')"
    job = stack.submit(
        [{"id": "run", "uses": "command", "with": {"argv": ["python3", "-c", program]}}],
        resources={"memory": "300Mi", "memory_max": "1Gi"},
    )
    ended = stack.end_of(job)
    assert (ended["status"], ended["attempt"], ended["attempts_used"]) == ("succeeded", 2, 1)
    assert ended["resources"]["memory"] == "600Mi"
    first, second = stack.attempts(job)
    assert (first["reason"], first["counts"]) == ("out_of_memory", False)
    assert (first["memory_limit_bytes"], second["memory_limit_bytes"]) == (300 * MIB, 600 * MIB)
    assert first["memory_raised_to_bytes"] == second["memory_limit_bytes"]
    page = html.unescape(person.get(f"/jobs/{job}/").raise_for_status().text)
    assert "With 600 MiB: attempt 1 ran out of 300 MiB." in page
    assert "The next attempt gets 600 MiB." in page
    assert 'href="?attempt=1#log"' in page.partition('aria-label="Attempt"')[2]


def _running(stack: Stack, command: str, **fields: Any) -> str:
    """Return a job whose command has started."""
    job = stack.submit(f"echo begun; {command}", **fields)
    wait_for(lambda: stack.log(job).content, "its command has begun")
    return job


def test_a_killed_and_silent_worker_is_reported_within_seconds(
    stack: Stack, person: httpx.Client
) -> None:
    job = _running(stack, "sleep 300")
    os.kill(stack.worker_pid(job), signal.SIGKILL)
    killed = time.monotonic()
    ended = stack.end_of(job)
    page = person.get(f"/jobs/{job}/").text
    assert time.monotonic() - killed < REPORT_SECONDS
    assert 'data-why="failed"' in page
    _assert_reported(
        stack,
        person,
        ended,
        Death("", "", "worker_lost", "The worker vanished: it was killed externally", "Run again"),
    )
    log = stack.log(job)
    assert log.headers["Log-Complete"] == "false"
    assert "mimir: The worker ended without delivering its log" in log.text


def test_a_stopping_worker_says_so_and_lets_its_command_end_cleanly(
    stack: Stack, person: httpx.Client
) -> None:
    job = _running(stack, "trap 'echo in order; exit 0' TERM; sleep 300 & wait")
    os.kill(stack.worker_pid(job), signal.SIGTERM)
    ended = stack.end_of(job)
    _assert_reported(
        stack,
        person,
        ended,
        Death("", "", "interrupted", r"received SIGTERM from its machine", "Run again"),
    )
    assert stack.log(job, format="raw").text == "begun\nin order\n"


def test_escaped_processes_end_with_a_killed_supervisor(stack: Stack, person: httpx.Client) -> None:
    job = stack.submit(f"{_ESCAPED} echo begun; sleep 300")
    wait_for(lambda: stack.log(job).content, "its command has begun, and its daemons run")
    os.kill(stack.worker_pid(job), signal.SIGKILL)
    ended = stack.end_of(job)
    _assert_reported(
        stack, person, ended, Death("", "", "worker_lost", "The worker vanished", "Run again")
    )
    wait_for(lambda: not _escaped(), "what escaped is gone")


def test_a_job_continues_when_the_guardian_above_its_supervisor_is_killed(stack: Stack) -> None:
    job = _running(stack, "sleep 1; echo done")
    os.kill(stack.guardian_pid(job), signal.SIGKILL)
    ended = stack.end_of(job)
    assert (ended["status"], ended["attempt"]) == ("succeeded", 1)
    assert stack.log(job, format="raw").text == "begun\ndone\n"
    wait_for(lambda: not stack.workers(), "its worker is cleaned up")
    assert not left_of(job)


def test_what_escapes_from_its_session_and_environment_does_not_outlive_a_success(
    stack: Stack,
) -> None:
    job = stack.submit(f"{_ESCAPED} echo done")
    ended = stack.end_of(job)
    assert (ended["status"], ended["reason"]) == ("succeeded", "")
    wait_for(lambda: stack.attempts(job)[0]["gone_at"], "its worker is gone")
    assert _escaped() == []


def test_a_command_that_ignores_a_cancel_is_ended(stack: Stack) -> None:
    job = _running(stack, "trap '' TERM; while :; do sleep 1; done")
    stack.call("POST", f"/api/v1/jobs/{job}/cancel/")
    assert stack.end_of(job, 40)["status"] == "cancelled"
    wait_for(lambda: stack.attempts(job)[0]["gone_at"], "its worker is gone")
    assert left_of(job) == []


def test_a_command_may_close_its_stdout_and_write_elsewhere(stack: Stack) -> None:
    """A command inherits no descriptors above 2.

    A write to one fails in the command and affects nothing else.
    """
    program = (
        "import os; os.close(1); os.close(2)\n"
        "for number in range(3, 64):\n"
        "    try: os.write(number, b'x')\n"
        "    except OSError: pass\n"
        "open('outputs/done', 'w').write('yes')"
    )
    job = stack.submit(
        [{"id": "run", "uses": "command", "with": {"argv": ["python3", "-c", program]}}]
    )
    ended = stack.end_of(job)
    assert ended["status"] == "succeeded", ended["message"]
    assert stack.log(job).content == b""
    names = [
        row["name"] for row in stack.call("GET", f"/api/v1/jobs/{job}/artifacts/").json()["results"]
    ]
    assert names == ["done"]


def test_user_code_finds_no_secret_of_ours(stack: Stack) -> None:
    """Neither its environment nor that of a parent process has a secret, even when read as root."""
    program = (
        "import os, pathlib\n"
        "print('own', sorted(os.environ))\n"
        "pid = os.getpid()\n"
        "while pid > 1:\n"
        "    try: print('above', pid, pathlib.Path(f'/proc/{pid}/environ').read_bytes())\n"
        "    except OSError as error: print('above', pid, type(error).__name__)\n"
        "    pid = "
        "int(pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[1])\n"
    )
    job = stack.submit(
        [{"id": "run", "uses": "command", "with": {"argv": ["python3", "-c", program]}}]
    )
    assert stack.end_of(job)["status"] == "succeeded"
    found = stack.log(job, format="raw").text
    own = found.splitlines()[0]
    assert "'JOB_ID'" in own
    assert "'ATTEMPT_ID'" in own
    assert not re.search(r"TOKEN|SECRET|DATABASE|REDIS|WORKER_|MIMIR|PASSWORD|ORCHESTRATOR", own), (
        own
    )
    assert found.count("above") >= 3, "it looked at itself, the workload and the supervisor"
    assert not re.search(r"JOB_TOKEN=(?!x+\\x00)", found), "the supervisor's token can be read"
    for name, value in stack.environment.items():
        assert "KEY" not in name or value not in found
    assert stack.described["token"] not in found


def test_an_orchestrator_that_is_away_loses_nothing_of_more_than_a_spool_can_hold(
    stack: Stack,
) -> None:
    """The workload blocks until the spool has space; then all its output is stored."""
    program = (
        "import sys\nfor number in range(200_000): print('%040d' % number)\nopen('outputs/end', "
        "'w').write('x')"
    )
    pid = stack.pids("web")[0]
    job = _running(stack, f'sleep 1; exec python3 -c "{program}"')
    os.kill(pid, signal.SIGSTOP)
    try:
        spool = stack.var / "workers" / f"worker-job-{job}-1" / "spool"
        wait_for(
            lambda: sum(entry.stat().st_size for entry in spool.iterdir()) >= 2 * MIB,
            "the spool is full",
        )
    finally:
        os.kill(pid, signal.SIGCONT)
    assert stack.end_of(job, 90)["status"] == "succeeded"
    log = stack.log(job, format="raw")
    assert log.headers["Log-Complete"] == "true"
    assert log.text.splitlines() == ["begun", *(f"{number:040d}" for number in range(200_000))]
