"""Simulated workers in the fake's containers, by the services that the worker API calls.

They claim, print, finish and exit, one step at a time.
"""

import random
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID, uuid4

from jobs.contract import FailureReason, FinishStatus, JobStatus
from jobs.lifecycle.claim import attempt_claim
from jobs.lifecycle.finish import attempt_finish
from jobs.lifecycle.report import heartbeat_record
from jobs.lifecycle.values import FinishReport
from jobs.logs.append import log_append
from jobs.logs.read import log_sha256
from jobs.models import Attempt
from mimir.lib.errors import MimirError
from tests.fakes.kubernetes.client import FakeKubernetes
from tests.fakes.kubernetes.ledger import Run
from tests.fakes.kubernetes.scripts import Act
from tests.support.make import LINE


class Step(StrEnum):
    """The last step that a worker took."""

    STARTED = "started"
    CLAIMED = "claimed"
    PRINTED = "printed"
    FINISHED = "finished"
    REFUSED = "refused"
    EXITED = "exited"


@dataclass(slots=True)
class Worker:
    """A simulated container."""

    attempt_id: UUID
    pod: str
    succeeds: bool
    needs_bytes: int = 0
    memory_bytes: int = 0  # limit in the answer to its claim
    claim_id: UUID = field(default_factory=uuid4)
    step: Step = Step.STARTED
    rounds_to_run: int = 2


class Workers:
    """Workers in all containers of the ledger. Each acts independently."""

    def __init__(
        self, fake: FakeKubernetes, dice: random.Random, succeeds: dict[UUID, bool]
    ) -> None:
        """Create the workers. `succeeds`: whether each job succeeds."""
        self._fake, self._dice, self.succeeds = fake, dice, succeeds
        self.needs_bytes: dict[UUID, int] = {}  # memory that the work of a job needs
        self.by_pod: dict[str, Worker] = {}
        self.successes: list[
            UUID
        ] = []  # attempts whose success was accepted and made its job succeed

    def act(self, running: list[Run], held: set[UUID]) -> None:
        """Let each running worker take one step, except those of `held` attempts."""
        for run in running:
            attempt_id = UUID(run.attempt_id)
            worker = self.by_pod.get(run.pod_uid)
            if worker is None:
                job_id = UUID(run.env["JOB_ID"])
                worker = self.by_pod[run.pod_uid] = Worker(
                    attempt_id,
                    run.pod,
                    self.succeeds.get(job_id, True),
                    self.needs_bytes.get(job_id, 0),
                )
            if attempt_id not in held:
                self._step(worker)

    def _step(self, worker: Worker) -> None:
        try:
            if worker.step in (Step.CLAIMED, Step.PRINTED):
                heartbeat_record(
                    attempt_id=worker.attempt_id,
                    memory_bytes=1,
                    peak_memory_bytes=1,
                    cpu_millicores=1,
                )
            if worker.step is Step.STARTED:
                claimed = attempt_claim(
                    attempt_id=worker.attempt_id, claim_id=worker.claim_id, host=worker.pod
                )
                worker.memory_bytes = claimed["limits"]["memory_bytes"]
                worker.step = Step.CLAIMED
            elif worker.step is Step.CLAIMED:
                self._print(worker)
            elif worker.step is Step.PRINTED and worker.memory_bytes < worker.needs_bytes:
                self._run_out_of_memory(worker)
            elif worker.step is Step.PRINTED:
                self._finish(worker)
            elif worker.step in (Step.FINISHED, Step.REFUSED):
                self._fake.exit(worker.pod, 0 if worker.step is Step.FINISHED else 3)
                worker.step = Step.EXITED
        except MimirError:
            worker.step = Step.REFUSED

    def _print(self, worker: Worker) -> None:
        end = Attempt.objects.values_list("log_end", flat=True).get(id=worker.attempt_id)
        line = LINE + b"a line\n"
        self._fake.append_log(worker.pod, line)
        if self._dice.random() < 0.8:  # otherwise it ends before it has delivered
            log_append(attempt_id=worker.attempt_id, offset=end, data=line)
        worker.rounds_to_run -= 1
        if worker.rounds_to_run <= 0:
            worker.step = Step.PRINTED

    def _finish(self, worker: Worker) -> None:
        attempt = Attempt.objects.get(id=worker.attempt_id)
        report = FinishReport(
            status=FinishStatus.SUCCEEDED if worker.succeeds else FinishStatus.FAILED,
            log_end=attempt.log_end,
            log_sha256=log_sha256(attempt),
            reason=None if worker.succeeds else FailureReason.WORKLOAD_FAILED,
            message="" if worker.succeeds else "It said no.",
        )
        before = attempt.ended_at
        status = attempt_finish(attempt_id=worker.attempt_id, report=report)
        if worker.succeeds and before is None and status == JobStatus.SUCCEEDED:
            self.successes.append(worker.attempt_id)
        worker.step = Step.FINISHED

    def _run_out_of_memory(self, worker: Worker) -> None:
        """Report the end, be killed by the kernel, or do both, depending on the worker."""
        way = len(self.by_pod) % 3
        if way:
            attempt = Attempt.objects.get(id=worker.attempt_id)
            report = FinishReport(
                status=FinishStatus.FAILED,
                log_end=attempt.log_end,
                log_sha256=log_sha256(attempt),
                reason=FailureReason.OUT_OF_MEMORY,
            )
            attempt_finish(attempt_id=worker.attempt_id, report=report)
            worker.step = Step.FINISHED
        if way != 1:
            self._fake.act(worker.pod, Act.OUT_OF_MEMORY)
            worker.step = Step.EXITED
