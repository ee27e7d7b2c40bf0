"""In-memory launcher for tests of services and of the reconciler, which script its workers.

It behaves as `base.Launcher` documents: idempotent by name, adopts an existing worker, refuses the
name of another attempt, and removes only workers that are gone.
"""

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from uuid import uuid4

from jobs.clusters.launchers.base import (
    Changes,
    Evidence,
    Launched,
    LaunchRefused,
    LaunchSpec,
    LaunchUncertain,
    Observation,
)


@dataclass(slots=True)
class FakeWorker:
    """Worker object with its stored log."""

    spec: LaunchSpec
    observation: Observation
    spool: bytes = b""
    terminations: int = 0


class FakeLauncher:
    """Launcher with its workers in a dict.

    `fail_next` queues the errors of the next launches; with `created_though` the failing launch
    creates its worker all the same.
    """

    def __init__(self) -> None:
        self.workers: dict[str, FakeWorker] = {}
        self.launches: list[str] = []
        self.shows: dict[str, Evidence] = {}  # evidence by worker, as on Kubernetes
        self.obeys = True  # whether a worker ends on a stop signal
        self._failures: deque[tuple[Exception, bool]] = deque()
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        # Names of workers since the last wait.
        self._ended: set[str] = set()
        self._appeared: set[str] = set()

    def fail_next(
        self, error: LaunchRefused | LaunchUncertain, *, created_though: bool = False
    ) -> None:
        """Make the next launch raise `error`, with `created_though` after it created the worker."""
        self._failures.append((error, created_though))

    def end(
        self,
        name: str,
        *,
        exit_code: int | None = None,
        signal: int | None = None,
        reason: str = "",
        message: str = "",
    ) -> None:
        """End the worker; its object stays until it is cleaned up."""
        with self._lock:
            worker = self.workers[name]
            worker.observation = replace(
                worker.observation,
                alive=False,
                processes=0,
                exit_code=exit_code,
                signal=signal,
                reason=reason,
                message=message,
            )
            self._note(self._ended, name)

    def vanish(self, name: str) -> None:
        """Remove the worker and its object."""
        with self._lock:
            del self.workers[name]
            self._note(self._ended, name)

    def leave_processes(self, name: str, count: int) -> None:
        """Kill the supervisor and leave `count` processes of its workload."""
        with self._lock:
            self.workers[name].observation = replace(
                self.workers[name].observation, alive=False, processes=count
            )
            self._note(self._ended, name)

    def launch(self, spec: LaunchSpec, *, still_wanted: Callable[[], bool]) -> Launched:
        with self._lock:
            self.launches.append(spec.name)
            error, created_though = self._failures.popleft() if self._failures else (None, False)
            if error is not None and not created_though:
                raise error
            existing = self.workers.get(spec.name)
            if existing is not None and existing.spec.attempt_id != spec.attempt_id:
                raise LaunchRefused(f"A worker named {spec.name} of another attempt exists.")
            if existing is None:
                if not still_wanted():
                    raise LaunchRefused("This attempt is no longer needed.")
                observation = Observation(
                    name=spec.name, attempt_id=spec.attempt_id, uid=str(uuid4()), alive=True
                )
                self.workers[spec.name] = FakeWorker(spec, observation)
                self._note(self._appeared, spec.name)
            if error is not None:
                raise error
            return Launched(self.workers[spec.name].observation.uid, adopted=existing is not None)

    def observe(self, names: Collection[str] | None = None) -> list[Observation]:
        with self._lock:
            return [
                worker.observation
                for name, worker in self.workers.items()
                if names is None or name in names
            ]

    def terminate(self, name: str, attempt_id: str, *, grace_seconds: float) -> None:
        with self._lock:
            worker = self.workers.get(name)
            if worker is None or worker.spec.attempt_id != attempt_id:
                return
            worker.terminations += 1
            if self.obeys or grace_seconds == 0:
                worker.observation = replace(worker.observation, alive=False, processes=0)
                self._note(self._ended, name)

    def is_gone(self, name: str, attempt_id: str) -> bool:
        with self._lock:
            worker = self.workers.get(name)
            ours = worker is not None and worker.spec.attempt_id == attempt_id
            return not ours or (
                worker is not None
                and not worker.observation.alive
                and worker.observation.processes == 0
            )

    def tail(
        self,
        name: str,
        attempt_id: str,
        *,
        after: bytes,  # noqa: ARG002 - offsets are known here
        offset: int,
    ) -> Iterator[bytes]:
        with self._lock:
            worker = self.workers.get(name)
            rest = (
                b""
                if worker is None or worker.spec.attempt_id != attempt_id
                else worker.spool[offset:]
            )
        if rest:
            yield rest

    def evidence(self, name: str) -> Evidence | None:
        return self.shows.get(name)

    def clean_up(self, name: str, attempt_id: str) -> None:
        with self._lock:
            if (
                name in self.workers
                and self.workers[name].spec.attempt_id == attempt_id
                and self.is_gone(name, attempt_id)
            ):
                del self.workers[name]

    def prepare(self) -> None:
        """Do nothing: there is nothing to wait for."""

    def close(self) -> None:
        """Do nothing: there is no background work."""

    def wait_for_changes(self, timeout_seconds: float, *, ends_only: bool = False) -> Changes:
        with self._changed:
            self._changed.wait_for(
                lambda: self._ended or (self._appeared and not ends_only), timeout_seconds
            )
            changes = Changes(frozenset(self._ended), frozenset(self._appeared))
            self._ended, self._appeared = set(), set()
        return changes

    def _note(self, changed: set[str], name: str) -> None:
        """Report a change of the worker `name`. The caller holds the lock."""
        changed.add(name)
        self._changed.notify_all()
