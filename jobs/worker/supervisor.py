"""The supervisor: runs the workload as a child, ships its log, reports, delivers the outcome.

The main thread reads the workload's pipes and its channel; threads ship the log, report, watch
memory and transfer files. User code never runs here: whatever it does to its own process, the
supervisor continues and reports the outcome.
"""

import os
import selectors
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from jobs.contract import WORKER_EVENT_KINDS, EventKind, FailureReason, FinishStatus, WorkerLimits
from jobs.contract.protocol import ClaimResponse, LimitsBody, WorkloadBody
from jobs.worker import process_tree
from jobs.worker.channel import MessageTooLarge
from jobs.worker.client import Client
from jobs.worker.delivery import Delivery
from jobs.worker.environment import WorkerEnvironment
from jobs.worker.memory_watch import MemoryWatch
from jobs.worker.modelcache import ModelCache
from jobs.worker.output import FLUSH_SECONDS, Output
from jobs.worker.process import WorkloadProcess
from jobs.worker.reporting import Reporter
from jobs.worker.shipping import LogShipper
from jobs.worker.spool import Spool
from jobs.worker.stopping import INTERRUPTED, Stop, Verdict, failed
from jobs.worker.transfers import Transfers
from mimir.lib.formatting import duration_text
from mimir.lib.json_types import Json, JsonObject
from mimir.lib.json_values import storable

CLOCK_TOLERANCE_SECONDS = 60.0
ASK_SECONDS = 5.0  # between SIGTERM and SIGKILL to the workload
IDLE_SECONDS = 0.5
DRAIN_SECONDS = 5.0


class Supervisor:
    """One claimed attempt. `run` returns the worker's exit code."""

    def __init__(
        self,
        environment: WorkerEnvironment,
        client: Client,
        workload: WorkloadProcess,
        claim: ClaimResponse,
    ) -> None:
        self._client, self._workload, self._claim = client, workload, claim
        self.limits = _known_limits(claim["limits"])
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self.stop = Stop(self._wake)
        self.spool = Spool(_spool_folder(environment), limit_bytes=self.limits.spool_bytes)
        self._shipper = LogShipper(client, self.spool, self.stop)
        self.memory = MemoryWatch(
            self.stop,
            limit_bytes=self.limits.memory_bytes,
            own_cgroup=environment.worker_dir is None,
        )
        self._reporter = Reporter(
            client,
            self.stop,
            self.memory,
            limits=self.limits,
            heartbeat_seconds=claim["heartbeat_seconds"],
        )
        self._transfers = Transfers(
            client,
            self.stop,
            limits=self.limits,
            data_dir=environment.data_dir,
            answer=self._send,
            inputs=claim["inputs"],
            models=self._model_cache(environment.models_dir),
        )
        limit = self.limits.log_bytes
        self._outputs = [
            Output("stdout", workload.stdout, self.spool, self.stop, log_bytes_max=limit),
            Output("stderr", workload.stderr, self.spool, self.stop, log_bytes_max=limit),
        ]
        self._selector = selectors.DefaultSelector()
        self._channel_open = True
        self._reading = False
        self._done: Verdict | None = None
        self._step = ""
        self._kill_at: float | None = None
        self._deadline = time.monotonic() + self.limits.timeout_seconds

    def _model_cache(self, folder: Path) -> ModelCache | None:
        """Return the cache if the job reads a model. The key stays in this process."""
        key = self._claim.get("cache_key")
        return ModelCache(folder, key, limit_bytes=self.limits.model_cache_bytes) if key else None

    def run(self) -> tuple[int, Verdict]:
        """Run the workload to its end and deliver the outcome; return exit code and verdict."""
        self._catch_signals()
        for thread in (self._shipper, self.memory, self._reporter, self._transfers):
            thread.start()
        self._report_clock()
        self._send(_workload_body(self._claim))
        self._pump()
        end_by = time.monotonic() + self.limits.grace_seconds
        self._shipper.end_by(end_by)
        self._reporter.end_by(end_by)
        self.memory.ended.set()
        process_tree.kill_all()
        self._drain()
        delivery = Delivery(
            self._client,
            self.stop,
            shipper=self._shipper,
            reporter=self._reporter,
            spool=self.spool,
            memory=self.memory,
            finish_takes_events=bool(self._claim.get("finish_takes_events")),
        )
        code = self._workload.process.returncode
        return delivery.run(
            self._verdict(), exit_code=code, grace_seconds=self.limits.grace_seconds
        )

    def _report_clock(self) -> None:
        """Report a clock that differs much from the orchestrator's.

        Times in the log are wrong then, and certificates can look expired.
        """
        ahead = self._client.clock_ahead_seconds
        if abs(ahead) > CLOCK_TOLERANCE_SECONDS:
            which = "ahead of" if ahead > 0 else "behind"
            message = (
                f"The clock of the worker's machine is {duration_text(abs(ahead))} {which} "
                "the orchestrator's: times in this log are off by that. "
                "An administrator should correct the machine's clock."
            )
            self._reporter.add(EventKind.NOTICE, {"message": message})

    def _catch_signals(self) -> None:
        signal.signal(signal.SIGTERM, lambda *_: self.stop.request(INTERRUPTED))
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"w")
        except BlockingIOError:
            pass  # the pipe is full, so the main thread wakes up anyway

    def _send(self, message: Mapping[str, object]) -> None:
        try:
            self._workload.channel.send(message)
        except OSError:
            pass  # the workload is gone; its exit status gives the reason

    # Main loop

    def _pump(self) -> None:
        """Run the loop until the workload has ended."""
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._on_wake)
        self._selector.register(
            self._workload.channel.socket, selectors.EVENT_READ, self._on_channel
        )
        while self._workload.process.poll() is None:
            self._read_or_wait()
            timeout = (
                FLUSH_SECONDS
                if any(output.pending for output in self._outputs) or not self._reading
                else IDLE_SECONDS
            )
            for key, _events in self._selector.select(timeout):
                key.data()
            for output in self._outputs:
                output.flush_stale()
            self._check_deadline()
            self._obey_stop()
            process_tree.reap(keep=self._workload.process.pid)

    def _read_or_wait(self) -> None:
        """Pause reading while the spool is full: the workload waits, and no log is lost."""
        wanted = not self.spool.full
        if wanted == self._reading:
            return
        for output in self._outputs:
            if wanted and output.open:
                self._selector.register(
                    output.descriptor,
                    selectors.EVENT_READ,
                    lambda output=output: self._on_output(output),
                )
            elif output.descriptor in self._selector.get_map():
                self._selector.unregister(output.descriptor)
        self._reading = wanted

    def _on_output(self, output: Output) -> None:
        output.read()
        if not output.open:
            self._selector.unregister(output.descriptor)

    def _on_wake(self) -> None:
        try:
            os.read(self._wake_read, 4096)
        except BlockingIOError:
            return

    def _on_channel(self) -> None:
        try:
            if self._workload.channel.read_ready() is None:
                self._close_channel()
                return
        except (OSError, MessageTooLarge) as error:
            self._close_channel()
            self.stop.request(
                failed(
                    FailureReason.PROTOCOL,
                    f"The workload's report could not be read: {type(error).__name__}.",
                )
            )
            return
        for message in self._workload.channel.messages():
            self._on_message(message)

    def _close_channel(self) -> None:
        if self._channel_open:
            self._channel_open = False
            self._selector.unregister(self._workload.channel.socket)

    def _on_message(self, message: JsonObject) -> None:
        data = message.get("data")
        if "done" in message:
            self._done = _done(message["done"])
        elif "call" in message:
            self._transfers.put(message)
        elif isinstance(data, dict) and str(message.get("event")) in WORKER_EVENT_KINDS:
            kind = EventKind(str(message["event"]))
            if kind is EventKind.STEP_STARTED:
                self._step = self.memory.step = storable(str(data.get("step", "")))[:200]
            self._reporter.add(kind, data)

    def _check_deadline(self) -> None:
        """Stop the workload at its time limit, with the same grace period as a cancel.

        The orchestrator ends the attempt itself some time later.
        """
        if self.stop.requested or time.monotonic() < self._deadline:
            return
        limit = self.limits.timeout_seconds
        message = (
            f"Time limit of {limit} s reached. "
            f"The workload received SIGTERM and has {ASK_SECONDS:.0f} s to end."
        )
        self._reporter.add(EventKind.NOTICE, {"message": message})
        self.stop.request(
            failed(
                FailureReason.DEADLINE_EXCEEDED, f"Stopped at its time limit of {limit} s."
            )._replace(patient=True)
        )

    def _obey_stop(self) -> None:
        """Carry out a stop request: kill the workload at once, or after SIGTERM and a pause."""
        if not self.stop.requested:
            return
        if self.stop.fenced.is_set() or (
            self.stop.verdict is not None and not self.stop.verdict.patient
        ):
            process_tree.kill_all()
        elif self._kill_at is None:
            self._kill_at = time.monotonic() + ASK_SECONDS
            process_tree.signal_all(signal.SIGTERM)
        elif time.monotonic() > self._kill_at:
            process_tree.kill_all()

    def _drain(self) -> None:
        """Read the rest of the pipes and of the channel.

        All descendants are gone, so nothing more is written.
        """
        if self._channel_open:
            self._workload.channel.socket.setblocking(False)
            self._drain_channel()
        for output in self._outputs:
            self._drain_output(output)
            output.flush()

    def _drain_output(self, output: Output) -> None:
        """Read the rest of a pipe for at most DRAIN_SECONDS, not counting waits for the spool.

        Only a process that is not our descendant can still write, and the supervisor does not wait
        for it.
        """
        end = time.monotonic() + DRAIN_SECONDS
        while output.open and time.monotonic() < end:
            if self.spool.full:
                full_since = time.monotonic()
                if not self.spool.wait_not_full(self.limits.grace_seconds):
                    self.spool.cut(
                        "The end of the log is missing: the orchestrator could not be reached, "
                        "and the spool was full."
                    )
                    return
                end += time.monotonic() - full_since
            if not output.read() and output.open:
                time.sleep(0.005)

    def _drain_channel(self) -> None:
        try:
            while self._workload.channel.read_ready() is not None:
                pass
        except (OSError, MessageTooLarge):
            pass
        for message in self._workload.channel.messages():
            self._on_message(message)

    # Outcome

    def _verdict(self) -> Verdict:
        found = self._out_of_memory(self.stop.verdict or self._done or self._exit_verdict())
        if found.status is FinishStatus.FAILED and self._step and "step" not in found.detail:
            return found._replace(detail={**found.detail, "step": self._step})
        return found

    def _out_of_memory(self, found: Verdict) -> Verdict:
        """Return the out-of-memory verdict if the kernel killed the workload; else `found`.

        An OOM kill looks like SIGKILL, or behind a shell like an exit code; the cgroup counts it.
        """
        if (
            found.reason not in (FailureReason.SIGNAL, FailureReason.EXIT_CODE)
            or not self.memory.kernel_killed()
        ):
            return found
        _used, limit = self.memory.used()
        self.memory.peak_bytes = max(self.memory.peak_bytes, limit)
        return failed(
            FailureReason.OUT_OF_MEMORY,
            "",
            **{**found.detail, "limit_bytes": limit, "peak_bytes": self.memory.peak_bytes},
        )

    def _exit_verdict(self) -> Verdict:
        """Return the outcome of a workload without a report, from its exit status."""
        code = self._workload.process.returncode
        if code < 0:
            return failed(FailureReason.SIGNAL, "", signal=-code)
        return failed(
            FailureReason.EXIT_CODE,
            f"The workload ended with exit code {code} and no result.",
            exit_code=code,
        )


def _spool_folder(environment: WorkerEnvironment) -> Path:
    return (environment.worker_dir or environment.data_dir) / "spool"


def _known_limits(body: LimitsBody) -> WorkerLimits:
    """Return the limits of a claim. A newer orchestrator may set limits that are unknown here."""
    return WorkerLimits(
        cpu_millicores=body["cpu_millicores"],
        memory_bytes=body["memory_bytes"],
        timeout_seconds=body["timeout_seconds"],
        grace_seconds=body["grace_seconds"],
        log_bytes=body["log_bytes"],
        spool_bytes=body["spool_bytes"],
        artifact_bytes=body["artifact_bytes"],
        event_bytes=body["event_bytes"],
        event_count=body["event_count"],
        model_cache_bytes=body["model_cache_bytes"],
    )


def _workload_body(claim: ClaimResponse) -> WorkloadBody:
    """Return the claim without the token and the key, which user code must not get."""
    return {
        "job": claim["job"],
        "limits": claim["limits"],
        "inputs": claim["inputs"],
        "read_url_allow": claim["read_url_allow"],
    }


def _done(value: Json) -> Verdict:
    """Parse the workload's report. User code can influence it, so nothing in it is trusted."""
    value = storable(value) if isinstance(value, dict) else {}
    result, detail = value.get("result"), value.get("detail")
    if value.get("status") == FinishStatus.SUCCEEDED:
        return Verdict(FinishStatus.SUCCEEDED, result=result if isinstance(result, dict) else {})
    try:
        reason = FailureReason(str(value.get("reason")))
    except ValueError:
        reason = FailureReason.WORKLOAD_FAILED
    return Verdict(
        FinishStatus.FAILED,
        reason,
        str(value.get("message", ""))[:2000],
        detail if isinstance(detail, dict) else {},
    )
