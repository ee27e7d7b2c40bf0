"""The supervisor: runs the workload as its child, carries its log, reports, and delivers its end.

The main thread reads the workload's pipes and its channel; threads ship the log, report, watch memory and move files. User code never runs
here: whatever it does to its own process, this one goes on and says what became of it.
"""

import os
import selectors
import signal
import time
from pathlib import Path
from typing import Any

from jobs.contract import WORKER_EVENT_KINDS, EventKind, FailureReason, FinishStatus, WorkerLimits
from jobs.worker import family
from jobs.worker.channel import MessageTooLarge
from jobs.worker.client import Client, Fenced, Refused, Unreachable
from jobs.worker.environment import EXIT_ACCEPTED, EXIT_FENCED, EXIT_GAVE_UP, WorkerEnvironment
from jobs.worker.memory import MemoryWatch
from jobs.worker.output import FLUSH_SECONDS, Output
from jobs.worker.process import WorkloadProcess
from jobs.worker.reporting import Reporter
from jobs.worker.shipping import LogShipper
from jobs.worker.spool import Spool
from jobs.worker.stopping import INTERRUPTED, Stop, Verdict, failed
from jobs.worker.transfers import Transfers

ASK_SECONDS = 5.0  # between SIGTERM and SIGKILL to the workload
IDLE_SECONDS = 0.5
DRAIN_SECONDS = 5.0
REST_OF_LOG_SECONDS = 10.0  # a fenced attempt still delivers its log, while that is accepted


class Supervisor:
    """One claimed attempt. `run` returns the worker's exit code."""

    def __init__(self, environment: WorkerEnvironment, client: Client, workload: WorkloadProcess, claim: dict[str, Any]) -> None:
        self._client, self._workload, self._claim = client, workload, claim
        self.limits = WorkerLimits(**claim["limits"])
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self.stop = Stop(self._wake)
        self.spool = Spool(_spool_folder(environment), limit_bytes=self.limits.spool_bytes)
        self._shipper = LogShipper(client, self.spool)
        self.memory = MemoryWatch(self.stop, limit_bytes=self.limits.memory_bytes, own_cgroup=environment.worker_dir is None)
        self._reporter = Reporter(
            client, self.stop, self.memory, limits=self.limits, heartbeat_seconds=float(claim["heartbeat_seconds"])
        )
        self._transfers = Transfers(client, self.stop, folder=environment.data_dir / "fetched", answer=self._send)
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

    def run(self) -> tuple[int, Verdict]:
        """Run the workload to its end and deliver that; the exit code and what the attempt came to."""
        self._catch_signals()
        for thread in (self._shipper, self.memory, self._reporter, self._transfers):
            thread.start()
        self._send({key: self._claim[key] for key in ("job", "limits", "inputs", "read_url_allow")})
        self._pump()
        self.memory.ended.set()
        family.kill_all()
        self._drain()
        verdict = self._verdict()
        return self._deliver(verdict), verdict

    def _catch_signals(self) -> None:
        signal.signal(signal.SIGTERM, lambda *_: self.stop.ask(INTERRUPTED))
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"w")
        except BlockingIOError:
            pass  # it is full of reasons to wake up

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._workload.channel.send(message)
        except OSError:
            pass  # the workload is gone: its end says why

    # The loop

    def _pump(self) -> None:
        """Until the workload has ended."""
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._on_wake)
        self._selector.register(self._workload.channel.socket, selectors.EVENT_READ, self._on_channel)
        while self._workload.process.poll() is None:
            self._read_or_wait()
            timeout = FLUSH_SECONDS if any(output.pending for output in self._outputs) or not self._reading else IDLE_SECONDS
            for key, _events in self._selector.select(timeout):
                key.data()
            for output in self._outputs:
                output.flush_stale()
            self._obey_stop()
            family.reap(keep=self._workload.process.pid)

    def _read_or_wait(self) -> None:
        """A full spool stops the reading, so that the workload waits instead of the log being lost."""
        wanted = not self.spool.full
        if wanted == self._reading:
            return
        for output in self._outputs:
            if wanted and output.open:
                self._selector.register(output.descriptor, selectors.EVENT_READ, lambda output=output: self._on_output(output))
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
            self.stop.ask(failed(FailureReason.PROTOCOL, f"The workload's report could not be read: {type(error).__name__}."))
            return
        for message in self._workload.channel.messages():
            self._on_message(message)

    def _close_channel(self) -> None:
        if self._channel_open:
            self._channel_open = False
            self._selector.unregister(self._workload.channel.socket)

    def _on_message(self, message: dict[str, Any]) -> None:
        if "done" in message:
            self._done = _done(message["done"])
        elif "call" in message:
            self._transfers.put(message)
        elif message.get("event") in WORKER_EVENT_KINDS and isinstance(message.get("data"), dict):
            if message["event"] == EventKind.STEP_STARTED:
                self._step = self.memory.step = str(message["data"].get("step", ""))
            self._reporter.add(EventKind(message["event"]), message["data"])

    def _obey_stop(self) -> None:
        """End the workload when somebody asked for it: at once, or after it had its time."""
        if not self.stop.asked:
            return
        if self.stop.fenced.is_set() or (self.stop.verdict is not None and not self.stop.verdict.patient):
            family.kill_all()
        elif self._kill_at is None:
            self._kill_at = time.monotonic() + ASK_SECONDS
            family.signal_all(signal.SIGTERM)
        elif time.monotonic() > self._kill_at:
            family.kill_all()

    def _drain(self) -> None:
        """What is left in the pipes and in the channel. Nobody writes any more: all descendants are gone."""
        if self._channel_open:
            self._workload.channel.socket.setblocking(False)
            self._drain_channel()
        for output in self._outputs:
            end = time.monotonic() + DRAIN_SECONDS
            while output.open and time.monotonic() < end:
                if self.spool.full and not self.spool.wait_room(self.limits.grace_seconds):
                    break
                if output.read():
                    end = time.monotonic() + DRAIN_SECONDS
                elif output.open:
                    time.sleep(0.005)
            output.flush()

    def _drain_channel(self) -> None:
        try:
            while self._workload.channel.read_ready() is not None:
                pass
        except (OSError, MessageTooLarge):
            pass
        for message in self._workload.channel.messages():
            self._on_message(message)

    # The end

    def _verdict(self) -> Verdict:
        if self.stop.verdict is not None:
            return self.stop.verdict
        if self._done is not None:
            return self._done
        code = self._workload.process.returncode
        step = self._step or None
        if code < 0:
            return failed(FailureReason.SIGNAL, "", signal=-code, step=step)
        return failed(FailureReason.EXIT_CODE, f"The workload ended with exit code {code} and no result.", exit_code=code, step=step)

    def _deliver(self, verdict: Verdict) -> int:
        """The rest of the log, the events, then `finish`, for as long as the grace lasts."""
        end = time.monotonic() + self.limits.grace_seconds
        while not self.stop.fenced.is_set():
            left = end - time.monotonic()
            if left <= 0:
                return EXIT_GAVE_UP
            if not self.spool.wait_accepted(min(left, IDLE_SECONDS)):
                if self._shipper.fenced.is_set() or not self._shipper.is_alive():
                    break
                continue
            if not self._reporter.flush(min(left, IDLE_SECONDS)):
                continue
            self._reporter.end()
            try:
                self._finish(verdict, left)
            except Fenced:
                break
            except Refused as refused:
                if not self._again_after(refused):
                    return EXIT_GAVE_UP
                continue
            except Unreachable:
                return EXIT_GAVE_UP
            return EXIT_ACCEPTED
        self._reporter.end()
        self.spool.wait_accepted(0 if self._shipper.fenced.is_set() else REST_OF_LOG_SECONDS)
        return EXIT_FENCED

    def _finish(self, verdict: Verdict, patience_seconds: float) -> None:
        code = self._workload.process.returncode
        result = verdict.result if verdict.status is FinishStatus.SUCCEEDED else {}
        body = {
            "status": verdict.status,
            "reason": verdict.reason or "",
            "message": verdict.message,
            "detail": {**verdict.detail, **({"step": self._step} if self._step and "step" not in verdict.detail else {})},
            "result": result,
            "exit": {"code": code if code >= 0 else None, "signal": -code if code < 0 else None},
            "peak_memory_bytes": self.memory.peak_bytes,
            "log_end": self.spool.end,
            "log_sha256": self.spool.sha256,
        }
        self._client.post("finish", body, patience_seconds=patience_seconds)

    def _again_after(self, refused: Refused) -> bool:
        """Whether sending the log from the orchestrator's end makes `finish` acceptable."""
        end = refused.detail.get("end")
        return refused.code == "log_incomplete" and isinstance(end, int) and self.spool.rewind(end)


def _spool_folder(environment: WorkerEnvironment) -> Path:
    return (environment.worker_dir or environment.data_dir) / "spool"


def _done(value: Any) -> Verdict:
    """The workload's own word. It is user code's neighbour: read with care."""
    if not isinstance(value, dict):
        value = {}
    result, detail = value.get("result"), value.get("detail")
    if value.get("status") == FinishStatus.SUCCEEDED:
        return Verdict(FinishStatus.SUCCEEDED, result=result if isinstance(result, dict) else {})
    try:
        reason = FailureReason(str(value.get("reason")))
    except ValueError:
        reason = FailureReason.WORKLOAD_FAILED
    return failed(reason, str(value.get("message", ""))[:2000], **(detail if isinstance(detail, dict) else {}))
