"""Worker started as in its image: with only the code of the image and five variables."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jobs.diagnosis.termination import ExitReport, read_exit_report
from jobs.worker import cgroup
from tests.support.images import lay_out
from tests.support.orchestrator import Orchestrator
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(90)
MIB = 1024 * 1024
# This machine's own cgroup holds the tests too: the worker is shown another.
ENTRY = (
    "import sys, pathlib, jobs.worker.cgroup as c\nc.MOUNTED = pathlib.Path(sys.argv[1])\nfrom "
    "jobs.worker.__main__ import main\nsys.exit(main())"
)


@dataclass
class Container:
    """Process of a worker with its orchestrator and the folder of its mounts."""

    orchestrator: Orchestrator
    folder: Path
    process: subprocess.Popen[bytes]

    def end(self) -> tuple[int, bytes]:
        """Wait for the end; return the exit code and stdout, which becomes the log of the pod."""
        out, _ = self.process.communicate(timeout=60)
        return self.process.returncode, out

    @property
    def errors(self) -> str:
        """Return the stderr of the worker."""
        return (self.folder / "stderr").read_text()

    @property
    def exit_report(self) -> dict[str, Any]:
        """Return Kubernetes' termination message of the container."""
        said: dict[str, Any] = json.loads((self.folder / "termination-log").read_text())
        return said


Start = Callable[..., Container]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out("worker", tmp_path_factory.mktemp("image") / "app")


@pytest.fixture
def start(app: Path, tmp_path: Path) -> Iterator[Start]:
    started: list[Container] = []

    def begin(
        script: str = "echo one",
        *,
        data: str = "",
        answers: dict[str, Any] | None = None,
        **limits: int,
    ) -> Container:
        orchestrator = Orchestrator(
            [{"id": "run", "uses": "command", "with": {"argv": ["sh", "-c", script]}}], **limits
        )
        orchestrator.answers.update(answers or {})
        (tmp_path / "termination-log").touch()
        environment = {
            "PATH": os.environ["PATH"],
            "JOB_ID": "j",
            "JOB_TYPE": "pipeline_execution",
            "ATTEMPT_ID": f"attempt-{tmp_path.name}",
            "JOB_TOKEN": "launch",
            "ORCHESTRATOR_URL": orchestrator.url,
            # /app/data, /app/models and /dev/termination-log of a container.
            "MIMIR_DATA_DIR": data or str(tmp_path / "data"),
            "MIMIR_MODELS_DIR": str(tmp_path / "models"),
            "MIMIR_TERMINATION_FILE": str(tmp_path / "termination-log"),
        }
        argv = [sys.executable, "-S", "-c", ENTRY, str(tmp_path / "cgroup")]
        with (tmp_path / "stderr").open("wb") as errors:
            process = subprocess.Popen(
                argv, cwd=app, env=environment, stdout=subprocess.PIPE, stderr=errors
            )
        started.append(Container(orchestrator, tmp_path, process))
        return started[-1]

    yield begin
    for container in started:
        container.process.kill()
        container.process.communicate()
        container.orchestrator.close()


def _group(folder: Path, *, used: int, limit: int | str, kills: int = 0) -> Path:
    """Create the files of a memory cgroup, version 2."""
    folder.mkdir(exist_ok=True)
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.stat").write_text(
        f"anon 1\ninactive_file {MIB}\nactive_file {2 * MIB}\nslab_reclaimable {3 * MIB}\n"
    )
    (folder / "memory.events").write_text(f"low 0\noom {kills}\noom_kill {kills}\n")
    return folder


def test_five_variables_are_enough_and_its_stdout_is_the_log_byte_for_byte(start: Start) -> None:
    container = start("echo one; echo two >&2; env > outputs/environment; echo x > made; pwd")
    code, out = container.end()
    accepted = container.orchestrator.accepted
    assert accepted is not None, container.errors
    assert (code, accepted["status"]) == (0, "succeeded")
    assert b" stdout F one\n" in out
    assert b" stderr F two\n" in out
    assert out == container.orchestrator.log
    assert container.exit_report["code"] == 0
    assert container.exit_report["log_end"] == len(out)
    assert str(container.folder / "data") in out.decode()
    assert b"JOB_TOKEN" not in container.orchestrator.artifacts["environment"]


def test_a_failed_job_is_not_a_failure_of_its_container(start: Start) -> None:
    """The end was accepted, so the cluster has nothing to report."""
    container = start("exit 7")
    code, _ = container.end()
    assert container.orchestrator.accepted is not None
    assert (code, container.orchestrator.accepted["reason"]) == (0, "exit_code")
    assert "reason" not in container.exit_report


def test_a_sigterm_of_the_cluster_is_reported_as_such(start: Start) -> None:
    container = start("echo one; sleep 300")
    wait_for(lambda: container.orchestrator.log, "the workload has begun", 60)
    container.process.send_signal(signal.SIGTERM)
    code, _ = container.end()
    accepted = container.orchestrator.accepted
    assert accepted is not None
    assert (code, accepted["status"], accepted["reason"]) == (143, "failed", "interrupted"), (
        "its container has not done its work"
    )


def test_sigterm_before_the_claim_ends_it_at_once(start: Start) -> None:
    signals_sent: list[Any] = []

    def away(body: Any) -> Any:
        signals_sent.append(body)
        return 503, {}

    container = start(answers={"claim": away})
    wait_for(lambda: signals_sent, "it asks for its job", 60)
    container.process.send_signal(signal.SIGTERM)
    assert container.end() == (143, b"")
    assert container.orchestrator.finishes == []


def test_an_undelivered_end_is_in_the_containers_exit_report(start: Start) -> None:
    container = start(
        "echo one; exit 3",
        answers={name: lambda _body: (503, {}) for name in ("logs", "finish")},
        grace_seconds=1,
    )
    code, out = container.end()
    assert code == 5
    assert b" stdout F one\n" in out
    said = read_exit_report((container.folder / "termination-log").read_text())
    assert said is not None
    assert said == ExitReport(
        5,
        "exit_code",
        "Step run failed: the command ended with exit code 3",
        None,
        said.peak_memory_bytes,
        len(out),
    )


def test_an_exit_report_never_exceeds_the_stored_length(start: Start) -> None:
    """JSON encodes each character of this error message in six bytes."""
    refused = 400, {"code": "invalid", "message": "\x01" * 3000, "detail": {}}
    container = start(answers={"finish": lambda _body: refused})
    assert container.end()[0] == 5
    assert (container.folder / "termination-log").stat().st_size <= 4096
    assert container.exit_report["reason"] == "protocol"


def test_a_scratch_folder_that_cannot_be_written_is_named_before_anything_is_claimed(
    start: Start,
) -> None:
    claims: list[Any] = []
    container = start(data="/proc/nowhere/data", answers={"claim": claims.append})
    assert container.end() == (6, b"")
    assert "the scratch folder /proc/nowhere/data cannot be used" in container.errors
    assert "mount a volume" in container.errors
    assert claims == []


def test_memory_is_what_the_container_uses_without_what_the_kernel_can_take_back(
    start: Start, tmp_path: Path
) -> None:
    """98 of 100 MiB are used. With 6 MiB of cache the worker continues, without cache it ends."""
    group = _group(tmp_path / "cgroup", used=98 * MIB, limit=100 * MIB)
    container = start(
        f"sleep 0.5; echo alive; echo {104 * MIB} > {group}/memory.current; sleep 300"
    )
    code, out = container.end()
    accepted = container.orchestrator.accepted
    assert accepted is not None
    assert (code, accepted["reason"]) == (0, "out_of_memory")
    assert b"alive" in out
    assert (accepted["detail"]["limit_bytes"], accepted["detail"]["peak_bytes"]) == (
        100 * MIB,
        98 * MIB,
    )


@pytest.mark.parametrize("death", ["kill -9 $$", "sh -c 'kill -9 $$'"])
def test_what_the_kernel_killed_for_memory_is_out_of_memory_also_behind_a_shell(
    start: Start, tmp_path: Path, death: str
) -> None:
    group = _group(tmp_path / "cgroup", used=20 * MIB, limit=100 * MIB)
    container = start(f"printf 'low 0\\noom_kill 1\\n' > {group}/memory.events; {death}")
    container.end()
    accepted = container.orchestrator.accepted
    assert accepted is not None
    assert (accepted["status"], accepted["reason"]) == ("failed", "out_of_memory")
    assert (
        accepted["detail"]["step"],
        accepted["detail"]["peak_bytes"],
        accepted["peak_memory_bytes"],
    ) == ("run", 100 * MIB, 100 * MIB)


def test_a_kill_without_the_kernels_word_stays_a_signal(start: Start, tmp_path: Path) -> None:
    _group(tmp_path / "cgroup", used=20 * MIB, limit=100 * MIB, kills=3)
    container = start("kill -9 $$")
    container.end()
    assert container.orchestrator.accepted is not None
    assert container.orchestrator.accepted["reason"] == "signal"


def test_a_cgroup_is_found_however_it_is_mounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    monkeypatch.setattr(cgroup, "OWN", own)
    monkeypatch.setattr(cgroup, "MOUNTED", tmp_path)
    _group(tmp_path / "pods", used=50 * MIB, limit=100 * MIB)
    for text, used in (("0::/pods\n", 44 * MIB), ("0::/seen/only/by/the/host\n", None), ("", None)):
        own.write_text(text)
        group = cgroup.own_group()
        assert (group.read() if group else None) == ((used, 100 * MIB) if used else None)
    _group(tmp_path, used=9 * MIB, limit=10 * MIB, kills=2)
    group = cgroup.own_group()
    assert group is not None
    assert (group.read(), group.kills()) == ((3 * MIB, 10 * MIB), 2)


@pytest.mark.parametrize(
    ("limit", "read"), [(100 * MIB, (40 * MIB, 100 * MIB)), (0x7FFFFFFFFFFFF000, None)]
)
def test_version_1_says_the_same_in_other_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, read: tuple[int, int] | None
) -> None:
    (tmp_path / "own").write_text("12:cpu,cpuacct:/pods/a\n4:memory:/pods/b\n")
    folder = tmp_path / "memory/pods/b"
    folder.mkdir(parents=True)
    (folder / "memory.usage_in_bytes").write_text(f"{42 * MIB}\n")
    (folder / "memory.limit_in_bytes").write_text(f"{limit}\n")
    (folder / "memory.stat").write_text(
        f"cache 1\ntotal_inactive_file {MIB}\ntotal_active_file {MIB}\n"
    )
    (folder / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 5\n")
    monkeypatch.setattr(cgroup, "OWN", tmp_path / "own")
    monkeypatch.setattr(cgroup, "MOUNTED", tmp_path)
    group = cgroup.own_group()
    assert group is not None
    assert (group.read(), group.kills()) == (read, 5)


def test_a_group_without_a_limit_leaves_the_limit_to_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroup, "OWN", tmp_path / "nothing")
    monkeypatch.setattr(cgroup, "MOUNTED", _group(tmp_path / "group", used=MIB, limit="max"))
    group = cgroup.own_group()
    assert group is not None
    assert group.read() is None
