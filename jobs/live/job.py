"""`/ws/jobs/<id>/?after=<seq>&attempt=<n>&offset=<bytes>`: live updates of one job.

Sends every event once and in order, every log byte once, then `end`.
"""

from dataclasses import dataclass
from uuid import UUID

from jobs.live.consumers import JOB_GROUP, PROJECT_GROUP, Follower, in_database
from jobs.live.counters import LiveLog, LiveState, live_state
from jobs.logs.read import log_read
from jobs.models import Attempt
from jobs.queries.events import event_dict, event_page
from jobs.queries.jobs import job_for, jobs_as_dicts
from jobs.queries.shapes import JobBody
from mimir.lib.errors import Invalid

EVENTS_AT_ONCE = 200
FRAME_BYTES = 128 * 1024


@dataclass(slots=True)
class Position:
    """Position of a client. `attempt` None: the latest attempt at the first round."""

    after: int = 0
    attempt: int | None = None
    offset: int = 0


class JobFollower(Follower):
    """Consumer that follows one job."""

    async def open(self) -> None:
        self.job_id = self.path_id("job_id")
        query = self.query()
        self.position = Position(
            _whole_number(query, "after") or 0,
            _whole_number(query, "attempt"),
            _whole_number(query, "offset") or 0,
        )
        self.sent: JobBody | None = None
        self.join(JOB_GROUP(self.job_id), PROJECT_GROUP(await in_database(self._project_id)()))

    async def feed_hint(self, message: dict[str, object]) -> None:
        """Ignore hints of the project that do not name this job."""
        jobs = message.get("jobs")
        if isinstance(jobs, list) and str(self.job_id) in jobs:
            await super().feed_hint(message)

    async def check_right(self) -> None:
        await in_database(self._project_id)()

    def _project_id(self) -> UUID:
        """Return the project of the job. Raises: MimirError if the user has no access."""
        return job_for(self.user(), self.job_id).project_id

    async def round(self, *, compare: bool) -> bool:
        """Send events, then logs, then the job: a client gets the output before the end."""
        state = await in_database(live_state)(job_id=self.job_id, attempt=self.position.attempt)
        await self._events(state.event_seq)
        await self._logs(state)
        await self._job(compare)
        if not self._at_end(state):
            return False
        await self.send_json({"kind": "end"})
        await self.close(code=1000)
        return True

    async def _events(self, last: int) -> None:
        while self.position.after < last:
            page = await in_database(event_page)(
                job_id=self.job_id, after=self.position.after, limit=EVENTS_AT_ONCE
            )
            for event in page.events:
                body = event_dict(event)
                await self.send_json({**body, "kind": "event", "event": body["kind"]})
                self.position.after = event.seq
            if not page.events:
                self.position.after = last  # retention deleted them

    async def _logs(self, state: LiveState) -> None:
        """Send the log of the current attempt, then each later log from its start."""
        for live in state.logs:
            if self.position.attempt is not None and live.number < self.position.attempt:
                continue
            if self.position.attempt is not None and live.number > self.position.attempt:
                self.position.offset = 0
            self.position.attempt = live.number
            await self._log(live)
            if not live.closed:
                return  # a later attempt starts after the end of this log

    async def _log(self, live: LiveLog) -> None:
        while self.position.offset < live.end:
            offset = self.position.offset
            text, end = await in_database(_frame)(live.attempt_id, offset)
            if end <= offset:
                return
            await self.send_json(
                {"kind": "log", "attempt": live.number, "offset": offset, "end": end, "text": text}
            )
            self.position.offset = end

    async def _job(self, compare: bool) -> None:
        body = await in_database(self._job_body)()
        if body != self.sent:
            self.sent = body
            await self.send_json({"kind": "job", "job": body})

    def _job_body(self) -> JobBody:
        return jobs_as_dicts([job_for(self.user(), self.job_id)])[0]

    def _at_end(self, state: LiveState) -> bool:
        if not state.ended or self.position.after < state.event_seq:
            return False
        if not state.logs:
            return True
        last = state.logs[-1]
        delivered = self.position.attempt == last.number and self.position.offset >= last.end
        return delivered and all(live.closed and live.sealed and live.gone for live in state.logs)


def _frame(attempt_id: UUID, offset: int) -> tuple[str, int]:
    """Return whole lines from `offset` on as text, and their end.

    Bytes that are not UTF-8 become U+FFFD.
    """
    part = log_read(attempt=Attempt(id=attempt_id), offset=offset, limit=FRAME_BYTES)
    data = b"".join(part.chunks)
    data = data[: data.rfind(b"\n") + 1]
    return data.decode("utf-8", "replace"), offset + len(data)


def _whole_number(query: dict[str, str], name: str) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise Invalid(f"{name} must be a whole number.")
    return int(text)
