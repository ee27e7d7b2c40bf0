"""Record of the containers that ran: start, end and node log of each, whatever the API shows."""

from dataclasses import asdict, dataclass, field
from typing import Any

from tests.fakes.kubernetes.resources import Object

ROTATE_KEEPS = 10 * 2**20


@dataclass(slots=True)
class Run:
    """Run of one container. Times are in seconds since 1970."""

    job: str
    job_uid: str
    attempt_id: str
    pod: str
    pod_uid: str
    node: str
    started_at: float
    ended_at: float | None = None
    exit_code: int | None = None
    reason: str = ""
    env: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_running(self) -> bool:
        return self.ended_at is None

    def as_json(self, *, with_env: bool = False) -> dict[str, Any]:
        found = asdict(self)
        if not with_env:
            del found["env"]
        return found


class Ledger:
    def __init__(self) -> None:
        self.runs: list[Run] = []
        self._running: dict[int, Run] = {}  # by identity: `runs` may have very many that ended

    @property
    def running(self) -> list[Run]:
        """The containers that have not ended, in start order."""
        return list(self._running.values())

    def start(self, pod: Object, *, at: float) -> Run:
        meta = pod["metadata"]
        owner: Object = next(iter(meta.get("ownerReferences", ())), {})
        env = {
            each["name"]: each.get("value", "")
            for each in pod["spec"]["containers"][0].get("env", ())
        }
        run = Run(
            job=owner.get("name", meta["labels"].get("job-name", "")),
            job_uid=owner.get("uid", meta["labels"].get("controller-uid", "")),
            attempt_id=env.get("ATTEMPT_ID", ""),
            pod=meta["name"],
            pod_uid=meta["uid"],
            node=pod["spec"].get("nodeName", ""),
            started_at=at,
            env=env,
        )
        self.runs.append(run)
        self._running[id(run)] = run
        return run

    def end(self, run: Run, *, at: float, exit_code: int, reason: str) -> None:
        run.ended_at, run.exit_code, run.reason = at, exit_code, reason
        self._running.pop(id(run), None)


class PodLog:
    """Log of a container.

    Keeps whole lines with their timestamps. The rotation of the kubelet drops the oldest.
    """

    def __init__(self) -> None:
        self._lines: list[tuple[str, bytes]] = []

    def append(self, data: bytes, *, stamp: str) -> None:
        for line in data.splitlines(keepends=True):
            if self._lines and not self._lines[-1][1].endswith(b"\n"):
                at, begun = self._lines[-1]
                self._lines[-1] = (at, begun + line)
            else:
                self._lines.append((stamp, line))

    def rotate(self, keep_bytes: int) -> None:
        """Keep only the last lines, at most this number of bytes."""
        kept, size = 0, 0
        for _, line in reversed(self._lines):
            size += len(line)
            if size > keep_bytes:
                break
            kept += 1
        self._lines = self._lines[len(self._lines) - kept :]

    def read(
        self,
        *,
        tail_lines: int | None = None,
        limit_bytes: int | None = None,
        timestamps: bool = False,
        since: str = "",
    ) -> bytes:
        lines = [each for each in self._lines if each[0] >= since.removesuffix("Z")]
        if tail_lines is not None:
            lines = (
                lines[len(lines) - tail_lines :]
                if 0 < tail_lines <= len(lines)
                else lines
                if tail_lines
                else []
            )
        text = b"".join(
            stamp.encode() + b" " + line if timestamps else line for stamp, line in lines
        )
        return text if limit_bytes is None else text[:limit_bytes]

    def last_lines(self, *, lines: int = 80, limit_bytes: int = 2048) -> str:
        """Return the termination message for FallbackToLogsOnError."""
        return self.read(tail_lines=lines)[-limit_bytes:].decode(errors="replace")
